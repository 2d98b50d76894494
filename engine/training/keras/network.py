"""Network descriptions and optimizer names turned into plain Keras objects, without custom classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from engine.errors import TrainingRefusedError, UsageError
from engine.spec.catalogue import OPTIMIZERS
from engine.training.randomness import dropout_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.training.interface import NetworkDescription


def _refuse_other_settings() -> None:
    """Refuse settings of Keras that give other numbers, or with which it cannot train here."""
    for setting, current, needed, source in (
        ("backend", keras.config.backend(), "tensorflow", "KERAS_BACKEND or keras.json"),
        ("floatx", keras.config.floatx(), "float32", "keras.json"),
        ("dtype policy", keras.config.dtype_policy().name, "float32", "keras.config.set_dtype_policy"),
    ):
        if current != needed:
            message = f"Keras' {setting} is {current}, set by {source}; foldwatch needs {needed}"
            raise TrainingRefusedError(message)


def _let_gpu_memory_grow() -> None:
    """Take GPU memory as it is needed, so that several workers fit on one GPU."""
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            # The GPUs are already in use: this is a user's own script, whose choice stands.
            return


_refuse_other_settings()
_let_gpu_memory_grow()


def build_network(network: NetworkDescription, dtype: str = "float32") -> Any:
    """An uncompiled `keras.Sequential` of this description, with Keras' own random initial weights.

    `dtype`: of its dense layers. Its Dropout layers take effect when a user trains it further: trainers use
    `dropout_masks` instead.
    """
    layers = [keras.Input((network.width,))]
    penalty = keras.regularizers.L2(network.l2) if network.l2 > 0 else None
    for layer, units in enumerate(network.hidden_units):
        layers.append(
            keras.layers.Dense(
                units, network.activation, kernel_regularizer=penalty, name=f"hidden_{layer + 1}", dtype=dtype
            )
        )
        if network.dropout > 0:
            layers.append(
                keras.layers.Dropout(network.dropout, seed=dropout_seed(layer, 0), name=f"dropout_{layer + 1}")
            )
    output = "sigmoid" if network.outputs == 1 else "softmax"
    layers.append(keras.layers.Dense(network.outputs, output, name="output", dtype=dtype))
    return keras.Sequential(layers)


def build_optimizer(name: str, arguments: Mapping[str, float | bool | None], learning_rate: float) -> Any:
    """The Keras optimizer of that lower-case name, with a variable learning rate that starts at `learning_rate`.

    Raises `UsageError` for a name that is not in `catalogue.OPTIMIZERS` and for arguments that Keras does not take.
    """
    if name not in OPTIMIZERS:
        message = f"optimizer: {name!r} is not accepted; accepted: {', '.join(OPTIMIZERS)}"
        raise UsageError(message)
    try:
        optimizer = getattr(keras.optimizers, OPTIMIZERS[name].class_name)
        return optimizer(learning_rate=float(learning_rate), **arguments)
    except (TypeError, ValueError) as error:
        message = f"optimizer {name}: Keras does not accept {dict(arguments)!r}: {error}"
        raise UsageError(message) from error


def compile_network(model: Any, network: NetworkDescription, optimizer: Any) -> None:
    """Compile `model` in place: cross-entropy for its output, accuracy, and the optimizer with its state built.

    The model needs labels in the form of `batches.targets`: (rows, 1) zeros and ones for two classes, else one-hot
    (rows, classes).
    """
    loss = "binary_crossentropy" if network.outputs == 1 else "categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
