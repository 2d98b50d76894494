"""Cross-entropy from logits, as Keras computes it when the last activation is softmax or sigmoid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numba.extending import overload

from engine.training.kernel.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def exponential(x: Any) -> Any:
    """exp(x) for x <= 0, within 2 units in the last place; below -87 it stays at exp(-87). NaN stays NaN."""
    return math.exp(x)


@overload(exponential, inline="always")
def _exponential(x: Any) -> Any:
    # In float32 without a call, so that loops are vectorised: the C library's, one by one, took as long as all
    # products of a small network. float64 serves proofs only.
    return _exponential_single if x == types.float32 else _exponential_double


def _exponential_double(x: Any) -> Any:
    return math.exp(x)


def _exponential_single(x: Any) -> Any:
    """exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2, ln 2 in two parts (Cody and Waite 1980).

    exp(r) by the minimax polynomial of Cephes' `expf`.
    """
    y = np.float32(-87.0) if x < np.float32(-87.0) else x
    n = np.floor(y * np.float32(1.44269504088896341) + np.float32(0.5))
    r = (y - n * np.float32(0.693359375)) - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * (r * r) + r + np.float32(1)
    # 2^n, written into the exponent's bits.
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def softmax_loss(logits: Array, labels: Array, rows: Array, probabilities: Array) -> float:
    """Fill `probabilities` (rows, classes); return sum over rows of log(sum_j exp(z_j)) - z_label.

    Keras finds the logits behind a softmax (`_keras_logits`), so no probability is clipped or logarithm of 0 taken.
    """
    total = 0.0
    for number in range(len(rows)):
        z, p = logits[number], probabilities[number]
        greatest = z[0]
        for j in range(1, len(z)):
            greatest = max(greatest, z[j])
        norm = z.dtype.type(0)
        for j in range(len(z)):
            p[j] = exponential(z[j] - greatest)
        for j in range(len(z)):
            norm += p[j]
        inverse = z.dtype.type(1) / norm
        for j in range(len(z)):
            p[j] *= inverse
        total += math.log(norm) - (z[labels[rows[number]]] - greatest)
    return total


@compiled
def sigmoid_loss(logits: Array, labels: Array, rows: Array, probabilities: Array) -> float:
    """Fill `probabilities` (rows, 1); return sum over rows of max(z, 0) - z y + log(1 + exp(-|z|))."""
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    total = 0.0
    for number in range(len(rows)):
        z = logits[number, 0]
        y = logits.dtype.type(labels[rows[number]])
        probabilities[number, 0] = one / (one + math.exp(-z))
        total += max(z, zero) - z * y + math.log1p(math.exp(-abs(z)))
    return total
