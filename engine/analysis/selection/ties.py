"""Which candidates may be the best one: those that none of the others beats by more than chance would.

Multiple comparisons with the best (Hsu, "Simultaneous confidence intervals for all distances from the best", Annals of
Statistics 9, 1981), made by the paired bootstrap: a candidate's studentised distance from each of the others is held
against the distribution of the largest of them (max-t; Westfall and Young, "Resampling-based multiple testing", 1993).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.analysis.selection.resampling import Resampled

CONFIDENCE = 0.95
# No largest of ten million studentised distances exceeds this by chance more often than once in a hundred times.
_SURELY_WORSE = 6.0
_LEAST_ERROR = 1e-6  # of a distance that never varies, such as that between equal candidates


def may_be_best(resampled: Resampled, looks: int = 1) -> NDArray[np.bool_]:
    """(candidates,): with a probability of CONFIDENCE at least, the truly best one is among those.

    `looks`: at how many places a candidate's training may have been ended for what it had scored so far. It was ended
    where it looked worst, so the error is shared out evenly among these places (Bonferroni).
    """
    confidence = 1 - (1 - CONFIDENCE) / looks
    estimates = resampled.estimates
    deviations = resampled.scores - estimates
    inverse = _inverse_errors(deviations)
    best = int(np.argmax(estimates))
    possible: NDArray[np.bool_] = (estimates[best] - estimates) * inverse[best] < _SURELY_WORSE
    centred = deviations.astype(np.float32)
    for candidate in np.flatnonzero(possible):
        farthest = np.max((estimates - estimates[candidate]) * inverse[candidate])
        by_chance = np.max((centred - centred[:, [candidate]]) * inverse[candidate].astype(np.float32), axis=1)
        possible[candidate] = farthest <= np.quantile(by_chance, confidence)
    possible[best] = True
    return possible


def _inverse_errors(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over the standard error of the distance between each two candidates."""
    products = deviations.T @ deviations / len(deviations)
    own = np.diag(products)
    variances = own[:, np.newaxis] + own - 2 * products
    inverse: NDArray[np.float64] = 1.0 / np.sqrt(np.maximum(variances, _LEAST_ERROR**2))
    return inverse
