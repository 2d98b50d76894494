"""How long a running search will still take, as an interval: derived by every reader, never sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.state import SearchState

_LEAST_TRAININGS = 3  # below that the first compilation says more than the trainings do
_NINETIETH = 1.2816  # of the standard normal distribution: an interval of 80 %
_MODEL_ERROR = 0.06  # what the plan's cost model and the last worker's tail add, whatever has been seen
_DRIFT = 0.25  # of the share that is left: trainings of one kind come together, so those to come may be unlike


def remaining_seconds(state: SearchState, now: float) -> tuple[float, float] | None:
    """(least, most) seconds until the last fit is scored, meant to hold 8 times of 10; None while too little was seen.

    What is left of the planned cost, at the median pace of the trainings that ended, on the workers that live. The
    interval comes from how much those paces scatter, and from how much of the work is still unseen.
    """
    started = state.started
    paces = [(cost, seconds) for cost, seconds in state.paces if cost > 0]
    if started is None or state.status.is_finished or len(paces) < _LEAST_TRAININGS:
        return None
    left = max(0.0, started.cost - state.cost_done)
    ratios = [seconds / cost for cost, seconds in paces]
    costs = [cost for cost, _ in paces]
    pace = _weighted_median(ratios, costs)
    if pace <= 0:
        return None
    scatter = 1.4826 * _weighted_median([abs(ratio - pace) for ratio in ratios], costs) / pace
    unseen = max(1, started.trainings - len(paces))
    drift = _DRIFT * left / started.cost
    spread = _NINETIETH * math.sqrt(scatter**2 * (1 / len(paces) + 1 / unseen) + _MODEL_ERROR**2 + drift**2)
    estimate = left * pace / max(1, min(started.workers, unseen))
    return estimate / (1 + spread), estimate * (1 + spread)


def _weighted_median(values: list[float], weights: list[float]) -> float:
    half = math.fsum(weights) / 2
    total = 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        total += weight
        if total >= half:
            return value
    return max(values)


def in_words(seconds: float) -> str:
    """0:06, 12:30 or 3:05:00."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
