"""Forward and backward pass of a batch through the network.

With a_0 the multi-hot batch (n rows), layer l = 1..L has kernel W_l and bias b_l:

    z_l = a_(l-1) W_l + b_l        a_l = f(z_l) * mask_l        s_l = f'(z_l) * mask_l

and, with delta_L = (probabilities - one-hot labels) / n,

    dW_l = a_(l-1)^T delta_l       db_l = column sums of delta_l     delta_(l-1) = (delta_l W_l^T) * s_(l-1).

The products of the first layer are sums of selected rows (`vectors.sum_rows`; dW_1 is formed in `updates`), all
others go through BLAS.

`layout` (layers, 5) int64 says where things lie: inputs, units, begin of kernel and bias in the flat vector `rest`
(all weights but the first kernel) and in `gradient`, and begin of the layer's units in the flat work arrays, to be
multiplied by their row capacity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.kernel.activations import activate
from engine.training.kernel.compiling import compiled
from engine.training.kernel.losses import sigmoid_loss, softmax_loss
from engine.training.kernel.vectors import fetch, sum_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# Rows of a batch lie anywhere in the data: their columns are fetched this many rows before they are needed.
_AHEAD = 6


@compiled
def forward(
    kernel: Array,
    rest: Array,
    layout: Array,
    activation: int,
    data: tuple[Array, Array, Array],
    rows: Array,
    capacity: int,
    work: tuple[Array, Array, Array],
    masks: Array,
) -> None:
    """Fill the outputs a_l (the last layer's: z_L) and the slopes s_l of the given rows."""
    indices, indptr, _ = data
    outputs, slopes, _ = work
    count = len(rows)
    for layer in range(len(layout)):
        inputs, units, kernel_at, bias_at, unit_at = layout[layer]
        at = unit_at * capacity
        values = outputs[at : at + count * units].reshape(count, units)
        if layer == 0:
            for number in range(count):
                if number + _AHEAD < count:
                    ahead = rows[number + _AHEAD]
                    fetch(indices, indptr[ahead], indptr[ahead + 1])
                row = rows[number]
                sum_rows(kernel, indices, indptr[row], indptr[row + 1], values[number])
        else:
            before = (unit_at - inputs) * capacity
            previous = outputs[before : before + count * inputs].reshape(count, inputs)
            np.dot(previous, rest[kernel_at : kernel_at + inputs * units].reshape(inputs, units), values)
        bias = rest[bias_at : bias_at + units]
        for number in range(count):
            for unit in range(units):
                values[number, unit] += bias[unit]
        if layer < len(layout) - 1:
            end = at + count * units
            activate(activation, outputs[at:end], slopes[at:end])
            if len(masks) > 0:
                for i in range(at, end):
                    outputs[i] *= masks[i]
                    slopes[i] *= masks[i]


@compiled
def propagate(
    kernel: Array,
    rest: Array,
    gradient: Array,
    layout: Array,
    activation: int,
    penalty: float,
    data: tuple[Array, Array, Array],
    rows: Array,
    capacity: int,
    work: tuple[Array, Array, Array],
    masks: Array,
) -> float:
    """Forward and backward: fill the deltas and `gradient`; return the summed loss of the rows, without L2."""
    forward(kernel, rest, layout, activation, data, rows, capacity, work, masks)
    return backpropagate(rest, gradient, layout, penalty, data[2], rows, capacity, work)


@compiled
def backpropagate(
    rest: Array,
    gradient: Array,
    layout: Array,
    penalty: float,
    labels: Array,
    rows: Array,
    capacity: int,
    work: tuple[Array, Array, Array],
) -> float:
    """Fill the deltas and `gradient` from the outputs of `forward`; return the summed loss of the rows, without L2.

    `penalty`, twice the factor of L2, adds to the gradients of the hidden kernels that lie in `rest`.
    """
    outputs, _, deltas = work
    count = len(rows)
    last = len(layout) - 1
    units, unit_at = layout[last, 1], layout[last, 4]
    at = unit_at * capacity
    logits = outputs[at : at + count * units].reshape(count, units)
    errors = deltas[at : at + count * units].reshape(count, units)
    zero, one = deltas.dtype.type(0), deltas.dtype.type(1)
    if units == 1:
        loss = sigmoid_loss(logits, labels, rows, errors)
        for number in range(count):
            errors[number, 0] -= deltas.dtype.type(labels[rows[number]])
    else:
        loss = softmax_loss(logits, labels, rows, errors)
        for number in range(count):
            errors[number, labels[rows[number]]] -= one
    scale = one / deltas.dtype.type(count)
    for i in range(at, at + count * units):
        deltas[i] *= scale
    for layer in range(last, -1, -1):
        _backward(rest, gradient, layout[layer], penalty if layer < last else zero, count, capacity, work)
    return loss


@compiled
def _backward(
    rest: Array,
    gradient: Array,
    place: Array,
    penalty: float,
    count: int,
    capacity: int,
    work: tuple[Array, Array, Array],
) -> None:
    """The gradients of one layer and, unless it is the first, the deltas of the layer before it."""
    outputs, slopes, deltas = work
    inputs, units, kernel_at, bias_at, unit_at = place
    at = unit_at * capacity
    errors = deltas[at : at + count * units].reshape(count, units)
    sums = gradient[bias_at : bias_at + units]
    sums[:] = 0
    for number in range(count):
        for unit in range(units):
            sums[unit] += errors[number, unit]
    if unit_at == 0:
        return
    begin, end = (unit_at - inputs) * capacity, (unit_at - inputs) * capacity + count * inputs
    weights = rest[kernel_at : kernel_at + inputs * units]
    into = gradient[kernel_at : kernel_at + inputs * units]
    np.dot(outputs[begin:end].reshape(count, inputs).T, errors, into.reshape(inputs, units))
    if penalty != 0:
        for i in range(len(into)):
            into[i] += penalty * weights[i]
    np.dot(errors, weights.reshape(inputs, units).T, deltas[begin:end].reshape(count, inputs))
    for i in range(begin, end):
        deltas[i] *= slopes[i]


@compiled
def predict(
    kernel: Array,
    rest: Array,
    layout: Array,
    activation: int,
    data: tuple[Array, Array, Array],
    order: Array,
    capacity: int,
    work: tuple[Array, Array, Array],
    masks: Array,
    probabilities: Array,
) -> float:
    """Fill `probabilities` (rows, classes) for the rows of `data` in `order`; return their summed loss, without L2.

    `masks` is empty: dropout is for training.
    """
    labels = data[2]
    last = len(layout) - 1
    units, unit_at = layout[last, 1], layout[last, 4]
    outputs, _, deltas = work
    at = unit_at * capacity
    one = deltas.dtype.type(1)
    loss = 0.0
    for begin in range(0, len(labels), capacity):
        rows = order[begin : begin + capacity]
        count = len(rows)
        forward(kernel, rest, layout, activation, data, rows, capacity, work, masks)
        logits = outputs[at : at + count * units].reshape(count, units)
        predicted = deltas[at : at + count * units].reshape(count, units)
        if units == 1:
            loss += sigmoid_loss(logits, labels, rows, predicted)
            for number in range(count):
                probabilities[begin + number, 0] = one - predicted[number, 0]
                probabilities[begin + number, 1] = predicted[number, 0]
        else:
            loss += softmax_loss(logits, labels, rows, predicted)
            for number in range(count):
                for unit in range(units):
                    probabilities[begin + number, unit] = predicted[number, unit]
    return loss


@compiled
def sum_of_squares(values: Array) -> float:
    """The sum of squares of a contiguous vector, for L2."""
    total = 0.0
    for i in range(len(values)):
        total += values[i] * values[i]
    return total
