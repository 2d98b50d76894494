"""The one source of chance in a training: initial weights, batch order and dropout seeds, all drawn in NumPy.

Both trainers draw from here, so they start from the same weights and see the same batches. Each purpose has a
stream of its own (`numpy.random.SeedSequence` with a spawn key), so that no draw shifts another.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import NetworkDescription

_WEIGHTS, _BATCHES, _DROPOUT = range(3)


def training_seed(seed: int, training_rows: Rows) -> int:
    """A 63-bit seed made of the search's seed and the training rows with their labels.

    It is the same for every combination, so that comparisons are paired, and it can be computed from the rows
    alone: the estimator inside scikit-learn's own GridSearchCV starts from the same weights.
    """
    digest = hashlib.sha256(f"foldwatch {seed}\n".encode() + training_rows.digest()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _stream(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=purpose)))


def initial_weights(network: NetworkDescription, seed: int) -> list[NDArray[np.float32]]:
    """Kernel (inputs, units) and bias (units,) of every dense layer, first to last, float32.

    Keras' defaults for Dense: kernels Glorot uniform, U(-a, a) with a = sqrt(6 / (inputs + units)) (Glorot and
    Bengio 2010), biases zero.
    """
    weights: list[NDArray[np.float32]] = []
    for layer, (inputs, units) in enumerate(network.layer_shapes):
        kernel = _stream(seed, _WEIGHTS, layer).random((inputs, units), np.float32)
        limit = np.float32(math.sqrt(6.0 / (inputs + units)))
        kernel *= 2 * limit
        kernel -= limit
        weights += [kernel, np.zeros(units, np.float32)]
    return weights


def batch_order(rows: int, epoch: int, seed: int) -> NDArray[np.int64]:
    """The order in which an epoch (counted from 1) visits the rows, shape (rows,): batches are its slices."""
    return _stream(seed, _BATCHES, epoch).permutation(rows)


def dropout_seed(layer: int, seed: int) -> int:
    """A 31-bit seed for the dropout after hidden layer `layer` (counted from 0)."""
    return int(_stream(seed, _DROPOUT, layer).integers(2**31 - 1))
