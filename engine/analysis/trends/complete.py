"""The complete combinations of a search, column by column: what every trend is worked out from.

A mean over some of the folds cannot be compared with one over all of them, nor one on the rows of an earlier stage with
one on those of a later; so that nothing else counts; how many are left out, and why, is counted beside.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.session.combination import CombinationStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.session.state import SearchState


@dataclass(frozen=True, slots=True)
class CompleteCombinations:
    """Complete combinations in order of their index; a place in any of these lists is called a row.

    `indices`, `means`, `deviations` and `fold_scores` (by fold) are of the first metric. `values` by hyperparameter,
    for those that vary: None where a combination has none.
    """

    indices: list[int]
    means: list[float]
    deviations: list[float]
    fold_scores: list[list[float]]
    values: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.indices)

    def only(self, rows: Sequence[int]) -> CompleteCombinations:
        """Those in these rows."""
        return CompleteCombinations(
            [self.indices[row] for row in rows],
            [self.means[row] for row in rows],
            [self.deviations[row] for row in rows],
            [self.fold_scores[row] for row in rows],
            {name: [column[row] for row in rows] for name, column in self.values.items()},
        )


def complete_combinations(state: SearchState) -> CompleteCombinations:
    """Those with a score on every fold, of the last stage that has any; an undefined metric leaves one out."""
    stage = state.best.stage if state.best is not None else 0
    metric = state.scoring[0] if state.scoring else ""
    indices, means, deviations, fold_scores = list[int](), list[float](), list[float](), list[list[float]]()
    for combination in state.combinations:
        if combination.status is not CombinationStatus.COMPLETE or combination.stage != stage:
            continue
        mean, deviation = combination.mean(metric)
        scores = [score for score in combination.scores_of(metric) if score is not None]
        if math.isnan(mean) or len(scores) < state.splits:
            continue
        indices.append(combination.index)
        means.append(mean)
        deviations.append(deviation)
        fold_scores.append(scores)
    names = sorted({name for combination in state.combinations for name in combination.params})
    values = {name: [state.combinations[index].params.get(name) for index in indices] for name in names}
    return CompleteCombinations(indices, means, deviations, fold_scores, values)


def counts_by_status(state: SearchState) -> dict[str, int]:
    """How many combinations there are of each status that occurs, in the order of the statuses."""
    counts = Counter(combination.status for combination in state.combinations)
    return {str(status): counts[status] for status in CombinationStatus if counts[status]}
