"""Rows as input of a Keras model: one dense batch at a time, which TensorFlow builds from the columns of ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from engine.training.keras.network import build_network, build_optimizer, compile_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import NetworkDescription

_BLOCK_ENTRIES = 2**22  # of a dense block in an evaluation: 16 MiB of float32


def coordinates(rows: Rows, batch_size: int) -> NDArray[np.int32]:
    """Row within its batch and column of every one, shape (ones, 2), batches being `batch_size` rows in order."""
    row_in_batch = np.arange(len(rows), dtype=np.int32) % batch_size
    positions = np.empty((len(rows.indices), 2), np.int32)
    positions[:, 0] = np.repeat(row_in_batch, np.diff(rows.indptr))
    positions[:, 1] = rows.indices
    return positions


def dense_batch(positions: Any, rows: Any, width: int) -> Any:
    """A float32 tensor (rows, width) with ones at `positions` (ones, 2); in a graph or not."""
    ones = tf.ones(tf.shape(positions)[:1])
    return tf.ensure_shape(tf.scatter_nd(positions, ones, tf.stack([rows, width])), (None, width))


def targets(labels: Any, network: NetworkDescription) -> Any:
    """Labels (rows,) in the loss's form, float32: (rows, 1) for two classes, else one-hot (rows, classes)."""
    if network.outputs == 1:
        return tf.cast(labels, tf.float32)[:, tf.newaxis]
    return tf.one_hot(labels, network.classes)


def release_custom_gradients() -> None:
    """Let TensorFlow free the graph that is being traced when it is no longer used; call it at the end of tracing.

    TensorFlow registers every custom gradient for ever (Keras' optimizers and SiLU have some), and with it the graph
    that holds it and the memory of all its variables: 13 MB for each network of 64-64 units on 10,000 words.
    """
    for operation in tf.compat.v1.get_default_graph().get_operations():
        if operation.type == "IdentityN" and "_gradient_op_type" in operation.node_def.attr:
            name = operation.node_def.attr["_gradient_op_type"].s.decode()
            gradient_registry._registry.pop(name, None)


class Evaluation:
    """Predicts with a compiled model and measures its loss, traced once for rows in any number.

    The same rows in the same order always give the same bits: the blocks, and with them the order of every sum, depend
    on the width alone.
    """

    def __init__(self, model: Any, network: NetworkDescription) -> None:
        self._model, self._network = model, network
        self._block = max(1, _BLOCK_ENTRIES // network.width)
        self._evaluate_block = tf.function(self._block_outputs, autograph=False).get_concrete_function(
            tf.TensorSpec((None, 2), tf.int32), tf.TensorSpec((None,), tf.int32)
        )

    def _block_outputs(self, positions: Any, labels: Any) -> tuple[Any, Any]:
        dense = dense_batch(positions, tf.shape(labels)[0], self._network.width)
        outputs = self._model(dense, training=False)
        expected = targets(labels, self._network)
        loss = self._model.compute_loss(x=dense, y=expected, y_pred=outputs, training=False)
        release_custom_gradients()
        return outputs, loss

    def __call__(self, rows: Rows) -> tuple[NDArray[np.float32], float]:
        """Probabilities (rows, classes) float32, two columns for two classes, and the mean loss with penalties.

        Without rows the loss is NaN.
        """
        positions = coordinates(rows, self._block)
        outputs = np.empty((len(rows), self._network.outputs), np.float32)
        total = 0.0
        for start in range(0, len(rows), self._block):
            stop = min(start + self._block, len(rows))
            ones = slice(rows.indptr[start], rows.indptr[stop])
            block, loss = self._evaluate_block(tf.constant(positions[ones]), tf.constant(rows.labels[start:stop]))
            outputs[start:stop] = block
            total += float(loss) * (stop - start)
        if self._network.outputs == 1:
            outputs = np.concatenate([1 - outputs, outputs], axis=1)
        return outputs, total / len(rows) if len(rows) else float("nan")


def trained_model(network: NetworkDescription, weights: Sequence[NDArray[np.float32]], optimizer: Any = None) -> Any:
    """A compiled Keras model that holds the given weights, in the order of `Epoch.weights`.

    `optimizer`: a Keras optimizer to compile with, with its state new; SGD if none is given.
    """
    model = build_network(network)
    compile_network(model, network, optimizer or build_optimizer("sgd", {}, 0.01))
    model.set_weights(weights)
    return model


def predict_exactly(
    network: NetworkDescription, weights: Sequence[NDArray[np.float32]], rows: Rows
) -> NDArray[np.float64]:
    """Probabilities (rows, classes) that Keras predicts with the given weights when it calculates in float64."""
    model = build_network(network, dtype="float64")
    model.set_weights(weights)
    block = max(1, _BLOCK_ENTRIES // network.width)
    positions = coordinates(rows, block)
    outputs = np.empty((len(rows), network.outputs))
    for start in range(0, len(rows), block):
        stop = min(start + block, len(rows))
        ones = slice(rows.indptr[start], rows.indptr[stop])
        dense = dense_batch(tf.constant(positions[ones]), stop - start, network.width)
        outputs[start:stop] = model(tf.cast(dense, tf.float64), training=False)
    return np.concatenate([1 - outputs, outputs], axis=1) if network.outputs == 1 else outputs


def predict(network: NetworkDescription, weights: Sequence[NDArray[np.float32]], rows: Rows) -> NDArray[np.float32]:
    """Probabilities (rows, classes) that Keras predicts with the given weights; two columns for two classes."""
    return Evaluation(trained_model(network, weights), network)(rows)[0]
