"""What a grid says so far: means by value of each hyperparameter, how much each matters, pairs, and top combinations.

Pure numbers over the results model's columns; means are of complete combinations only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.state import CombinationStatus, mean_and_deviation

if TYPE_CHECKING:
    from tui.results_model import ResultsModel


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
    return [row for row, status in enumerate(model.statuses) if status is CombinationStatus.COMPLETE]


def parameter_trends(model: ResultsModel) -> list[ParameterTrend]:
    """Every hyperparameter that varies, the one that explains most first; those without two values seen last."""
    rows = complete_rows(model)
    means = model.values["mean"] if rows else []
    _, spread = mean_and_deviation([means[row] for row in rows])
    trends: list[ParameterTrend] = []
    for name in model.params:
        groups = _groups(model, name, rows)
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
    down_values, across_values = list(_groups(model, down, rows)), list(_groups(model, across, rows))
    cells: dict[tuple[str, str], list[float]] = {}
    means = model.values.get("mean", [])
    for row in rows:
        place = model.texts[down][row] or "—", model.texts[across][row] or "—"
        cells.setdefault(place, []).append(means[row])
    table: list[list[float | None]] = []
    for first in down_values:
        scores = (cells.get((first, second)) for second in across_values)
        table.append([mean_and_deviation(found)[0] if found else None for found in scores])
    return down_values, across_values, table


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
    """Rows by value, values in order, `—` for combinations that have none."""
    groups: dict[str, list[int]] = {}
    keys: dict[str, Any] = {}
    for row in rows:
        text = model.texts[name][row] or "—"
        groups.setdefault(text, []).append(row)
        keys.setdefault(text, model.values[name][row])
    return dict(sorted(groups.items(), key=lambda item: _place(keys[item[0]])))


def _place(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))
