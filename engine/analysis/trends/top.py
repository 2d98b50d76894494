"""The top combinations with the spread of their folds, and which of them are as good as the best, or near it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.session.ranking import mean_and_deviation, ranks

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.analysis.trends.complete import CompleteCombinations


# Beside the mark: what it claims.
TIED = "≈ tied with the best (paired bootstrap, max-t)"
NEAR = "~ within one standard error of the best, over the folds"


@dataclass(frozen=True, slots=True)
class TopCombination:
    """A combination near the top. `is_near`: its mean is within one standard error of the best one's.

    `is_tied`: whether it may be as good as the best, as `engine.analysis.selection` has it; None where that is not
    known.
    """

    index: int
    rank: int
    mean: float
    deviation: float
    scores: list[float]
    is_near: bool
    is_tied: bool | None

    @property
    def mark(self) -> str:
        """★ for the best, else ≈ or ~ (see `TIED` and `NEAR`): never both kinds beside each other."""
        if self.rank == 1:
            return "★"
        if self.is_tied is None:
            return "~" if self.is_near else ""
        return "≈" if self.is_tied else ""


def top_combinations(
    complete: CompleteCombinations, count: int, tied: Collection[int] | None = None
) -> list[TopCombination]:
    """The `count` best ones, best first, equals in order of their index; `tied`: the indices tied with the best."""
    places = ranks(complete.means)
    rows = sorted(range(len(complete)), key=lambda row: (places[row], row))[:count]
    top: list[TopCombination] = []
    for row in rows:
        scores, mean = complete.fold_scores[row], complete.means[row]
        is_near = not top or top[0].mean - mean <= paired_error(top[0].scores, scores)
        index, deviation = complete.indices[row], complete.deviations[row]
        is_tied = None if tied is None else index in tied
        top.append(TopCombination(index, places[row], mean, deviation, scores, is_near, is_tied))
    return top


def count_near(complete: CompleteCombinations) -> int:
    """How many combinations, the best one included, are within one standard error of the best one."""
    return sum(combination.is_near for combination in top_combinations(complete, len(complete)))


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
