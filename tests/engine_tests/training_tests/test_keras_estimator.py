"""The estimator is a scikit-learn classifier whose scores are those of the trainer on the same rows."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import SpecError
from engine.spec.catalogue import DEFAULT_OPTIMIZER, HYPERPARAMETERS
from engine.training.randomness import training_seed
from engine.training.requests import training_request
from engine.training.scoring import scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.data.rows import Rows
    from engine.training.classifier import FoldwatchClassifier

pytestmark = pytest.mark.keras


def classifier(**parameters: Any) -> FoldwatchClassifier:
    from engine.training.classifier import FoldwatchClassifier

    return FoldwatchClassifier(**parameters)


def direct_scores(
    names: list[str], params: dict[str, Any], seed: int, training: Rows, validation: Rows
) -> dict[str, float]:
    from engine.training.keras.trainer import KerasTrainer

    request = training_request(
        params,
        row_count=len(training),
        width=training.width,
        classes=training.classes,
        seed=training_seed(seed, training),
    )
    *_, last = KerasTrainer().train(request, training, validation)
    return scores(names, validation.labels, last.probabilities, training.classes)


def test_scikit_learn_sees_a_classifier() -> None:
    from sklearn.base import is_classifier
    from sklearn.utils import get_tags

    assert is_classifier(classifier())
    assert get_tags(classifier()).input_tags.sparse


def test_defaults_are_those_of_a_search() -> None:
    parameters = classifier().get_params()
    assert {name: parameters[name] for name in HYPERPARAMETERS} == {
        name: default for name, (_, default) in HYPERPARAMETERS.items()
    }
    assert parameters["optimizer"] == DEFAULT_OPTIMIZER
    assert set(parameters) - set(HYPERPARAMETERS) == {"optimizer", "learning_rate", "seed", "classes"}


def test_clones_and_takes_parameters() -> None:
    from sklearn.base import clone

    estimator = classifier(
        hidden_units=(8, 4),
        optimizer="sgd",
        optimizer__momentum=0.9,
        learning_rate="ExponentialDecay",
        learning_rate__decay_rate=0.9,
    )
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()
    assert copy.get_params()["learning_rate__decay_rate"] == 0.9
    copy.set_params(optimizer__nesterov=True, learning_rate__decay_rate=0.5, epochs=3)
    changed = clone(copy).get_params()
    assert (changed["optimizer__nesterov"], changed["learning_rate__decay_rate"], changed["epochs"]) == (True, 0.5, 3)
    assert "optimizer__nesterov" not in estimator.get_params()
    assert "optimizer__momentum=0.9" in repr(estimator)
    with pytest.raises(TypeError, match="'hidden_unit'"):
        classifier(hidden_unit=3)
    with pytest.raises(ValueError, match="Invalid parameter hidden_unit"):
        copy.set_params(hidden_unit=3)
    assert not hasattr(estimator, "partial_fit")
    assert not hasattr(estimator, "initialize")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.slow
def test_grid_search_finds_the_scores_of_the_trainer(make_rows: Callable[..., Rows], classes: int) -> None:
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    rows = make_rows(120, classes)
    grid = [
        {"epochs": [2], "batch_size": [16], "hidden_units": [8], "optimizer": ["adam"], "dropout": [0.0, 0.3]},
        {
            "epochs": [2],
            "batch_size": [32],
            "hidden_units": [(8, 4)],
            "optimizer": ["sgd"],
            "optimizer__momentum": [0.8],
            "learning_rate": ["ExponentialDecay"],
            "learning_rate__initial_learning_rate": [0.5],
            "learning_rate__decay_epochs": [1],
            "learning_rate__decay_rate": [0.9],
        },
    ]
    names = ["accuracy", "neg_log_loss"]
    splitter = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(
        classifier(seed=4, classes=classes), grid, cv=splitter, scoring=names, refit="accuracy", error_score="raise"
    )
    search.fit(rows.to_scipy(), rows.labels)
    folds = list(splitter.split(rows.labels, rows.labels))
    for index, params in enumerate(search.cv_results_["params"]):
        for fold, (training, validation) in enumerate(folds):
            direct = direct_scores(names, params, 4, rows.take(training), rows.take(validation))
            for name in names:
                assert search.cv_results_[f"split{fold}_test_{name}"][index] == direct[name]
    assert search.best_estimator_.predict_proba(rows.to_scipy()[:5]).shape == (5, classes)


def test_fits_dense_rows_and_survives_a_pickle(make_rows: Callable[..., Rows]) -> None:
    rows = make_rows(80, 3)
    estimator = classifier(epochs=3, hidden_units=8, classes=4).fit(rows.to_scipy(), rows.labels)
    dense = classifier(epochs=3, hidden_units=8, classes=4).fit(rows.dense(), rows.labels.tolist())
    predicted = estimator.predict_proba(rows.to_scipy())
    np.testing.assert_array_equal(dense.predict_proba(rows.dense()), predicted)
    assert predicted.shape == (80, 4)
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2, 3])
    np.testing.assert_array_equal(estimator.predict(rows.to_scipy()), predicted.argmax(axis=1))
    accuracy = np.mean(predicted.argmax(axis=1) == rows.labels)
    assert estimator.score(rows.to_scipy(), rows.labels) == pytest.approx(accuracy)
    assert len(estimator.history_["loss"]) == 3
    np.testing.assert_array_equal(
        estimator.model_.predict(rows.dense(), verbose=0).argmax(axis=1), predicted.argmax(axis=1)
    )
    again = pickle.loads(pickle.dumps(estimator))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(rows.to_scipy()), predicted)
    assert again.get_params() == estimator.get_params()


def test_refuses_rows_and_labels_that_mean_nothing(make_rows: Callable[..., Rows]) -> None:
    from sklearn.exceptions import NotFittedError

    rows = make_rows(40, 3)
    matrix = rows.to_scipy()
    estimator = classifier(epochs=1, hidden_units=4)
    with pytest.raises(NotFittedError):
        estimator.predict(matrix)
    with pytest.raises(ValueError, match="zeros and ones"):
        estimator.fit(matrix * 2, rows.labels)
    with pytest.raises(ValueError, match="whole numbers"):
        estimator.fit(matrix, rows.labels + 0.5)
    with pytest.raises(ValueError, match="whole numbers"):
        estimator.fit(matrix, np.eye(3, dtype=int)[rows.labels])
    with pytest.raises(ValueError, match="classes from 0 to 1; got 0 to 2"):
        classifier(classes=2).fit(matrix, rows.labels)
    for wrong, said in (({"epochs": 0}, "epochs"), ({"optimizer": "foo"}, "optimizer"), ({"dropout": 1.0}, "dropout")):
        with pytest.raises(SpecError, match=rf"parameters\.{said}\[0\]: .* is not accepted; accepted: "):
            classifier(**wrong).fit(matrix, rows.labels)
    classifier(epochs=np.int64(1), dropout=np.float64(0.5)).fit(matrix, rows.labels)
    with pytest.raises(ValueError, match="40 rows have 39 labels"):
        estimator.fit(matrix, rows.labels[:-1])
    estimator.fit(matrix, rows.labels)
    with pytest.raises(ValueError, match="59 features, but FoldwatchClassifier is expecting 60"):
        estimator.predict(matrix[:, :-1])


def test_divergence_is_an_error_that_scikit_learn_ranks_last(make_rows: Callable[..., Rows]) -> None:
    rows = make_rows(40, 3)
    with pytest.raises(FloatingPointError, match="diverged: the loss of epoch"):
        classifier(epochs=5, optimizer="sgd", learning_rate=1e20).fit(rows.to_scipy(), rows.labels)
