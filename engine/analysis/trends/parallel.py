"""Parallel coordinates: an axis for each hyperparameter and one for the score, and where each combination meets it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.trends.levels import Level, is_number, levels_of, ranges_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.analysis.trends.complete import CompleteCombinations

_LOGARITHMIC_FROM = 50.0  # highest to lowest


@dataclass(frozen=True, slots=True)
class ParallelAxis:
    """`places[row]` is where a combination meets the axis: 0 at the bottom, 1 at the top.

    `ends[i]`: the part of the axis that level i covers, its lowest and highest place.
    """

    name: str
    levels: list[Level]
    places: list[float]
    ends: list[tuple[float, float]]


def parallel_axes(complete: CompleteCombinations, metric: str) -> list[ParallelAxis]:
    """Axes of the hyperparameters that have several levels, by name, then the score's, called `metric`.

    Listed values stand at equal distances. Numbers that were drawn stand by their size, logarithmically where the
    highest is 50 times the lowest. Combinations without a hyperparameter meet its axis at a level of their own.
    """
    axes: list[ParallelAxis] = []
    for name, column in complete.values.items():
        levels = levels_of(complete, name, with_absent=True)
        if len(levels) > 1 and any(level.low is not None for level in levels[1:]):
            has_ranges = any(level.is_range for level in levels)
            axes.append(_by_size(name, column, levels) if has_ranges else _evenly(name, len(complete), levels))
    if len(complete):
        axes.append(_by_size(metric, complete.means, ranges_of(complete.means, range(len(complete)))))
    return axes


def thinned(order: Sequence[int], most: int) -> list[int]:
    """At most `most` of rows that stand in order of their rank: the best tenth of that, the rest evenly."""
    if len(order) <= most:
        return list(order)
    first = most // 10
    stride = (len(order) - first) / (most - first)
    return [*order[:first], *(order[first + int(number * stride)] for number in range(most - first))]


def _evenly(name: str, count: int, levels: list[Level]) -> ParallelAxis:
    places = [0.0] * count
    ends: list[tuple[float, float]] = []
    for number, level in enumerate(levels):
        place = number / (len(levels) - 1)
        ends.append((place, place))
        for row in level.rows:
            places[row] = place
    return ParallelAxis(name, levels, places, ends)


def _by_size(name: str, numbers: Sequence[Any], levels: list[Level]) -> ParallelAxis:
    known = [number for number in numbers if is_number(number)]
    low, high = min(known), max(known)
    is_logarithmic = low > 0 and high / low >= _LOGARITHMIC_FROM
    lacking = any(level.low is None for level in levels)
    # Whoever has no such hyperparameter stands apart, above all numbers.
    top = 0.85 if lacking else 1.0

    def place(number: Any) -> float:
        if number is None:
            return 1.0
        if high == low:
            return top / 2
        if is_logarithmic:
            return top * math.log(number / low) / math.log(high / low)
        return top * float((number - low) / (high - low))

    ends = [(place(level.low), place(level.high)) for level in levels]
    return ParallelAxis(name, levels, [place(number) for number in numbers], ends)
