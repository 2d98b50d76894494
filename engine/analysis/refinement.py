"""The values of one hyperparameter, made finer around the best of those that were tried."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from engine.analysis.trends.levels import is_number
from engine.session.ranking import mean_and_deviation
from engine.spec.catalogue import UNITS, Anything, Kind, Number, Units
from engine.spec.space import Distribution
from engine.spec.spelling import show_value

_BY_RATIO_FROM = 4.0  # the higher of two values in terms of the lower, where there are only two


class Trial(NamedTuple):
    """A value in a complete combination, the combination's score, and whether that is as good as the best.

    `is_single_change`: whether the combination differs from the best one in nothing else.
    """

    value: Any
    score: float
    is_good: bool
    is_single_change: bool = False


@dataclass(frozen=True)
class Refinement:
    """The values of a hyperparameter before and after, and why; `proposed` is what a space says."""

    name: str
    tried: list[Any]
    proposed: list[Any]
    why: str

    def __str__(self) -> str:
        return f"{self.name} {_in_words(self.tried)} -> {_in_words(self.proposed)}: {self.why}"


def refine(name: str, trials: Sequence[Trial], kind: Kind, noise: float, drawn: Distribution | None) -> Refinement:
    """Numbers in between and beyond, words that are good; one value where they matter little.

    At least one trial must be good. They matter little where every value is good in some combination, none makes the
    best combination worse, and the main effect, the highest minus the lowest mean score of a value, is within the
    noise. Of numbers that were drawn, so that each has a combination to itself, the range shrinks around the good ones.
    """
    best = max(trials, key=lambda trial: trial.score).value
    tried = _distinct([trial.value for trial in trials])
    good = _distinct([trial.value for trial in trials if trial.is_good])
    if drawn is not None and any(map(is_number, good)):
        return _narrowed(name, tried, good, best, drawn, _number_of(kind))
    if len(tried) == 1:
        return Refinement(name, tried, tried, "the only value so far")
    effect = _main_effect(trials)
    makes_worse = any(trial.is_single_change and not trial.is_good for trial in trials)
    if len(good) == len(tried) and not makes_worse and effect <= noise:
        why = f"matters little (main effect {effect:.4f}, within the noise of {noise:.4f})"
        return Refinement(name, tried, [best], why)
    if not is_number(best) or not isinstance(kind, Number | Units):
        worse = [value for value in tried if value not in good]
        why = f"{_in_words(worse)} worse by more than the noise of {noise:.4f}" if worse else "all as good as the best"
        return Refinement(name, tried, good, why)
    return _around(name, tried, good, best, _number_of(kind))


def _around(name: str, tried: list[Any], good: list[Any], best: Any, kind: Number) -> Refinement:
    """Halfway to the neighbours of the best; beyond it, by a whole step, where it has none."""
    numbers = [value for value in tried if is_number(value)]
    by_ratio = _are_spaced_by_ratios(numbers)
    place = numbers.index(best)
    below, above = numbers[place - 1] if place else None, numbers[place + 1] if place + 1 < len(numbers) else None
    more: list[Any] = []
    for neighbour, opposite in ((below, above), (above, below)):
        if neighbour is not None:
            more.append(_between(best, neighbour, kind, by_ratio=by_ratio))
        elif opposite is not None:
            more.append(_beyond(best, opposite, kind, by_ratio=by_ratio))
    proposed = _distinct([*good, *(value for value in more if value is not None)])
    is_inside = below is not None and above is not None
    why = f"finer around the best, {show_value(best)}"
    if len(numbers) == 1:
        why = f"the best, {show_value(best)}, is the only number so far"
    if not is_inside and len(numbers) > 1:
        outside = more[0] if below is None else more[1]
        why = f"the best, {show_value(best)}, lies at the border"
        why += ", so wider" if outside is not None else ", beyond which nothing is accepted"
    return Refinement(name, tried, proposed, why)


def _narrowed(name: str, tried: list[Any], good: list[Any], best: Any, drawn: Distribution, kind: Number) -> Refinement:
    """The range from the nearest worse number below the good ones to the nearest above them.

    Where the best is the outermost of all, beyond the old range by as much as is kept of it.
    """
    kind = replace(kind, integer=kind.integer or drawn.integer)
    numbers = [value for value in tried if is_number(value)]
    lowest, highest = min(filter(is_number, good)), max(filter(is_number, good))
    below = max((value for value in numbers if value < lowest), default=None)
    above = min((value for value in numbers if value > highest), default=None)
    low = drawn.low if below is None else _written(below, -math.inf, lowest, kind)
    high = drawn.high if above is None else _written(above, highest, math.inf, kind)
    why = "the range of the good ones"
    if below is None and above is None:
        why = "good ones all over the range"
    elif best in (numbers[0], numbers[-1]):
        why = f"the best, {show_value(best)}, lies at the border, so wider"
        if best == numbers[0]:
            low = _beyond(drawn.low, high, kind, by_ratio=drawn.log) or drawn.low
        else:
            high = _beyond(drawn.high, low, kind, by_ratio=drawn.log) or drawn.high
    proposed = _as_table(replace(drawn, low=low, high=high))
    words = [value for value in good if not is_number(value)]
    before = [value for value in tried if not is_number(value)]
    return Refinement(name, [_as_table(drawn), *before], [proposed, *words], why)


def _as_table(drawn: Distribution) -> dict[str, Any]:
    """As a space says it."""
    table: dict[str, Any] = {"low": drawn.low, "high": drawn.high}
    return {**table, **({"log": True} if drawn.log else {}), **({"int": True} if drawn.integer else {})}


def _number_of(kind: Kind) -> Number:
    """What a number must be, where not only numbers are accepted."""
    if isinstance(kind, Units):
        return UNITS
    if isinstance(kind, Anything):
        return Number()
    assert isinstance(kind, Number)
    return kind


def _main_effect(trials: Sequence[Trial]) -> float:
    by_value: dict[str, list[float]] = {}
    for trial in trials:
        by_value.setdefault(show_value(trial.value), []).append(trial.score)
    means = [mean_and_deviation(scores)[0] for scores in by_value.values()]
    return max(means) - min(means)


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Each once: numbers ascending, then all else in the order of its first."""
    distinct = list({show_value(value): value for value in reversed(values)}.values())[::-1]
    return sorted(filter(is_number, distinct)) + [value for value in distinct if not is_number(value)]


def _are_spaced_by_ratios(numbers: Sequence[float]) -> bool:
    """Whether ratios of neighbours differ less than their differences do; zeros aside."""
    positive = [number for number in numbers if number > 0]
    if len(positive) < 2 or min(numbers) < 0:
        return False
    pairs = list(itertools.pairwise(positive))
    if len(pairs) == 1:
        return positive[1] / positive[0] >= _BY_RATIO_FROM
    ratios, differences = [math.log(b / a) for a, b in pairs], [b - a for a, b in pairs]
    return max(ratios) / min(ratios) < max(differences) / min(differences)


def _between(one: float, other: float, kind: Number, *, by_ratio: bool) -> Any:
    low, high = sorted((one, other))
    middle = math.sqrt(low) * math.sqrt(high) if by_ratio and low > 0 else (low + high) / 2
    return _written(middle, low, high, kind)


def _beyond(edge: float, inside: float, kind: Number, *, by_ratio: bool) -> Any:
    """As far again from the edge as that is from `inside`; halfway to the largest accepted if that is as far as it.

    A momentum of 1 is accepted, and learns nothing.
    """
    number = edge * (edge / inside) if by_ratio and min(edge, inside) > 0 else 2 * edge - inside
    if abs(number) < 1e-9 * abs(edge):
        number = 0.0  # the difference of equal numbers
    low, high = (edge, math.inf) if edge > inside else (-math.inf, edge)
    if (written := _written(number, low, high, kind)) is not None and written != kind.high:
        return written
    bound = kind.high if edge > inside else kind.low
    return _between(edge, bound, kind, by_ratio=False) if math.isfinite(bound) and bound != edge else None


def _written(number: float, low: float, high: float, kind: Number) -> Any:
    """The number with as few digits, but two, as keep it between low and high; None if none is accepted there."""
    if not math.isfinite(number):
        return None
    candidates = [round(number)] if kind.integer else [float(f"{number:.{digits}g}") for digits in range(2, 18)]
    return next((one for one in candidates if low < one < high and kind.accepts(one)), None)


def _in_words(values: Sequence[Any]) -> str:
    return ", ".join(_range_in_words(value) if isinstance(value, Mapping) else show_value(value) for value in values)


def _range_in_words(table: Mapping[str, Any]) -> str:
    flags = "".join(f" {flag}" for flag in ("log", "int") if table.get(flag))
    return f"{show_value(table['low'])}..{show_value(table['high'])}{flags}"
