"""A Keras model of the user's own function: built by scikeras' contract, compiled, and used to predict."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from engine.errors import TrainingRefusedError
from engine.training.keras.batches import release_custom_gradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import FunctionCall, NetworkDescription

_BLOCK_ENTRIES = 2**22  # of a dense block in an evaluation: 16 MiB of float32
_TOLERANCE = 1e-3  # of a sum of probabilities


def build_model(call: FunctionCall, network: NetworkDescription, optimizer: Any, *, seed: int) -> Any:
    """Call the function under a seed; its model, compiled and with all its variables made.

    `optimizer`: what an uncompiled model is compiled with, and what the function finds in `compile_kwargs`.

    Raises TrainingRefusedError for what is no model of these rows and classes, and what the function raises.
    """
    # Layers get the names that they have in a fresh process, and their seeds come from this one alone.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed % 2**32)
    loss = "binary_crossentropy" if network.classes == 2 else "categorical_crossentropy"
    given = {
        "meta": _meta(call, network),
        "compile_kwargs": {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]},
    }
    named = inspect.signature(call.function).parameters
    asked = {name: value for name, value in given.items() if name in named}
    model = call.function(**call.arguments, **asked)
    if not isinstance(model, keras.Model):
        message = f"{call.name}: returned {type(model).__name__} where a keras.Model is needed"
        raise TrainingRefusedError(message)
    # A subclassed model has no variables before it has seen a row.
    shape = tuple(model(np.zeros((2, network.width), np.float32), training=False).shape)
    outputs = (1, 2) if network.classes == 2 else (network.classes,)
    if len(shape) != 2 or shape[1] not in outputs:
        message = (
            f"{call.name}: the model gives {shape[1:]} for a row where {network.classes} classes need "
            f"{' or '.join(f'({count},)' for count in outputs)}"
        )
        raise TrainingRefusedError(message)
    if not model.compiled:
        loss = "binary_crossentropy" if shape[1] == 1 else "categorical_crossentropy"
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile=False)
    if call.optimizer_named and not has_optimizer(model, optimizer):
        message = (
            f"{call.name}: compiles its model with an optimizer of its own, so optimizer and learning_rate in the "
            "space would do nothing; return the model uncompiled, or compile it with compile_kwargs, or take them out "
            "of the space"
        )
        raise TrainingRefusedError(message)
    model.optimizer.build(model.trainable_variables)
    return model


def has_optimizer(model: Any, optimizer: Any) -> bool:
    """Whether a model was compiled with this optimizer, and with none of its own."""
    own = model.optimizer
    return getattr(own, "inner_optimizer", own) is optimizer


def outputs_of(model: Any, width: int) -> int:
    """How many numbers a model gives for a row of so many columns."""
    return int(model(np.zeros((1, width), np.float32), training=False).shape[-1])


def targets(labels: NDArray[np.int32], model: Any, outputs: int, classes: int) -> NDArray[Any]:
    """Labels (rows,) as a model's loss takes them.

    (rows, 1) float32 for one output; numbers (rows,) for a loss that is called sparse; else one-hot (rows, classes).
    """
    if outputs == 1:
        return labels.astype(np.float32)[:, np.newaxis]
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    if str(name).lower().startswith("sparse"):
        return labels
    one_hot: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[labels]
    return one_hot


def check_probabilities(call: FunctionCall, model: Any, width: int) -> None:
    """Raise TrainingRefusedError unless a model's outputs can be probabilities: of one class, or of all."""
    rows = np.random.default_rng(0).integers(0, 2, (16, width)).astype(np.float32)
    outputs = np.asarray(model(rows, training=False))
    sums = outputs.sum(axis=1)
    are_shares = outputs.min() >= 0 and outputs.max() <= 1 + _TOLERANCE
    if not are_shares or (outputs.shape[1] > 1 and np.abs(sums - 1).max() > _TOLERANCE):
        what = "sigmoid" if outputs.shape[1] == 1 else "softmax"
        message = f"{call.name}: the model's outputs are no probabilities; end it with {what}"
        raise TrainingRefusedError(message)


class ModelEvaluation:
    """Predicts with a compiled model and measures its loss; the same rows in the same order give the same bits."""

    def __init__(self, model: Any, classes: int) -> None:
        self._model, self._classes = model, classes
        self._outputs: int | None = None
        # Traced when it is first used, once for each of the two lengths that blocks of some rows have.
        self._evaluate = tf.function(self._block_outputs, autograph=False, reduce_retracing=True)

    def _block_outputs(self, dense: Any, expected: Any) -> tuple[Any, Any]:
        outputs = self._model(dense, training=False)
        loss = self._model.compute_loss(x=dense, y=expected, y_pred=outputs, training=False)
        release_custom_gradients()
        return outputs, loss

    def __call__(self, rows: Rows) -> tuple[NDArray[np.float32], float]:
        """Probabilities (rows, classes) float32, two columns for two classes, and the mean loss with penalties.

        Without rows the loss is NaN.
        """
        probabilities = np.empty((len(rows), self._classes), np.float32)
        block, total = max(1, _BLOCK_ENTRIES // rows.width), 0.0
        for start in range(0, len(rows), block):
            taken = rows.take(np.arange(start, min(start + block, len(rows))))
            dense = taken.dense()
            if self._outputs is None:
                self._outputs = outputs_of(self._model, rows.width)
            expected = targets(taken.labels, self._model, self._outputs, self._classes)
            predicted, loss = self._evaluate(tf.constant(dense), tf.constant(expected))
            numbers = np.asarray(predicted, np.float32)
            if numbers.shape[1] < self._classes:
                numbers = np.concatenate([1 - numbers, numbers], axis=1)
            probabilities[start : start + len(taken)] = numbers
            total += float(loss) * len(taken)
        return probabilities, total / len(rows) if len(rows) else float("nan")


def _meta(call: FunctionCall, network: NetworkDescription) -> dict[str, Any]:
    """What scikeras tells a function about the data, under its names."""
    return {
        "n_features_in_": network.width,
        "X_shape_": (call.rows, network.width),
        "X_dtype_": np.dtype(np.float32),
        "y_ndim_": 1,
        "y_dtype_": np.dtype(np.int32),
        "classes_": np.arange(network.classes),
        "n_classes_": network.classes,
        "n_outputs_": 1,
        "n_outputs_expected_": 1,
        "target_type_": "binary" if network.classes == 2 else "multiclass",
    }
