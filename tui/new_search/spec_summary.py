"""What the new-search form means: combinations, fits, trainings after sharing, time and notes, worked out purely."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import SpecError
from engine.plan.plan import make_plan
from engine.search.strategies import check_optuna, strategy_of, work_to_come
from engine.spec.combinations import grid
from engine.spec.schedules import depends_on_epochs
from engine.spec.space import Distribution, grid_size
from engine.system.machine import default_workers
from tui.spec_text.form import Reading, field_of_place, message_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.plan.plan import Plan
    from engine.spec.space import Axis
from engine.spec.spec import SearchSpec

MOST_PLANNED = 20_000
_SAMPLED = 400


@dataclass(frozen=True)
class SpecSummary:
    """What a valid spec means.

    `is_exact` is false where trainings, epochs and seconds were estimated from a sample: the grid is very large, or
    which combinations random search draws is known only once it draws them. `seconds`: on `workers` workers.
    """

    combinations: int
    splits: int
    trainings: int
    epochs: int
    unshared_epochs: int
    seconds: float
    workers: int
    is_exact: bool
    notes: tuple[str, ...]

    @property
    def fits(self) -> int:
        """Combinations x splits."""
        return self.combinations * self.splits


def summary_of(reading: Reading) -> tuple[SpecSummary | None, dict[str, str]]:
    """The meaning, and what is wrong with which field; no meaning where anything is."""
    if reading.spec is None:
        return None, reading.problems
    try:
        check_optuna(reading.spec)
        return _planned(reading.spec, reading.workers), {}
    except SpecError as error:
        return None, {field_of_place(error.place): message_of(error)}


def _planned(spec: SearchSpec, workers: int | None) -> SpecSummary:
    spaces = spec.spaces
    size = grid_size(spaces)
    has_distribution = any(axis.has_distribution for axes in spaces for axis in axes)
    count = size if spec.draws is None else spec.draws if has_distribution else min(spec.draws, size)
    draws_all = spec.draws is None or (not has_distribution and count == size)
    if draws_all and size <= MOST_PLANNED:
        plan = make_plan(spec, grid(spaces))
        return _meaning(spec, plan, count, workers, scale=1.0, is_exact=True)
    # A grid always meets all numbers of epochs of a combination, which then share a training; draws hardly do.
    plan = make_plan(spec, _sample(spaces, min(count, _SAMPLED), spec.seed, whole_epochs=draws_all))
    wanted = _grid_trainings(spaces) * spec.splits if draws_all else count
    scale = wanted / len(plan.trainings if draws_all else plan.combinations)
    return _meaning(spec, plan, count, workers, scale=scale, is_exact=False)


def _meaning(
    spec: SearchSpec, plan: Plan, combinations: int, workers: int | None, *, scale: float, is_exact: bool
) -> SpecSummary:
    trainings = round(len(plan.trainings) * scale)
    uses_keras = any(training.trainer == "keras" for training in plan.trainings)
    used = workers or default_workers(trainings, uses_keras=uses_keras)
    strategy = strategy_of(spec, combinations, plan.combinations[0].params)
    to_come = strategy.to_come(combinations)
    longest = max((training.cost for training in plan.trainings), default=0.0)
    work = plan.cost * scale * (1 + work_to_come(spec, to_come) / combinations)
    return SpecSummary(
        combinations=combinations + len(to_come),
        splits=spec.splits,
        trainings=trainings,
        epochs=round(plan.epochs * scale),
        unshared_epochs=round(plan.unshared_epochs * combinations / max(1, len(plan.combinations))),
        seconds=max(longest, work / used),
        workers=used,
        is_exact=is_exact,
        notes=(*(plan.notes if is_exact else _notes_of_sample(spec, plan)), *strategy.notes(combinations)),
    )


def _notes_of_sample(spec: SearchSpec, plan: Plan) -> list[str]:
    """Without counts: those of a sample are not those of the search."""
    reasons = sorted({one.trainer_reason for one in plan.combinations if one.trainer == "keras"})
    return [_estimated(spec), *(f"some combinations run in the keras trainer: {reason}" for reason in reasons)]


def _estimated(spec: SearchSpec) -> str:
    if spec.draws is None:
        return f"more than {MOST_PLANNED:,} combinations: trainings and time are estimated from a sample"
    return "time is estimated from a sample: combinations are drawn when the search starts"


def _grid_trainings(spaces: Sequence[tuple[Axis, ...]]) -> int:
    """Trainings of a whole grid on one split: those that differ in epochs share, unless their schedule stretches."""
    total = 0
    for axes in spaces:
        others, epochs, stretched, shared = 1, 1, 0, 1
        for axis in axes:
            if axis.name == "epochs":
                epochs = len(axis.options)
            elif axis.name == "learning_rate":
                stretched = sum(depends_on_epochs(option) for option in axis.options)
                shared = len(axis.options) - stretched
            else:
                others *= len(axis.options)
        total += others * (shared + stretched * epochs)
    return total


def _sample(spaces: Sequence[tuple[Axis, ...]], count: int, seed: int, *, whole_epochs: bool) -> list[dict[str, Any]]:
    """Some different combinations, drawn evenly, for an estimate only: scikit-learn's own draws are others.

    `whole_epochs`: each with every number of epochs.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret hangs on it
    sizes = list(itertools.accumulate(max(1, grid_size([axes])) for axes in spaces))
    distinct: dict[str, dict[str, Any]] = {}
    for _ in range(count * 10):
        axes = chance.choices(spaces, cum_weights=sizes)[0]
        params: dict[str, Any] = {}
        epochs: tuple[dict[str, Any], ...] = ({},)
        for axis in axes:
            if whole_epochs and axis.name == "epochs":
                epochs = axis.options
                continue
            for name, value in chance.choice(axis.options).items():
                params[name] = _drawn(value, chance) if isinstance(value, Distribution) else value
        for option in epochs:
            combination = params | option
            distinct.setdefault(repr(combination), combination)
        if len(distinct) >= count:
            break
    return list(distinct.values())


def _drawn(distribution: Distribution, chance: random.Random) -> float:
    low, high = distribution.low, distribution.high
    value = low * (high / low) ** chance.random() if distribution.log else chance.uniform(low, high)
    return round(value) if distribution.integer else value
