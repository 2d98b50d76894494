"""Scores of stored probabilities, each with exactly the meaning of scikit-learn's scorer of that name."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.catalogue import SCORERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def predicted_classes(probabilities: NDArray[np.float32]) -> NDArray[np.intp]:
    """The most likely class of each row, shape (rows,); of equally likely ones the first.

    For two columns [1 - p, p] of float32 this is Keras' own rule, class 1 where p > 0.5.
    """
    predicted: NDArray[np.intp] = np.argmax(probabilities, axis=1)
    return predicted


def scores(
    names: Iterable[str],
    labels: NDArray[np.int32],
    probabilities: NDArray[np.float32],
    classes: int,
) -> dict[str, float]:
    """The score of every named scorer, in the order of the names; greater is better.

    `labels` (rows,): classes from 0; `probabilities` (rows, classes): two columns for two classes. Accuracy alone
    is worked out here, since importing scikit-learn takes a second.

    A diverged training is not scored here: probabilities that are not finite have no most likely class, so that
    "accuracy" would mean nothing, and scikit-learn's scorers raise.
    Raises `ValueError`, as scikit-learn does, for an unknown name and for a scorer that these labels cannot define.
    """
    return {name: _score(name, labels, probabilities, classes) for name in names}


def warm_up(names: Iterable[str]) -> None:
    """Import what the named scorers need, if anything."""
    if set(names) - {"accuracy"}:
        importlib.import_module("sklearn.metrics")


def _score(name: str, labels: NDArray[np.int32], probabilities: NDArray[np.float32], classes: int) -> float:
    if name == "accuracy":
        return float(np.mean(predicted_classes(probabilities) == labels))
    return float(_scorer(name, classes)(_stand_in(classes), probabilities, labels))


@functools.cache
def _scorer(name: str, classes: int) -> Any:
    """scikit-learn's scorer. One that must know all labels gets them, not only those that have rows."""
    from sklearn import metrics

    known = SCORERS.get(name)
    if known is None or known.metric is None:
        return metrics.get_scorer(name)
    return metrics.make_scorer(
        getattr(metrics, known.metric),
        response_method="predict_proba",
        greater_is_better=not name.startswith("neg_"),
        labels=np.arange(classes),
    )


@functools.cache
def _stand_in(classes: int) -> Any:
    """A fitted classifier whose rows are their own probabilities."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class StandIn(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def __init__(self) -> None:
            self.classes_ = np.arange(classes)

        def predict_proba(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
            return rows

        def predict(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
            return predicted_classes(rows)

    return StandIn()
