"""What each combination earns with each row it was validated on, so that its score can be worked out of any rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.catalogue import SHARES_OF_RIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.session.predictions import Predictions


@dataclass(frozen=True)
class Metric:
    """A scorer as a mean of what rows earn; `by_class`: of the means of the classes that occur.

    `kind`: of the sums over rows. Rights are counted exactly in float32, up to 2^24 rows; losses, being multiples of
    2^-24 below 16, in float64: every order of summation, and so every number of threads, gives the same score.
    """

    earned: Callable[[Predictions], NDArray[Any]]
    kind: type[np.floating[Any]] = np.float32
    by_class: bool = False


def _right(predictions: Predictions) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = predictions.classes == predictions.labels
    return right


def _minus_loss(predictions: Predictions) -> NDArray[np.float32]:
    return -predictions.losses


METRICS: dict[str, Metric] = {
    **dict.fromkeys(SHARES_OF_RIGHT, Metric(_right)),
    "balanced_accuracy": Metric(_right, by_class=True),
    "neg_log_loss": Metric(_minus_loss, np.float64),
}


@dataclass(frozen=True, eq=False)
class Group:
    """Rows whose earnings are averaged: `rows` (n,) their numbers, `earned` (candidates, n)."""

    rows: NDArray[np.intp]
    earned: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class RowScores:
    """A score is the mean over splits of the mean over their groups of the mean over a group's rows.

    `rows`: how many there are, each validated once in every repeat.
    """

    rows: int
    candidates: int
    splits: tuple[tuple[Group, ...], ...]

    @classmethod
    def of(
        cls,
        metric: str,
        rows: int,
        splits: Sequence[tuple[NDArray[np.intp], NDArray[np.integer], NDArray[Any]]],
    ) -> RowScores:
        """From the rows (n,) of each split, their labels (n,) and what `METRICS` says was earned (candidates, n)."""
        rule = METRICS[metric]
        grouped = []
        for numbers, labels, earned in splits:
            values = earned.astype(rule.kind, copy=False)
            members = [np.flatnonzero(labels == one) for one in np.unique(labels)] if rule.by_class else [slice(None)]
            grouped.append(tuple(Group(numbers[those], values[:, those]) for those in members))
        return cls(rows, len(splits[0][2]), tuple(grouped))

    def scores(self, weights: NDArray[np.integer]) -> NDArray[np.float64]:
        """(draws, candidates): the scores of each draw, in which row n counts `weights[draw, n]` times.

        Groups and splits without a row in a draw are left out of its means; NaN where nothing is left.
        """
        return self._mean(weights, lambda counts, earned: counts @ earned.T, self.candidates)

    def scores_of(self, chosen: NDArray[np.intp], weights: NDArray[np.integer]) -> NDArray[np.float64]:
        """(draws,): the same, in each draw of the one candidate that is `chosen` (draws,) for it."""
        return self._mean(
            weights, lambda counts, earned: np.einsum("dn,dn->d", counts, earned[chosen])[:, np.newaxis], 1
        )[:, 0]

    def _mean(
        self,
        weights: NDArray[np.integer],
        total: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
        width: int,
    ) -> NDArray[np.float64]:
        def mean_of_groups(groups: Sequence[Group]) -> Means:
            return _mean_of_means([_mean_of_rows(group, weights, total) for group in groups], len(weights), width)

        return _mean_of_means([mean_of_groups(groups) for groups in self.splits], len(weights), width).values


@dataclass(frozen=True, eq=False)
class Means:
    """`values` (draws, width), NaN in draws where there is nothing to average, which `some` (draws, 1) tells."""

    values: NDArray[np.float64]
    some: NDArray[np.bool_]


def _mean_of_rows(
    group: Group, weights: NDArray[np.integer], total: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
) -> Means:
    counts = weights[:, group.rows].astype(group.earned.dtype)
    drawn = counts.sum(axis=1, keepdims=True).astype(float)
    return _divided(total(counts, group.earned).astype(float), drawn)


def _mean_of_means(means: Sequence[Means], draws: int, width: int) -> Means:
    sums, counts = np.zeros((draws, width)), np.zeros((draws, 1))
    for mean in means:
        sums += np.where(mean.some, mean.values, 0.0)
        counts += mean.some
    return _divided(sums, counts)


def _divided(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> Means:
    some = counts > 0
    return Means(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=some), some)
