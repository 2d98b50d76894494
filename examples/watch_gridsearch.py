"""The course's exercise as a script of its own: Reuters as multi-hot vectors, scikeras, a grid search, a saved model.

    python examples/watch_gridsearch.py                  # in another terminal: foldwatch attach reuters-grid
    python examples/watch_gridsearch.py --small          # a minute: fewer rows, words and combinations

Kill it and run it again: fits that are scored are not run again.
"""

from __future__ import annotations

import argparse
from typing import Any

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier
from sklearn.model_selection import GridSearchCV

from engine import watch


def newswires(path: str | None, words: int) -> Any:
    """Lists of word numbers and their topics: of Keras' cache, or of a `reuters.npz` elsewhere."""
    if path is None:
        (rows, labels), _ = keras.datasets.reuters.load_data(num_words=words)
        return rows, labels
    with np.load(path, allow_pickle=True) as archive:
        rows, labels = archive["x"], archive["y"]
    order = np.random.RandomState(113).permutation(len(rows))[: int(0.8 * len(rows))]  # Keras' training part
    return [[1, *(word + 3 if word + 3 < words else 2 for word in rows[row])] for row in order], labels[order]


def vectorize_sequences(sequences: Any, dimension: int) -> Any:
    """A row for each sequence of word numbers: 1 where the word occurs."""
    vectors = np.zeros((len(sequences), dimension), dtype="float32")
    for row, sequence in enumerate(sequences):
        vectors[row, list(sequence)] = 1.0
    return vectors


def build(meta: dict[str, Any], units: int, decay_rate: float, steps: int) -> keras.Model:
    """Two hidden layers, SGD with momentum, a learning rate that decays with every epoch."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.3, decay_steps=steps, decay_rate=decay_rate)
    model = keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Search, then save the best model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute instead of an hour")
    parser.add_argument("--name", default="reuters-grid", help="of the session")
    parser.add_argument("--data", help="reuters.npz, if it is not in Keras' cache")
    parser.add_argument("--to", default="best.keras", help="where to save the best model")
    options = parser.parse_args()

    words, most = (1_000, 1_500) if options.small else (10_000, None)
    rows, labels = newswires(options.data, words)
    X, y = vectorize_sequences(rows[:most], words), labels[:most]
    batch_size = 128
    grid = {
        "epochs": [2, 4] if options.small else [5, 10, 20],
        "model__units": [16, 32] if options.small else [64, 128],
        "model__decay_rate": [0.8, 0.96],
    }
    classifier = KerasClassifier(
        build, batch_size=batch_size, loss="categorical_crossentropy", random_state=0, verbose=0,
        model__steps=-(-len(X) * 2 // 3 // batch_size),
    )  # fmt: skip

    with watch(options.name):
        search = GridSearchCV(classifier, grid, cv=3).fit(X, y)

    print(f"best: {search.best_score_:.4f} with {search.best_params_}")
    search.best_estimator_.model_.save(options.to)
    print(f"saved: {options.to}")


if __name__ == "__main__":
    main()
