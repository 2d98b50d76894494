"""What users run today, one search from start to end: prints a line of JSON with its best score.

python -m tests.benchmarks.peer gridsearchcv --grid reference --data reuters [--data-dir D] [--jobs 2]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tests.benchmarks.grids import PARAMETER_GRIDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 3


def build(
    meta: dict[str, int],
    units: int = 64,
    optimizer: str = "rmsprop",
    learning_rate: float = 0.001,
    decay_rate: float | None = None,
    momentum: float = 0.0,
    steps_per_epoch: int = 1,
) -> Any:
    """The two-layer network that all searches train."""
    import keras

    keras.utils.set_random_seed(0)
    classes = meta["n_classes_"]
    rate: Any = learning_rate
    if decay_rate is not None:
        rate = keras.optimizers.schedules.ExponentialDecay(learning_rate, steps_per_epoch, decay_rate)
    optimizers = {
        "rmsprop": lambda: keras.optimizers.RMSprop(rate),
        "adam": lambda: keras.optimizers.Adam(rate),
        "sgd": lambda: keras.optimizers.SGD(rate, momentum=momentum),
    }
    binary = classes == 2
    model = keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(1 if binary else classes, activation="sigmoid" if binary else "softmax"),
        ]
    )
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(optimizers[optimizer](), loss, metrics=["accuracy"])
    return model


def grid_search_cv(grid: dict[str, list[Any]], x: NDArray[Any], y: NDArray[Any], steps: int, jobs: int) -> float:
    """scikit-learn's GridSearchCV over scikeras' KerasClassifier."""
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    search = GridSearchCV(
        KerasClassifier(build, verbose=0, model__steps_per_epoch=steps),
        grid,
        cv=StratifiedKFold(FOLDS),
        n_jobs=jobs,
        refit=False,
        error_score="raise",
    )
    search.fit(x, y)
    return float(search.cv_results_["mean_test_score"].max())


def _fold_score(params: dict[str, Any], x: NDArray[Any], y: NDArray[Any], steps: int, split: Any) -> float:
    training, validation = split
    model_params = {name.removeprefix("model__"): value for name, value in params.items() if "__" in name}
    meta = {"n_classes_": int(y.max()) + 1, "n_features_in_": x.shape[1]}
    model = build(meta, **model_params, steps_per_epoch=steps)
    model.fit(x[training], y[training], epochs=params["epochs"], batch_size=params["batch_size"], verbose=0)
    return float(model.evaluate(x[validation], y[validation], verbose=0)[1])


def optuna_grid(grid: dict[str, list[Any]], x: NDArray[Any], y: NDArray[Any], steps: int, jobs: int) -> float:
    """Optuna's GridSampler around the same network and folds."""
    import optuna
    from sklearn.model_selection import StratifiedKFold

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    splits = list(StratifiedKFold(FOLDS).split(x, y))

    def objective(trial: Any) -> float:
        params = {name: trial.suggest_categorical(name, values) for name, values in grid.items()}
        return float(np.mean([_fold_score(params, x, y, steps, split) for split in splits]))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GridSampler(grid, seed=0))
    study.optimize(objective, n_trials=len(list(itertools.product(*grid.values()))), n_jobs=1)
    return float(study.best_value)


def keras_tuner_grid(grid: dict[str, list[Any]], x: NDArray[Any], y: NDArray[Any], steps: int, jobs: int) -> float:
    """KerasTuner's GridSearch; it knows no folds, so each trial trains them one after another."""
    import tempfile

    import keras_tuner
    from sklearn.model_selection import StratifiedKFold

    splits = list(StratifiedKFold(FOLDS).split(x, y))

    class CrossValidated(keras_tuner.GridSearch):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **options: Any) -> float:
            params = {name: trial.hyperparameters.Choice(name, values) for name, values in grid.items()}
            return -float(np.mean([_fold_score(params, x, y, steps, split) for split in splits]))

    parameters = keras_tuner.HyperParameters()
    for name, values in grid.items():
        parameters.Choice(name, values)
    with tempfile.TemporaryDirectory() as folder:
        tuner = CrossValidated(hyperparameters=parameters, directory=folder, max_trials=10_000)
        tuner.search()
        return -float(tuner.oracle.get_best_trials(1)[0].score)


PEERS = {"gridsearchcv": grid_search_cv, "optuna": optuna_grid, "keras-tuner": keras_tuner_grid}


def main() -> None:
    """Run one peer's search."""
    from engine import data

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--grid", choices=PARAMETER_GRIDS, default="reference")
    parser.add_argument("--data", default="sample")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--num-words", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    # The rows come from foldwatch's own cache: what the peer would spend on parsing and vectorising is not counted.
    training = data.load(options.data, num_words=options.num_words, data_dir=options.data_dir).training
    rows = training.take(np.arange(len(training)))
    x, y = rows.dense(), rows.labels.astype(np.int64)
    steps = -(-(len(y) * 2 // 3) // 128)
    best = PEERS[options.peer](PARAMETER_GRIDS[options.grid], x, y, steps, options.jobs)
    print(json.dumps({"peer": options.peer, "best": best}))


if __name__ == "__main__":
    main()
