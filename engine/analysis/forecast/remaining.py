"""How long a running search will still take, as an interval: derived by every reader, never sent.

What waits, at the pace that the search has learned (`engine.plan.pace`), dealt out to the workers that live, the
longest first, as the engine does. The interval is meant to hold 8 times of 10. It has three parts: how well the
factors are known, where what waits is unlike what was seen; the noise of the trainings to come; and what no model of
trainings knows, the pace of a machine that others use.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.plan.pace import Pace
from engine.plan.workload import SCRIPT, workload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.plan.cost import Parts
    from engine.plan.pace import Fit
    from engine.plan.plan import Plan
    from engine.session.activity import TrainingState
    from engine.session.state import SearchState

_LEAST_EVIDENCE = 1.0  # trainings, running ones in part
_NINETIETH = 1.2816  # of the standard normal distribution: an interval of 80 %
_UNKNOWN = 0.05  # relative: what is added whatever has been seen
_UNTRIED = 0.6  # relative, before anything ran: another machine may be twice as fast or slow
_DEALT_OUT = 48  # so many trainings are dealt out one by one; of more, one too many at the end is lost in the noise


@dataclass(frozen=True)
class Forecast:
    """Seconds until the last fit is scored, `least` to `most` 8 times of 10; `fit` is what that comes from."""

    least: float
    estimate: float
    most: float
    fit: Fit

    @property
    def is_learned(self) -> bool:
        """Whether enough has run here for this to be more than the plan's guess."""
        return self.fit.evidence >= _LEAST_EVIDENCE


def remaining_seconds(state: SearchState, now: float) -> tuple[float, float] | None:
    """(least, most) seconds until the last fit is scored, meant to hold 8 times of 10; None while too little was seen.

    `now` in seconds since 1970. Takes well under a millisecond, however large the search is.
    """
    expected = forecast(state, now)
    return (expected.least, expected.most) if expected is not None and expected.is_learned else None


def forecast(state: SearchState, now: float) -> Forecast | None:
    """Seconds until the last fit is scored, with all that they come from; None where nothing is to run.

    Where nothing has run yet, they come from the plan alone.
    """
    workload = workload_of(state)
    if state.started is None or state.status.is_finished or workload is None:
        return None
    now = state.working_time(now)
    running = list(state.trainings.values())
    fit = workload.pace.fit(seen for training in running if (seen := _seen(state, training)) is not None)
    begun = [_left(state, training, fit, now) for training in running]
    parts, squares = dict(workload.parts_waiting), workload.squares_waiting
    to_come = workload.parts_to_come(state.combinations_to_come)
    for name, part in to_come.items():
        parts[name] = parts.get(name, 0.0) + part
    if to_come:
        squares += sum(to_come.values()) ** 2 / (state.combinations_to_come * state.splits)
    few = not to_come and len(workload) <= _DEALT_OUT
    waiting = [fit.seconds(one) for one in workload.waiting()] if few else fit.seconds(parts)
    # One that has died is started again at once: those alive at this moment would be too few.
    workers = max(len(running), state.started.workers)
    estimate = _spread_over(begun, waiting, workers)
    for training, left in zip(running, begun, strict=True):
        whole = _parts_up_to(state, training, training.epochs)
        share = left / max(fit.seconds(whole), 1e-9)
        squares += (share * sum(whole.values())) ** 2
        for name, part in whole.items():
            parts[name] = parts.get(name, 0.0) + share * part
    unknown = _UNKNOWN if fit.evidence >= _LEAST_EVIDENCE else _UNTRIED
    least, most = interval(estimate, math.hypot(fit.deviation(parts, squares), unknown), fit.evidence)
    return Forecast(least, estimate, most, fit)


def planned_forecast(plan: Plan, workers: int, to_come: Parts, trainings_to_come: int) -> Forecast:
    """The forecast of a plan before anything has run, and of so many trainings that the strategy means to add.

    `to_come`: the cost of these, part by part.
    """
    fit = Pace().fit()
    parts, squares = dict(plan.parts), plan.squares
    for name, part in to_come.items():
        parts[name] = parts.get(name, 0.0) + part
    if to_come:
        squares += sum(to_come.values()) ** 2 / trainings_to_come
    few = not to_come and len(plan.trainings) <= _DEALT_OUT
    waiting = [training.cost for training in plan.trainings] if few else fit.seconds(parts)
    estimate = _spread_over([], waiting, workers)
    least, most = interval(estimate, math.hypot(fit.deviation(parts, squares), _UNTRIED), fit.evidence)
    return Forecast(least, estimate, most, fit)


def planned_interval(seconds: float) -> tuple[float, float]:
    """(least, most) of what the plan expects to take so long, before anything has run."""
    return interval(seconds, _UNTRIED, math.inf)


def interval(estimate: float, deviation: float, evidence: float) -> tuple[float, float]:
    """(least, most) around an estimate with a relative standard deviation that so many trainings are the evidence of.

    The quantile is Student's, by the first term of its expansion (Abramowitz and Stegun, 26.7.5). The lower bound is as
    many times below as the upper is above: times double more easily than they vanish.
    """
    quantile = _NINETIETH + (_NINETIETH**3 + _NINETIETH) / (4 * max(1.0, evidence))
    spread = 1 + quantile * deviation
    return estimate / spread, estimate * spread


def _spread_over(begun: Sequence[float], waiting: Sequence[float] | float, workers: int) -> float:
    """Seconds until `workers` workers have done everything: what they are at, then what waits, the longest first.

    `waiting` in seconds each; or their sum, where they are many.
    """
    if isinstance(waiting, float):
        return max([(sum(begun) + waiting) / workers, *begun])
    ends = [*begun, *[0.0] * (workers - len(begun))]
    heapq.heapify(ends)
    for seconds in sorted(waiting, reverse=True):
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)


def _parts_up_to(state: SearchState, training: TrainingState, epoch: int) -> Parts:
    """The cost of a training from where it began to the end of an epoch."""
    workload = workload_of(state)
    assert workload is not None
    parts = workload.parts(training.fits[-1].combination, epoch - training.first_epoch)
    if training.trainer == SCRIPT:  # whose epochs are known only while it runs
        return {name: part * _share(training, epoch) for name, part in parts.items()}
    return parts


def _share(training: TrainingState, epoch: int) -> float:
    """Of its epochs that are behind it when an epoch has ended."""
    return (epoch - training.first_epoch) / (training.epochs - training.first_epoch)


def _seen(state: SearchState, training: TrainingState) -> tuple[Parts, float, float] | None:
    """What a training that runs has shown: the cost of its epochs so far, their seconds, their share of all."""
    if training.epoch == training.first_epoch:
        return None
    parts = _parts_up_to(state, training, training.epoch)
    return parts, training.epoch_ended - training.started, _share(training, training.epoch)


def _left(state: SearchState, training: TrainingState, fit: Fit, now: float) -> float:
    """Expected seconds until a training that runs ends; at least what follows the epoch that it is in."""
    whole = fit.seconds(_parts_up_to(state, training, training.epochs))
    if training.epoch == training.first_epoch:
        return max(0.0, whole - (now - training.started))
    left = whole * (1 - _share(training, training.epoch)) - (now - training.epoch_ended)
    return max(left, whole * (1 - _share(training, training.epoch + 1)), 0.0)
