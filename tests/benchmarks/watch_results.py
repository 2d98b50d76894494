"""Whether `watch` changes a result: ten searches of scikit-learn in our workers, against joblib's loky.

python -m tests.benchmarks.watch_results

Both have two workers with as many threads. Everything that a search returns is compared to the last bit, but times.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine import watch
from tests.benchmarks.measuring import report

if TYPE_CHECKING:
    from collections.abc import Callable

X, y = load_iris(return_X_y=True)
ROWS, TARGETS = load_diabetes(return_X_y=True)
GRID = {"C": [0.01, 0.1, 1.0, 10.0]}
FOREST = RandomForestClassifier(20, random_state=0)
LINEAR = LogisticRegression(max_iter=300)


def _scores(model: Any, rows: Any, labels: Any) -> dict[str, float]:
    return {"right": float(model.score(rows, labels)), "least sure": float(model.predict_proba(rows).max(axis=1).min())}


def _network(meta: dict[str, Any], units: int) -> Any:
    import keras

    layers = [
        keras.Input((meta["n_features_in_"],)),
        keras.layers.Dense(units, "relu"),
        keras.layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def _keras_grid() -> dict[str, Any]:
    from scikeras.wrappers import KerasClassifier

    classifier = KerasClassifier(_network, random_state=0, epochs=3, verbose=0, units=4)
    results: dict[str, Any] = GridSearchCV(classifier, {"units": [4, 8]}, cv=3, refit=False).fit(X, y).cv_results_
    return results


SEARCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "grid": lambda: GridSearchCV(LINEAR, GRID, cv=5, return_train_score=True).fit(X, y).cv_results_,
    "several metrics": lambda: (
        GridSearchCV(LINEAR, GRID, scoring=["accuracy", "f1_macro", "neg_log_loss"], refit="f1_macro")
        .fit(X, y)
        .cv_results_
    ),
    "a function of scores": lambda: GridSearchCV(LINEAR, GRID, scoring=_scores, refit="right").fit(X, y).cv_results_,
    "random": lambda: (
        RandomizedSearchCV(FOREST, {"max_depth": range(1, 9)}, n_iter=5, random_state=0).fit(X, y).cv_results_
    ),
    "halving": lambda: HalvingGridSearchCV(LINEAR, GRID, random_state=0, factor=2).fit(X, y).cv_results_,
    "random halving": lambda: (
        HalvingRandomSearchCV(FOREST, {"max_depth": range(1, 9)}, random_state=0, factor=2).fit(X, y).cv_results_
    ),
    "cross-validation": lambda: cross_validate(FOREST, X, y, cv=5, return_train_score=True),
    "learning curve": lambda: {
        str(place): part
        for place, part in enumerate(learning_curve(Ridge(), ROWS, TARGETS, train_sizes=[0.3, 0.6, 1.0]))
    },
    "groups, pipeline, regressor": lambda: (
        GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0, 10.0]}, cv=GroupKFold(4))
        .fit(ROWS, TARGETS, groups=np.arange(len(ROWS)) % 7)
        .cv_results_
    ),
    "Keras": _keras_grid,
}


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Names of results, but for times, that are not the same."""
    if ours.keys() != theirs.keys():
        return sorted(ours.keys() ^ theirs.keys())
    kept = [name for name in theirs if "_time" not in name]
    return [name for name in kept if not _is_same(np.asarray(ours[name]), np.asarray(theirs[name]))]


def _is_same(one: Any, other: Any) -> bool:
    try:
        np.testing.assert_array_equal(one, other)
    except AssertionError:
        return False
    return True


def main() -> None:
    """Run each search both ways, and compare."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, search) in enumerate(SEARCHES.items()):
            with watch(f"search-{number}", sessions=Path(folder) / "sessions", workers=2):
                ours = search()
            with joblib.parallel_config("loky", n_jobs=2):
                theirs = search()
            different = _differing(ours, theirs)
            rows.append((name, len(theirs), ", ".join(different) or "none"))
    report("results in our workers, against loky", ("search", "results", "differ"), rows, {})


if __name__ == "__main__":
    main()
