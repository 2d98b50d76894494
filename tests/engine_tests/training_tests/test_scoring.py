"""Scores mean what scikit-learn's scorers of the same names mean."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from engine.spec.catalogue import SCORERS
from engine.training.scoring import predicted_classes, scores


def probabilities(rows: int, classes: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    drawn = np.random.default_rng(seed).dirichlet(np.ones(classes), rows).astype(np.float32)
    if classes == 2:
        drawn[:, 0] = 1 - drawn[:, 1]
    return drawn


# With two classes top_k_accuracy is always right, k being 2, and scikit-learn warns of it.
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        *((name, 2) for name in SCORERS if name != "top_k_accuracy"),
        *((name, 5) for name, scorer in SCORERS.items() if not scorer.two_classes_only),
    ],
)
def test_every_scorer_of_the_catalogue_means_what_scikit_learn_means(name: str, classes: int) -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.metrics import get_scorer

    predicted = probabilities(80, classes)
    labels = np.random.default_rng(1).integers(0, classes, 80).astype(np.int32)

    class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.arange(classes)

        def predict_proba(self, rows: Any) -> Any:
            return predicted[rows[:, 0]]

        def predict(self, rows: Any) -> Any:
            return self.classes_[predicted[rows[:, 0]].argmax(axis=1)]

    expected = get_scorer(name)(Classifier(), np.arange(80)[:, np.newaxis], labels)
    assert scores([name], labels, predicted, classes) == {name: pytest.approx(expected, abs=0)}


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("neg_log_loss", "log_loss"),
        ("neg_brier_score", "brier_score_loss"),
        ("d2_log_loss_score", "d2_log_loss_score"),
        ("d2_brier_score", "d2_brier_score"),
        ("top_k_accuracy", "top_k_accuracy_score"),
    ],
)
def test_a_class_without_rows_counts_among_all_labels(name: str, metric: str) -> None:
    from sklearn import metrics

    predicted = probabilities(60, 5)
    labels = np.random.default_rng(2).integers(0, 4, 60).astype(np.int32)  # none of class 4
    expected = getattr(metrics, metric)(labels, predicted, labels=np.arange(5))
    assert scores([name], labels, predicted, 5)[name] == (-expected if name.startswith("neg_") else expected)


def test_keeps_the_order_of_the_names() -> None:
    labels = np.array([0, 1, 2, 1], np.int32)
    named = ["f1_macro", "accuracy", "neg_log_loss"]
    assert list(scores(named, labels, probabilities(4, 3), 3)) == named


def test_two_classes_follow_keras_threshold_around_one_half() -> None:
    half = np.float32(0.5)
    near = [half]
    for _ in range(200):
        near = [np.nextafter(near[0], np.float32(0)), *near, np.nextafter(near[-1], np.float32(1))]
    one = np.concatenate([np.array(near, np.float32), np.linspace(0, 1, 10_001, dtype=np.float32)])
    np.testing.assert_array_equal(predicted_classes(np.stack([1 - one, one], axis=1)), one > 0.5)


def test_refuses_what_scikit_learn_refuses() -> None:
    labels = np.array([0, 1, 0, 1], np.int32)
    with pytest.raises(ValueError, match="not a valid scoring value"):
        scores(["exactness"], labels, probabilities(4, 3), 3)
    with pytest.raises(ValueError, match="classes"):
        scores(["roc_auc_ovr"], labels, probabilities(4, 3), 3)
    predicted = probabilities(4, 2)
    predicted[1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        scores(["neg_log_loss"], labels, predicted, 2)


def test_accuracy_needs_no_scikit_learn() -> None:
    import subprocess

    program = (
        "import sys, numpy as np\n"
        "from engine.training.scoring import scores\n"
        "print(scores(['accuracy'], np.array([0, 1]), np.eye(2, dtype=np.float32), 2), 'sklearn' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "{'accuracy': 1.0} False"
