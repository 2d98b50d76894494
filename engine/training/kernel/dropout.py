"""Dropout masks from a counter: an entry depends on the seed, the step and its place, and on no entry before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.kernel.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def fill_mask(mask: NDArray[Any], rate: float, seed: int, step: int) -> None:
    """Each entry 0 with probability `rate`, else 1 / (1 - rate): what a unit's output is multiplied by.

    Entry i is decided by i mixed with a key made of seed and step (Wellons' 32-bit finaliser `lowbias32`, applied
    twice; the key is SplitMix64's output).
    """
    key = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(step + 1)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key = key ^ (key >> np.uint64(31))
    low, high = np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))
    kept = mask.dtype.type(1.0 / (1.0 - rate))
    dropped = mask.dtype.type(0)
    threshold = np.uint32(min(rate * 4294967296.0, 4294967295.0))
    for i in range(len(mask)):
        x = _mixed(_mixed(np.uint32(i) ^ low) ^ high)
        mask[i] = kept if x >= threshold else dropped


@compiled
def _mixed(x: np.uint32) -> np.uint32:
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x * np.uint32(0x7FEB352D))
    x = np.uint32(x ^ (x >> np.uint32(15)))
    x = np.uint32(x * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))
