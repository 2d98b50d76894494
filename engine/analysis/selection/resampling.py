"""The search's choice made again on resampled rows: what it picks there, and what that scores on the rows left out.

Bootstrap bias-corrected cross-validation, BBC-CV: Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the
out-of-sample predictions for efficient and accurate cross-validation", Machine Learning 107 (2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.analysis.selection.row_scores import RowScores

DRAWS = 1000
_AT_ONCE = 100
_PURPOSE = 3  # a stream of its own beside those of `engine.training.randomness`


@dataclass(frozen=True, eq=False)
class Resampled:
    """Scores of all candidates, greater being better, and of the choice among them.

    `estimates` (candidates,): on all rows; `scores` (draws, candidates): on rows drawn with replacement, as many as
    there are; `left_out` (draws,): of the candidate that is best on a draw's rows, on the rows it lacks, and
    `left_out_of_best` (draws,): of the search's best, whatever is best on the draw's rows; draws that lack none are
    not among them.
    """

    estimates: NDArray[np.float64]
    scores: NDArray[np.float64]
    left_out: NDArray[np.float64]
    left_out_of_best: NDArray[np.float64]

    @property
    def flattery(self) -> float:
        """By how much the best one's score is expected to lie above what such a choice scores on other rows; never < 0.

        Worked out from both scores on the same left-out rows, so that how hard these happen to be cancels out: where
        nothing was chosen, it is 0 exactly.
        """
        return max(0.0, float(np.mean(self.left_out_of_best - self.left_out)))

    def only(self, which: NDArray[np.bool_]) -> Resampled:
        """Of those candidates; what was left out stays that of the choice among all."""
        return replace(self, estimates=self.estimates[which], scores=self.scores[:, which])


def resample(row_scores: RowScores, seed: int, draws: int = DRAWS, best: int | None = None) -> Resampled:
    """Draw rows `draws` times; `best`: the candidate that the search chose, None: the highest on all rows.

    Equal seeds draw equal rows.
    """
    estimates = row_scores.scores(np.ones((1, row_scores.rows), np.int64))[0]
    best = int(np.argmax(estimates)) if best is None else best
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_PURPOSE,))))
    scores, left_out, of_best = [], [], []
    for first in range(0, draws, _AT_ONCE):
        weights = _drawn(generator, min(_AT_ONCE, draws - first), row_scores.rows)
        scores.append(row_scores.scores(weights))
        # The first of equals, as the search itself chooses.
        chosen = np.argmax(scores[-1], axis=1)
        left_out.append(row_scores.scores_of(chosen, weights == 0))
        of_best.append(row_scores.scores_of(np.full_like(chosen, best), weights == 0))
    missed, missed_by_best = np.concatenate(left_out), np.concatenate(of_best)
    some = ~np.isnan(missed)
    return Resampled(
        estimates=estimates,
        scores=np.concatenate(scores),
        left_out=missed[some],
        left_out_of_best=missed_by_best[some],
    )


def _drawn(generator: np.random.Generator, draws: int, rows: int) -> NDArray[np.int64]:
    """How often each row is drawn, shape (draws, rows); the rows of each draw sum to `rows`."""
    drawn = generator.integers(0, rows, (draws, rows))
    drawn += rows * np.arange(draws)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=draws * rows).reshape(draws, rows)
