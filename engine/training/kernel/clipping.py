"""Keras' three ways of clipping gradients, as one scale for each tensor or a bound for each entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.kernel.compiling import compiled
from engine.training.kernel.vectors import sum_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BY_NORM, BY_GLOBAL_NORM, BY_VALUE = range(1, 4)


@compiled
def limit(gradient: Array, limits: Array) -> None:
    """Scale a stretch of gradient by `limits[0]`; clip it to [-limits[1], limits[1]] if that is above zero."""
    scale, bound = limits[0], limits[1]
    for i in range(len(gradient)):
        gradient[i] *= scale
    if bound > 0:
        for i in range(len(gradient)):
            g = gradient[i]
            # Written so that NaN stays NaN.
            gradient[i] = -bound if g < -bound else (bound if g > bound else g)


@compiled
def clip(
    kind: int,
    bound: float,
    kernel: Array,
    gradient: Array,
    layout: Array,
    deltas: Array,
    batch: tuple[Array, Array, Array],
    penalty: float,
    gradient_row: Array,
    limits: Array,
) -> None:
    """Clip `gradient` in place and set `limits` for the rows of the first kernel, whose gradient is not stored.

    By norm: g * bound / max(norm, bound), each tensor by its own norm; by global norm: every tensor by the norm
    of all together, NaN if that is not finite; by value: each entry.
    """
    limits[0] = 1
    limits[1] = 0
    if kind == BY_VALUE:
        limits[1] = bound
        limit(gradient, limits)
        return
    square = _kernel_square(kernel, deltas, batch, penalty, gradient_row)
    total = square
    if kind == BY_GLOBAL_NORM:
        for i in range(len(gradient)):
            total += gradient[i] * gradient[i]
        norm = np.sqrt(total)
        limits[0] = bound * min(1 / norm, 1 / bound) + (norm - norm)
        limit(gradient, limits)
        return
    for layer in range(len(layout)):
        inputs, units, kernel_at, bias_at, _ = layout[layer]
        _clip_tensor(bound, gradient[bias_at : bias_at + units], limits)
        if layer > 0:
            _clip_tensor(bound, gradient[kernel_at : kernel_at + inputs * units], limits)
    limits[0] = bound / max(np.sqrt(square), bound)


@compiled
def _clip_tensor(bound: float, tensor: Array, limits: Array) -> None:
    square = 0.0
    for i in range(len(tensor)):
        square += tensor[i] * tensor[i]
    limits[0] = bound / max(np.sqrt(square), bound)
    limit(tensor, limits)


@compiled
def _kernel_square(
    kernel: Array, deltas: Array, batch: tuple[Array, Array, Array], penalty: float, gradient_row: Array
) -> float:
    """The sum of squares of the first kernel's gradient."""
    words, ends, members = batch
    square = 0.0
    number = 0
    begin = 0
    word = 0
    while word < len(kernel):
        if penalty == 0:
            # Only words of the batch have a gradient.
            if number == len(words):
                break
            word = words[number]
        if number < len(words) and words[number] == word:
            sum_rows(deltas, members, begin, ends[number], gradient_row)
            begin = ends[number]
            number += 1
        else:
            gradient_row[:] = 0
        row = kernel[word]
        for i in range(len(row)):
            g = gradient_row[i] + penalty * row[i]
            square += g * g
        word += 1
    return square
