"""The kernel's dropout masks in TensorFlow, so that both trainers drop the same outputs.

`kernel.dropout` explains how a mask follows from a seed, a step and a place. Keys are made here, outside of the graph,
two 32-bit halves for each step and layer; in the graph, 32-bit products are the low halves of 64-bit ones, which CPUs
and GPUs compute alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from engine.training.randomness import dropout_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOW = 0xFFFFFFFF


def mask_keys(layers: int, seed: int, first_step: int, steps: int) -> NDArray[np.int64]:
    """Shape (steps, layers, 2): low and high half of each key; steps count from 0 over the whole training."""
    numbers = np.arange(first_step + 1, first_step + steps + 1, dtype=np.uint64)[:, np.newaxis]
    seeds = np.array([dropout_seed(layer, seed) for layer in range(layers)], np.uint64)
    key = seeds + np.uint64(0x9E3779B97F4A7C15) * numbers
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key = key ^ (key >> np.uint64(31))
    return np.stack([key & np.uint64(_LOW), key >> np.uint64(32)], axis=-1).astype(np.int64)


def mask(key: Any, rows: Any, units: int, rate: float) -> Any:
    """A float32 tensor (rows, units) of 0 and 1 / (1 - rate), to be multiplied with a layer's outputs."""
    places = tf.range(tf.cast(rows, tf.int64) * units)
    mixed = _mixed(tf.bitwise.bitwise_xor(_mixed(tf.bitwise.bitwise_xor(places, key[0])), key[1]))
    kept = mixed >= int(min(rate * 4294967296.0, 4294967295.0))
    return tf.reshape(tf.where(kept, np.float32(1.0 / (1.0 - rate)), np.float32(0)), (rows, units))


def _mixed(x: Any) -> Any:
    x = _shifted(x, 16)
    x = tf.bitwise.bitwise_and(x * 0x7FEB352D, _LOW)
    x = _shifted(x, 15)
    x = tf.bitwise.bitwise_and(x * 0x846CA68B, _LOW)
    return _shifted(x, 16)


def _shifted(x: Any, bits: int) -> Any:
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(bits, tf.int64)))
