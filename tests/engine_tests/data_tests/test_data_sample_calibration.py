"""Plain Keras on the sample behaves as it does on Reuters, so that a demonstration shows real differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.data.features.multi_hot import rows_from_ragged
from engine.data.sample import sample_split

pytestmark = [
    pytest.mark.slow,
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def rows() -> Any:
    training, _ = sample_split(10_000)
    return rows_from_ragged(training.sequences, training.labels, 10_000, 46)


def three_fold(rows: Any, units: int, optimizer: str, learning_rate: float, batch_size: int, epochs: int) -> Any:
    """(training, validation) accuracy of a network with two hidden layers after every epoch, mean of three folds."""
    import keras
    from sklearn.model_selection import StratifiedKFold

    features, labels = rows.dense(), rows.labels
    histories = []
    for training, validation in StratifiedKFold(3, shuffle=True, random_state=0).split(labels, labels):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((10_000,)),
                keras.layers.Dense(units, activation="relu"),
                keras.layers.Dense(units, activation="relu"),
                keras.layers.Dense(46, activation="softmax"),
            ]
        )
        chosen = {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}[optimizer](learning_rate)
        model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            features[training],
            labels[training],
            batch_size=batch_size,
            epochs=epochs,
            validation_data=(features[validation], labels[validation]),
            verbose=0,
        ).history
        histories.append((history["accuracy"], history["val_accuracy"]))
    return np.mean(histories, axis=0)


@pytest.mark.parametrize("batch_size", [128, 512])
def test_accuracy_overfitting_and_size(rows: Any, batch_size: int) -> None:
    training, validation = three_fold(rows, 64, "rmsprop", 0.001, batch_size, 20)
    assert 0.75 <= validation[9] <= 0.85
    assert training[19] - validation[19] > 0.1
    small = three_fold(rows, 16, "rmsprop", 0.001, batch_size, 20)[1]
    assert abs(validation[9] - small[9]) >= 0.01
    assert abs(validation[19] - small[19]) >= 0.01


def test_learning_rate_of_sgd(rows: Any) -> None:
    low, high = (three_fold(rows, 64, "sgd", rate, 128, 10)[1][9] for rate in (0.001, 0.5))
    assert abs(high - low) >= 0.05
