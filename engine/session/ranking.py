"""Means, deviations and ranks of scores."""

from __future__ import annotations

import math


def mean_and_deviation(values: list[float]) -> tuple[float, float]:
    """Mean and population standard deviation, to the last bit as `cv_results_` has them; (nan, nan) of nothing."""
    if not values:
        return math.nan, math.nan
    mean = _sum(values) / len(values)
    return mean, math.sqrt(_sum([(value - mean) ** 2 for value in values]) / len(values))


def _sum(values: list[float]) -> float:
    """A sum in NumPy's order (pairwise, blocks of 8 in eight lanes), so that ties are ties where they are in NumPy."""
    count = len(values)
    if count < 8:
        total = -0.0
        for value in values:
            total += value
        return total
    if count > 128:
        half = count // 2 - count // 2 % 8
        return _sum(values[:half]) + _sum(values[half:])
    lanes = values[:8]
    whole = count - count % 8
    for start in range(8, whole, 8):
        lanes = [lane + value for lane, value in zip(lanes, values[start : start + 8], strict=True)]
    total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    for value in values[whole:]:
        total += value
    return total


def ranks(means: list[float], stages: list[int] | None = None) -> list[int]:
    """Rank 1 for the highest mean, ties sharing the lowest rank, NaN after all others, as scikit-learn ranks.

    Means of unlike stages are of unlike rows: whatever reached a later stage ranks before what did not.
    """
    ordered = [
        (-math.inf, 0) if math.isnan(mean) else (stage, mean)
        for mean, stage in zip(means, stages or [0] * len(means), strict=True)
    ]
    first: dict[tuple[float, float], int] = {}
    for place, value in enumerate(sorted(ordered, reverse=True), start=1):
        first.setdefault(value, place)
    return [first[value] for value in ordered]
