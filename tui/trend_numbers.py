"""What a grid says so far: means by value of each hyperparameter, how much each matters, pairs, and top combinations.

Pure numbers over the results model's columns; means are of complete combinations only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.state import mean_and_deviation

if TYPE_CHECKING:
    from tui.results_model import ResultsModel

MOST_VALUES = 12  # more numbers than this are gathered into ranges
RANGES = 6


@dataclass(frozen=True, slots=True)
class ValueTrend:
    """One value of a hyperparameter: the means of the complete combinations that have it."""

    text: str
    count: int
    mean: float
    deviation: float
    best: float


@dataclass(frozen=True, slots=True)
class ParameterTrend:
    """A hyperparameter; `effect` is the highest minus the lowest of its values' means.

    `share`: the part of the variance between combinations that its values explain (eta squared), 0 to 1.
    """

    name: str
    values: list[ValueTrend]
    effect: float
    share: float


@dataclass(frozen=True, slots=True)
class TopCombination:
    """A combination near the top. `ties_best`: its mean is within one standard error of the best one's."""

    row: int
    rank: int
    mean: float
    deviation: float
    scores: list[float]
    ties_best: bool


def complete_rows(model: ResultsModel) -> list[int]:
    """Combinations with a score on every fold."""
    return sorted(model.complete)


def parameter_trends(model: ResultsModel) -> list[ParameterTrend]:
    """Every hyperparameter that varies, the one that explains most first.

    An argument (`optimizer__momentum`) is compared only among the combinations that have it, and left out where they
    all have the same: otherwise it would take the credit for its optimizer or schedule.
    """
    every_row = complete_rows(model)
    means = model.values["mean"] if every_row else []
    trends: list[ParameterTrend] = []
    for name in model.params:
        is_argument = "__" in name
        column = model.values[name]
        rows = [row for row in every_row if column[row] is not None] if is_argument else every_row
        groups = _groups(model, name, rows)
        if is_argument and len(groups) < 2:
            continue
        _, spread = mean_and_deviation([means[row] for row in rows])
        values: list[ValueTrend] = []
        for text, members in groups.items():
            scores = [means[row] for row in members]
            mean, deviation = mean_and_deviation(scores)
            values.append(ValueTrend(text, len(scores), mean, deviation, max(scores)))
        effect = max(v.mean for v in values) - min(v.mean for v in values) if len(values) > 1 else 0.0
        trends.append(ParameterTrend(name, values, effect, _explained(values, len(rows), spread)))
    return sorted(trends, key=lambda trend: -trend.share)


def _explained(values: list[ValueTrend], count: int, spread: float) -> float:
    if len(values) < 2 or not spread > 0:
        return 0.0
    grand = math.fsum(value.mean * value.count for value in values) / count
    between = math.fsum(value.count * (value.mean - grand) ** 2 for value in values) / count
    return min(1.0, between / spread**2)


def pair_means(model: ResultsModel, down: str, across: str) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Values down, values across, and the mean of the complete combinations with both; None where there is none."""
    rows = complete_rows(model)
    down_groups, across_groups = _groups(model, down, rows), _groups(model, across, rows)
    means = model.values.get("mean", [])
    across_of = {row: value for value, members in across_groups.items() for row in members}
    table: list[list[float | None]] = []
    for members in down_groups.values():
        cells: dict[str, list[float]] = {}
        for row in members:
            cells.setdefault(across_of[row], []).append(means[row])
        table.append([mean_and_deviation(cells[value])[0] if value in cells else None for value in across_groups])
    return list(down_groups), list(across_groups), table


def top_combinations(model: ResultsModel, count: int) -> list[TopCombination]:
    """The best ones with their spread over the folds."""
    rows = sorted(complete_rows(model), key=lambda row: (-model.values["mean"][row], row))[:count]
    top: list[TopCombination] = []
    for row in rows:
        scores = [model.values[f"fold {fold}"][row] for fold in range(model.splits)]
        known = [score for score in scores if score is not None]
        mean, deviation = model.values["mean"][row], model.values["std"][row]
        ties = not top or top[0].mean - mean <= paired_error(top[0].scores, known)
        top.append(TopCombination(row, model.rank(row) or 0, mean, deviation, known, ties))
    return top


def paired_error(first: list[float], second: list[float]) -> float:
    """Standard error of the mean of the paired differences, fold by fold; infinite below two folds.

    Folds are the same for all combinations, so that what is hard about a fold cancels out. With the few folds of a
    search this is a hint, not a test: training parts overlap, which makes the true error larger.
    """
    if len(first) != len(second) or len(first) < 2:
        return math.inf
    differences = [one - other for one, other in zip(first, second, strict=True)]
    _, deviation = mean_and_deviation(differences)
    return deviation / math.sqrt(len(differences) - 1)


def _groups(model: ResultsModel, name: str, rows: list[int]) -> dict[str, list[int]]:
    """Rows by value, values in order, `—` for combinations that have none; many numbers by ranges of equal counts."""
    column, texts = model.values[name], model.texts[name]
    groups: dict[str, list[int]] = {}
    keys: dict[str, Any] = {}
    for row in rows:
        text = texts[row] or "—"
        groups.setdefault(text, []).append(row)
        keys.setdefault(text, column[row])
    if len(groups) > MOST_VALUES and all(isinstance(key, int | float) for key in keys.values() if key is not None):
        return _ranges(groups, keys)
    return dict(sorted(groups.items(), key=lambda item: _place(keys[item[0]])))


def _ranges(groups: dict[str, list[int]], keys: dict[str, Any]) -> dict[str, list[int]]:
    """Values that were drawn, not listed: gathered into ranges that hold about as many rows each."""
    ordered = sorted((text for text in groups if keys[text] is not None), key=lambda text: float(keys[text]))
    total = sum(len(groups[text]) for text in ordered)
    gathered: list[list[str]] = [[]]
    held = 0
    for text in ordered:
        if held >= total * len(gathered) / RANGES and gathered[-1]:
            gathered.append([])
        gathered[-1].append(text)
        held += len(groups[text])
    ranges: dict[str, list[int]] = {}
    for texts in gathered:
        first, last = keys[texts[0]], keys[texts[-1]]
        label = texts[0] if first == last else f"{first:.2g}..{last:.2g}"
        ranges.setdefault(label, []).extend(row for text in texts for row in groups[text])
    if "—" in groups:
        ranges["—"] = groups["—"]
    return ranges


def _place(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))
