"""Main effects: the mean score by value of each hyperparameter, and how much of the spread its values explain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.analysis.trends.intervals import mean_interval
from engine.analysis.trends.levels import Level, levels_of
from engine.session.ranking import mean_and_deviation
from engine.spec.catalogue import is_argument

if TYPE_CHECKING:
    from engine.analysis.trends.complete import CompleteCombinations


@dataclass(frozen=True, slots=True)
class LevelMean:
    """The mean scores of the `count` complete combinations at a level: their mean, deviation and highest.

    `interval`: 95 % confidence interval of the mean over these combinations, None of a single one. It is wide where
    other hyperparameters matter, and says nothing of the folds.
    """

    level: Level
    count: int
    mean: float
    deviation: float
    interval: tuple[float, float] | None
    best: float


@dataclass(frozen=True, slots=True)
class MainEffect:
    """A hyperparameter; `span` is the highest minus the lowest of its levels' means.

    `share`: the part of the variance between combinations that its levels explain (eta squared), 0 to 1.
    """

    name: str
    levels: list[LevelMean]
    span: float
    share: float


def main_effects(complete: CompleteCombinations) -> list[MainEffect]:
    """Every hyperparameter that has several levels, the one that explains most first.

    An argument (`optimizer__momentum`) is compared only among the combinations that have it: otherwise it would take
    the credit for its optimizer or schedule.
    """
    effects: list[MainEffect] = []
    whole = mean_and_deviation(complete.means)
    for name in complete.values:
        levels = levels_of(complete, name, with_absent=not is_argument(name))
        if len(levels) > 1:
            rows = [row for level in levels for row in level.rows]
            spread = whole if len(rows) == len(complete) else mean_and_deviation([complete.means[row] for row in rows])
            effects.append(_main_effect(name, levels, complete.means, spread))
    return sorted(effects, key=lambda effect: (-effect.share, effect.name))


def _main_effect(name: str, levels: list[Level], means: list[float], spread: tuple[float, float]) -> MainEffect:
    level_means: list[LevelMean] = []
    for level in levels:
        scores = [means[row] for row in level.rows]
        mean, deviation = mean_and_deviation(scores)
        interval = mean_interval(mean, deviation, len(scores))
        level_means.append(LevelMean(level, len(scores), mean, deviation, interval, max(scores)))
    span = max(level.mean for level in level_means) - min(level.mean for level in level_means)
    return MainEffect(name, level_means, span, _explained(level_means, *spread))


def _explained(levels: list[LevelMean], grand: float, spread: float) -> float:
    if not spread > 0:
        return 0.0
    count = sum(level.count for level in levels)
    between = math.fsum(level.count * (level.mean - grand) ** 2 for level in levels) / count
    return min(1.0, between / spread**2)
