"""Whether one combination can still end above another: a test paired over the rows that both were validated on.

It rests on McNemar's test, with Edwards' correction for continuity: of the rows that only one of the two is right on,
are more the one's than chance would have it? (McNemar 1947, "Note on the sampling error of the difference between
correlated proportions or percentages"; Edwards 1948, "Note on the correction for continuity".) For the logarithmic
loss, differences row by row take the place of right and wrong.

The question is whether that test, over the rows of all folds, could still end in favour of the combination that is
behind. That is stochastic curtailment (Lan, Simon and Halperin 1982, "Stochastically curtailed tests in long-term
clinical trials"), by the predictive probability under a flat prior (Spiegelhalter, Freedman and Blackburn 1986,
"Monitoring clinical trials: conditional or predictive power?"). The same number bounds a frequency: the rows so far
are drawn without replacement from those of the whole cross-validation, and whatever all of these say, so few of the
draws mislead (the finite population correction of Cochran 1977, "Sampling techniques", section 2.6).

Approximately: sums over rows are taken as normal, and the rows of a fold as independent. What one training, with its
seed and its rows, does to all rows of a fold at once is ignored: on Reuters, differences between two combinations vary
from fold to fold 1.3 times (median of 253 pairs) as much as such rows would, as variances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.session.predictions import Predictions

    Earned = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Comparison:
    """The metric of a combination and of the one ahead on so many rows, of which `discordant` differ between the two.

    `chance`: that the one behind ends significantly above after all.
    """

    own: float
    ahead: float
    rows: int
    discordant: int
    chance: float


class PairedTest:
    """For a metric that is the mean of what rows earn; `level`: of the two-sided test over the rows of all folds."""

    def __init__(self, metric: str, level: float) -> None:
        self.metric = metric
        self._by_loss = metric == "neg_log_loss"
        self._significant = NormalDist().inv_cdf(1 - level / 2)

    def earned(self, predictions: Predictions) -> Earned:
        """Of each validation row, shape (rows,): 1 for right and 0 for wrong, or minus its loss."""
        if self._by_loss:
            return -predictions.losses
        right: Earned = (predictions.classes == predictions.labels).astype("f4")
        return right

    def compare(self, own: Earned, ahead: Earned, done: float, gain: float = 0.0) -> Comparison:
        """What the same rows earned with both, shape (rows,): the part `done`, from 0 to below 1, of all folds' rows.

        `gain`: by how much more the metric of the one behind is still to rise, other than by chance. Of combinations
        that no row tells apart none is behind: then the chance is 1.
        """
        import numpy as np

        differences = ahead.astype(np.float64) - own
        deviation = math.sqrt(differences @ differences)
        chance = 1.0
        if deviation:
            correction = 0 if self._by_loss else 1
            behind = (float(differences.sum()) - gain * len(own) - correction) / deviation
            chance = math.erfc((behind + self._significant * math.sqrt(done)) / math.sqrt(2 * (1 - done))) / 2
        return Comparison(
            own=float(own.mean(dtype=np.float64)),
            ahead=float(ahead.mean(dtype=np.float64)),
            rows=len(own),
            discordant=int(np.count_nonzero(differences)),
            chance=chance,
        )
