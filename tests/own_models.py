"""Functions that build Keras models, as users write them: the text of files that tests put into folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODELS = """
import keras

import layers_beside


def build(meta, units=8, dropout=0.0, normalised=True):
    classes = meta["n_classes_"]
    model = keras.Sequential([keras.Input((meta["n_features_in_"],)), layers_beside.hidden(units)])
    if normalised:
        model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1 if classes == 2 else classes, "sigmoid" if classes == 2 else "softmax"))
    return model


def compiled(meta, compile_kwargs, units=8):
    model = build(meta, units, 0.2)
    model.compile(**compile_kwargs)
    return model


def own_optimizer(meta, units=8):
    model = build(meta, units)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    model.compile(keras.optimizers.SGD(schedule), "sparse_categorical_crossentropy")
    return model


class Subclassed(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.hidden = keras.layers.Dense(4, "relu")
        self.drop = keras.layers.Dropout(0.3)
        self.out = keras.layers.Dense(classes, "softmax")

    def call(self, inputs):
        return self.out(self.drop(self.hidden(inputs)))


def subclassed(meta):
    return Subclassed(meta["n_classes_"])


def fails(meta, units=8):
    raise RuntimeError("no network today")


def logits(meta):
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(meta["n_classes_"])])


def narrow(meta):
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(3, "softmax")])


def nothing(meta):
    return None


_calls = []


def another(meta):
    _calls.append(1)
    return build(meta, 4 + len(_calls))
"""
BESIDE = """
import keras


def hidden(units):
    return keras.layers.Dense(units, activation="relu")
"""


def write_models(folder: Path) -> Path:
    """The folder, with `models.py` and the file that it imports."""
    (folder / "models.py").write_text(MODELS)
    (folder / "layers_beside.py").write_text(BESIDE)
    return folder
