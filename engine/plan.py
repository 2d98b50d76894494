"""Combinations x folds to fits, and fits to trainings: what runs once and serves several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from engine.catalogue import HYPERPARAMETERS
from engine.combination_space import combination_space
from engine.cost import expected_seconds
from engine.coverage import trainer_of
from engine.errors import SpecError
from engine.events import PlannedCombination, ServedFit
from engine.schedules import in_steps, rate_of, steps_per_epoch
from engine.settings import Settings, settings_of, without_idle_parts
from engine.stages import rows_in

if TYPE_CHECKING:
    from engine.spec import SearchSpec


@dataclass(frozen=True)
class Training:
    """One pass of optimisation on one fold, for `epochs` epochs; it serves `fits`, ascending in their epochs.

    `params` are those of the longest fit; `cost` is what it is expected to take, in seconds on one core; `split`:
    its fold among those of all stages, which follow each other.
    """

    number: int
    fold: int
    split: int
    params: dict[str, Any]
    trainer: str
    epochs: int
    fits: tuple[ServedFit, ...]
    cost: float


@dataclass(frozen=True)
class Plan:
    """What a search means: its combinations, and the trainings in the order in which they are to run."""

    combinations: tuple[PlannedCombination, ...]
    trainings: tuple[Training, ...]
    splits: int
    unshared_epochs: int
    notes: tuple[str, ...]

    @property
    def fits(self) -> int:
        """Combinations x splits."""
        return len(self.combinations) * self.splits

    @property
    def epochs(self) -> int:
        """Epochs that are trained; `unshared_epochs` is what one training a fit would take."""
        return sum(training.epochs for training in self.trainings)

    @property
    def cost(self) -> float:
        """Expected seconds on one core."""
        return sum(training.cost for training in self.trainings)


def make_plan(
    spec: SearchSpec,
    combinations: Sequence[dict[str, Any]],
    fold_rows: Sequence[int] = (),
    stages: Sequence[int] = (),
    *,
    recorded: bool = False,
) -> Plan:
    """The plan of a search. `fold_rows`: training rows of every split of every stage, where they are known already;
    `stages`: that of each combination, by default the first; `recorded`: they are those of a session that has begun.

    Raises SpecError where a batch is larger than a fold's training rows and somebody chose its size: the default size
    then takes all rows as one batch; and, unless they are recorded, where a schedule is 0 at every step.
    """
    rows = tuple(fold_rows) or expected_fold_rows(spec)
    settings = [settings_of(params) for params in combinations]
    for params, one in zip(combinations, settings, strict=True):
        if "batch_size" in params and one.batch_size > min(rows):
            raise SpecError("space.batch_size", one.batch_size, f"at most {min(rows)}, the training rows of a fold")
        if not recorded and (zeros := _steps_at_zero(one, max(rows))):
            accepted = f"a learning rate above 0 at some step: it is 0 at all {zeros} of a training"
            raise SpecError("space.learning_rate", combination_space(params)["learning_rate"], accepted)
    first_of: dict[tuple[int, str, Settings], int] = {}
    planned: list[PlannedCombination] = []
    groups: dict[tuple[int, str, Settings], list[int]] = defaultdict(list)
    drafts = zip(combinations, settings, stages or [0] * len(combinations), strict=True)
    for index, (params, one, stage) in enumerate(drafts):
        same_effect = effective(one, rows[stage * spec.splits : (stage + 1) * spec.splits])
        trainer, reason = trainer_of(one, spec.trainer)
        first = first_of.setdefault((stage, trainer, same_effect), index)
        groups[stage, trainer, _shared(same_effect)].append(index)
        planned.append(
            PlannedCombination(
                index=index,
                params=params,
                trainer=trainer,
                trainer_reason=reason,
                same_as=first if first != index else None,
                stage=stage,
            )
        )
    trainings = _trainings(spec, planned, settings, list(groups.values()), rows)
    return Plan(
        combinations=tuple(planned),
        trainings=trainings,
        splits=spec.splits,
        unshared_epochs=sum(one.epochs for one in settings) * spec.splits,
        notes=_notes(spec, planned, settings, rows),
    )


def expected_fold_rows(spec: SearchSpec) -> tuple[int, ...]:
    """Training rows of every split of every stage, as far as the data set is known before it is read."""
    rows = [rows_in(spec.dataset, stage.subsample) for stage in spec.stages]
    return tuple(count - -(-count // spec.folds) for count in rows for _ in range(spec.splits))


def extended(
    plan: Plan,
    spec: SearchSpec,
    combinations: Sequence[dict[str, Any]],
    fold_rows: Sequence[int],
    stages: Sequence[int],
) -> Plan:
    """A plan with more combinations, numbered after those it has; their trainings are their own. Raises SpecError."""
    more = make_plan(spec, combinations, fold_rows, stages)
    index, number = len(plan.combinations), len(plan.trainings)
    added = [
        structs.replace(one, index=one.index + index, same_as=None if one.same_as is None else one.same_as + index)
        for one in more.combinations
    ]
    trainings = [
        replace(
            training,
            number=training.number + number,
            fits=tuple(ServedFit(fit.combination + index, fit.epochs) for fit in training.fits),
        )
        for training in more.trainings
    ]
    return Plan(
        combinations=(*plan.combinations, *added),
        trainings=(*plan.trainings, *trainings),
        splits=plan.splits,
        unshared_epochs=plan.unshared_epochs + more.unshared_epochs,
        notes=plan.notes,
    )


def effective(settings: Settings, rows: tuple[int, ...]) -> Settings:
    """What the settings come to in folds of so many training `rows`: equal effects become equal settings.

    Without parts that have no effect, a batch no larger than the rows, and a schedule in steps where the folds agree on
    them.
    """
    settings = without_idle_parts(settings)
    settings = replace(settings, batch_size=min(settings.batch_size, max(rows)))
    if settings.schedule is None:
        return settings
    arguments = dict(settings.schedule_arguments)
    resolved = {
        tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in sorted(
                in_steps(
                    settings.schedule, arguments, steps_per_epoch(count, settings.batch_size), settings.epochs
                ).items()
            )
        )
        for count in set(rows)
    }
    if len(resolved) > 1:
        return settings
    # In steps, more of it can turn out to have no effect.
    return without_idle_parts(replace(settings, schedule_arguments=resolved.pop()))


def _steps_at_zero(settings: Settings, rows: int) -> int:
    """The steps of a training on `rows` rows where its schedule is 0 at all of them, and nothing is learnt; else 0."""
    given = dict(settings.schedule_arguments)
    if settings.schedule is None or given.get("values", [given.get("initial_learning_rate")])[0]:
        return 0
    epoch_steps = steps_per_epoch(rows, settings.batch_size)
    steps = epoch_steps * settings.epochs
    arguments = in_steps(settings.schedule, given, epoch_steps, settings.epochs)
    rate = rate_of(settings.schedule, arguments)
    # A schedule that begins with 0 rises with its second step, or with the first after a boundary.
    later = [1, *(boundary + 1 for boundary in arguments.get("boundaries", ()))]
    return steps if all(rate(step) == 0 for step in (0, *later) if step < steps) else 0


def _shared(settings: Settings) -> Settings:
    """What combinations that share one training have in common: all but `epochs`, unless the schedule knows those."""
    return replace(settings, epochs=0) if settings.shares_epochs else settings


def _trainings(
    spec: SearchSpec,
    planned: Sequence[PlannedCombination],
    settings: Sequence[Settings],
    groups: Sequence[Sequence[int]],
    rows: tuple[int, ...],
) -> tuple[Training, ...]:
    """One training for each group and split: the longest first, so that no worker idles at the end."""
    drafts: list[tuple[float, int, Sequence[int]]] = []
    for group in groups:
        longest = max(group, key=lambda index: settings[index].epochs)
        first = planned[longest].stage * spec.splits
        for fold in range(spec.splits):
            cost = expected_seconds(settings[longest], planned[longest].trainer, rows[first + fold], spec.num_words)
            drafts.append((cost, fold, group))
    drafts.sort(key=lambda draft: (-draft[0], draft[2][0], draft[1]))
    trainings = []
    for number, (cost, fold, group) in enumerate(drafts):
        served = sorted((settings[index].epochs, index) for index in group)
        longest = served[-1][1]
        trainings.append(
            Training(
                number=number,
                fold=fold,
                split=planned[longest].stage * spec.splits + fold,
                params=planned[longest].params,
                trainer=planned[longest].trainer,
                epochs=settings[longest].epochs,
                fits=tuple(ServedFit(index, epochs) for epochs, index in served),
                cost=cost,
            )
        )
    return tuple(trainings)


def _notes(
    spec: SearchSpec, planned: Sequence[PlannedCombination], settings: Sequence[Settings], rows: tuple[int, ...]
) -> tuple[str, ...]:
    """What a reader of the plan should know: duplicates, trainings that cannot be shared, what the kernel leaves."""
    notes = []
    if spec.stopping is not None:
        what = "trainings end" if spec.stopping.stop else "trainings go on, but it is recorded where they would end,"
        notes.append(
            f"{what} when the validation loss has not fallen for {spec.stopping.patience} epochs"
            f"{': epochs and time are the most there can be' if spec.stopping.stop else ''}"
        )
    duplicates = sum(combination.same_as is not None for combination in planned)
    if duplicates:
        notes.append(f"{duplicates} combinations have the same effect as an earlier one and run with it")
    whole = sum(one.batch_size > min(rows) for one in settings)
    if whole:
        default = HYPERPARAMETERS["batch_size"][1]
        notes.append(
            f"{whole} combinations name no batch_size, and the default, {default}, is more than the {min(rows)} "
            "training rows of a fold: each of their epochs is one batch"
        )
    stretched = [one for one in map(without_idle_parts, settings) if not one.shares_epochs]
    if len({one.epochs for one in stretched}) > 1:
        notes.append(
            f"{len(stretched)} combinations stretch their schedule over the training: each number of epochs is "
            "another schedule, so they share no training"
        )
    reasons: dict[str, int] = defaultdict(int)
    for combination in planned:
        if combination.trainer == "keras":
            reasons[combination.trainer_reason] += 1
    notes += [f"{count} combinations run in the keras trainer: {reason}" for reason, count in sorted(reasons.items())]
    return tuple(notes)
