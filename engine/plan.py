"""Combinations x folds to fits, and fits to trainings: what runs once and serves several."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.coverage import trainer_of
from engine.errors import SpecError
from engine.events import PlannedCombination, ServedFit
from engine.schedules import in_steps, steps_per_epoch
from engine.settings import Settings, settings_of

if TYPE_CHECKING:
    from engine.spec import SearchSpec

# Rough costs of one training step, in seconds on one core: only their ratios decide the order, and the first
# estimate of time. Weights of the first layer dominate both.
_SECONDS_PER_WEIGHT = {"sgd": 1.5e-10, "rmsprop": 2.5e-10, "adam": 4e-10, "nadam": 5e-10, "adamw": 5e-10}
_KERNEL_SECONDS_PER_ROW = 1.2e-6
_KERAS_SECONDS_PER_STEP = 1.5e-3
_KERAS_SECONDS_PER_INPUT = 1.2e-9  # for each of rows x inputs of a dense batch
_KERAS_START_SECONDS = 1.0


@dataclass(frozen=True)
class Training:
    """One pass of optimisation on one fold, for `epochs` epochs; it serves `fits`, ascending in their epochs.

    `params` are those of the longest fit; `cost` is what it is expected to take, in seconds on one core.
    """

    number: int
    fold: int
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


def make_plan(spec: SearchSpec, combinations: Sequence[dict[str, Any]], fold_rows: Sequence[int] = ()) -> Plan:
    """The plan of a search. `fold_rows`: training rows of every split, where they are known already.

    Raises SpecError where a batch is larger than a fold's training rows.
    """
    rows = tuple(fold_rows) or (spec.rows - -(-spec.rows // spec.folds),) * spec.splits
    settings = [settings_of(params) for params in combinations]
    for params, one in zip(combinations, settings, strict=True):
        if one.batch_size > min(rows):
            raise SpecError("batch_size", params["batch_size"], f"at most {min(rows)}, the training rows of a fold")
    first_of: dict[Settings, int] = {}
    planned: list[PlannedCombination] = []
    for index, (params, one) in enumerate(zip(combinations, settings, strict=True)):
        first = first_of.setdefault(effective(one, rows), index)
        trainer, reason = trainer_of(one, spec.trainer)
        same_as = first if first != index else None
        planned.append(
            PlannedCombination(index=index, params=params, trainer=trainer, trainer_reason=reason, same_as=same_as)
        )
    groups: dict[Settings, list[int]] = defaultdict(list)
    for index, one in enumerate(settings):
        groups[_shared(effective(one, rows))].append(index)
    trainings = _trainings(spec, planned, settings, list(groups.values()), rows)
    return Plan(
        combinations=tuple(planned),
        trainings=trainings,
        splits=spec.splits,
        unshared_epochs=sum(one.epochs for one in settings) * spec.splits,
        notes=_notes(planned, settings),
    )


def effective(settings: Settings, rows: tuple[int, ...]) -> Settings:
    """The same with its schedule in steps, where folds of so many `rows` agree on them: equal effects become equal."""
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
    return replace(settings, schedule_arguments=resolved.pop()) if len(resolved) == 1 else settings


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
        for fold in range(spec.splits):
            cost = expected_seconds(settings[longest], planned[longest].trainer, rows[fold], spec.num_words)
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
                params=planned[longest].params,
                trainer=planned[longest].trainer,
                epochs=settings[longest].epochs,
                fits=tuple(ServedFit(index, epochs) for epochs, index in served),
                cost=cost,
            )
        )
    return tuple(trainings)


def expected_seconds(settings: Settings, trainer: str, rows: int, num_words: int) -> float:
    """A rough guess of a training's time on one core."""
    steps = steps_per_epoch(rows, settings.batch_size) * settings.epochs
    widths = (num_words, *settings.hidden_units, 46)
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    optimizer = _SECONDS_PER_WEIGHT.get(settings.optimizer, 5e-10) * weights * steps
    small_weights = weights - num_words * widths[1]
    if trainer == "kernel":
        per_row = _KERNEL_SECONDS_PER_ROW + 3e-8 * widths[1] + 6e-10 * small_weights
        return optimizer + per_row * rows * settings.epochs
    inputs = _KERAS_SECONDS_PER_INPUT * rows * settings.epochs * num_words
    return _KERAS_START_SECONDS + 2 * optimizer + _KERAS_SECONDS_PER_STEP * steps + inputs


def _notes(planned: Sequence[PlannedCombination], settings: Sequence[Settings]) -> tuple[str, ...]:
    """What a reader of the plan should know: duplicates, trainings that cannot be shared, what the kernel leaves."""
    notes = []
    duplicates = sum(combination.same_as is not None for combination in planned)
    if duplicates:
        notes.append(f"{duplicates} combinations have the same effect as an earlier one and run with it")
    stretched = [one for one in settings if not one.shares_epochs]
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
