"""Combinations x folds to fits, and fits to trainings: what runs once and serves several."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from engine.errors import SpecError
from engine.plan.cost import Parts, cost_of
from engine.plan.sharing import effect_of, effect_of_training
from engine.plan.trainer_choice import trainer_of
from engine.session.events import PlannedCombination, ServedFit
from engine.spec.catalogue import HYPERPARAMETERS
from engine.spec.models import KerasFunction
from engine.spec.resolved import ResolvedParams, resolved_params_of, without_idle_parts
from engine.spec.schedules import in_steps, rate_of, steps_per_epoch
from engine.spec.space_of_one import combination_space
from engine.system.garbage import without_collections

if TYPE_CHECKING:
    from engine.spec.spec import SearchSpec


@dataclass(frozen=True, slots=True)
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
    """What a search means: its combinations, and the trainings in the order in which they are to run.

    `parts`: the cost of all trainings, part by part; `squares`: the sum of the squares of each one's.
    """

    combinations: tuple[PlannedCombination, ...]
    trainings: tuple[Training, ...]
    splits: int
    unshared_epochs: int
    notes: tuple[str, ...]
    parts: Parts = field(default_factory=dict)
    squares: float = 0.0

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


@without_collections()
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
    resolved = [resolved_params_of(params) for params in combinations]
    fewest, most = min(rows), max(rows)
    for params, one in zip(combinations, resolved, strict=True):
        if "batch_size" in params and one.batch_size > fewest:
            raise SpecError("space.batch_size", one.batch_size, f"at most {fewest}, the training rows of a fold")
        if not recorded and (zeros := _steps_at_zero(one, most)):
            accepted = f"a learning rate above 0 at some step: it is 0 at all {zeros} of a training"
            raise SpecError("space.learning_rate", combination_space(params)["learning_rate"], accepted)
    # Thousands of combinations on thousands of splits: what many have in common is worked out once.
    rows_of = [tuple(set(rows[first : first + spec.splits])) for first in range(0, len(rows), spec.splits)]
    trainers: dict[tuple[Any, ...], tuple[str, str]] = {}
    first_of: dict[tuple[int, str, ResolvedParams], int] = {}
    planned: list[PlannedCombination] = []
    groups: dict[tuple[int, str, object], list[int]] = defaultdict(list)
    drafts = zip(combinations, resolved, stages or [0] * len(combinations), strict=True)
    for index, (params, one, stage) in enumerate(drafts):
        decisive = one.batch_size, one.activation, bool(one.hidden_units), one.optimizer, one.optimizer_arguments
        if decisive not in trainers:
            trainers[decisive] = trainer_of(one, spec.trainer, own_model=isinstance(spec.network, KerasFunction))
        trainer, reason = trainers[decisive]
        effect = effect_of(one, trainer, rows_of[stage])
        first = first_of.setdefault((stage, *effect), index)
        groups[stage, *effect_of_training(effect)].append(index)
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
    trainings, parts, squares = _trainings(spec, planned, resolved, list(groups.values()), rows)
    return Plan(
        combinations=tuple(planned),
        trainings=trainings,
        splits=spec.splits,
        unshared_epochs=sum(one.epochs for one in resolved) * spec.splits,
        notes=_notes(spec, planned, resolved, rows),
        parts=parts,
        squares=squares,
    )


def expected_fold_rows(spec: SearchSpec) -> tuple[int, ...]:
    """Training rows of every split of every stage, as far as the data set is known before it is read."""
    return tuple(count - -(-count // spec.folds) for count in spec.stage_rows for _ in range(spec.splits))


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
        parts={name: plan.parts.get(name, 0.0) + more.parts.get(name, 0.0) for name in {**plan.parts, **more.parts}},
        squares=plan.squares + more.squares,
    )


def _steps_at_zero(resolved: ResolvedParams, rows: int) -> int:
    """The steps of a training on `rows` rows where its schedule is 0 at all of them, and nothing is learnt; else 0."""
    given = dict(resolved.schedule_arguments)
    if resolved.schedule is None or given.get("values", [given.get("initial_learning_rate")])[0]:
        return 0
    epoch_steps = steps_per_epoch(rows, resolved.batch_size)
    steps = epoch_steps * resolved.epochs
    arguments = in_steps(resolved.schedule, given, epoch_steps, resolved.epochs)
    rate = rate_of(resolved.schedule, arguments)
    # A schedule that begins with 0 rises with its second step, or with the first after a boundary.
    later = [1, *(boundary + 1 for boundary in arguments.get("boundaries", ()))]
    return steps if all(rate(step) == 0 for step in (0, *later) if step < steps) else 0


def _trainings(
    spec: SearchSpec,
    planned: Sequence[PlannedCombination],
    resolved: Sequence[ResolvedParams],
    groups: Sequence[Sequence[int]],
    rows: tuple[int, ...],
) -> tuple[tuple[Training, ...], Parts, float]:
    """One training for each group and split: the longest first, so that no worker idles at the end.

    With their cost part by part, and the sum of its squares.
    """
    parts: Parts = {}
    squares = 0.0
    drafts: list[tuple[float, int, int]] = []
    for number, group in enumerate(groups):
        longest = max(group, key=lambda index: resolved[index].epochs)
        one, first = resolved[longest], planned[longest].stage * spec.splits
        for count, folds in _folds_by_rows(rows[first : first + spec.splits]):
            cost = cost_of(one, planned[longest].trainer, count, spec.num_words)
            seconds = cost.seconds(one.epochs)
            for name, part in cost.parts(one.epochs).items():
                parts[name] = parts.get(name, 0.0) + part * len(folds)
            squares += seconds**2 * len(folds)
            drafts += [(seconds, number, fold) for fold in folds]
    drafts.sort(key=lambda draft: (-draft[0], groups[draft[1]][0], draft[2]))
    served: dict[int, tuple[ServedFit, ...]] = {}
    trainings = []
    for number, (seconds, which, fold) in enumerate(drafts):
        if which not in served:
            ascending = sorted((resolved[index].epochs, index) for index in groups[which])
            served[which] = tuple(ServedFit(index, epochs) for epochs, index in ascending)
        longest = served[which][-1].combination
        trainings.append(
            Training(
                number=number,
                fold=fold,
                split=planned[longest].stage * spec.splits + fold,
                params=planned[longest].params,
                trainer=planned[longest].trainer,
                epochs=resolved[longest].epochs,
                fits=served[which],
                cost=seconds,
            )
        )
    return tuple(trainings), parts, squares


@functools.lru_cache(maxsize=16)
def _folds_by_rows(rows: tuple[int, ...]) -> list[tuple[int, list[int]]]:
    """Each number of training rows with the folds that have so many."""
    folds: dict[int, list[int]] = defaultdict(list)
    for fold, count in enumerate(rows):
        folds[count].append(fold)
    return list(folds.items())


def _notes(
    spec: SearchSpec, planned: Sequence[PlannedCombination], resolved: Sequence[ResolvedParams], rows: tuple[int, ...]
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
    whole = sum(one.batch_size > min(rows) for one in resolved)
    if whole:
        default = HYPERPARAMETERS["batch_size"][1]
        notes.append(
            f"{whole} combinations name no batch_size, and the default, {default}, is more than the {min(rows)} "
            "training rows of a fold: each of their epochs is one batch"
        )
    stretched = [one for one in resolved if not one.shares_epochs and not without_idle_parts(one).shares_epochs]
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
