"""The optimizer's pass over all weights: templates into which `optimizers.py` puts one rule each.

The first kernel's gradient is never stored: each word's row of it is summed from the deltas into `gradient_row`,
which stays in the first cache, and used up at once. Rows are visited in ascending order. `last[word]` is the step
of this epoch after which a row was current (0: since before the epoch began), or -1 while it has never been
touched: then its state is zero and nothing has moved it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.training.kernel.clipping import limit

# The simplest rule; `compiling.specialised` puts others in its place.
from engine.training.kernel.rules import advance_sgd as advance
from engine.training.kernel.rules import drift_plain as drift
from engine.training.kernel.rules import skip_plain as skip
from engine.training.kernel.vectors import fetch, sum_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# Rows are fetched this many words before they are needed.
_AHEAD = 4


def catch_up(
    kernel: Array,
    slots: tuple[Array, Array, Array],
    words: Array,
    last: Array,
    step: int,
    drifts: Array,
    numbers: Array,
) -> None:
    """Bring the rows of `words` to the state after step `step`, whose drifts are `drifts[last[word]]`."""
    first, second, third = slots
    for word in words:
        since = last[word]
        if since >= 0:
            if since != step:
                drift(kernel[word], first[word], second[word], third[word], drifts[since], numbers)
            last[word] = step


def update_touched(
    kernel: Array,
    slots: tuple[Array, Array, Array],
    rest: Array,
    rest_slots: tuple[Array, Array, Array],
    gradient: Array,
    deltas: Array,
    batch: tuple[Array, Array, Array],
    last: Array,
    numbers: Array,
    limits: Array,
    gradient_row: Array,
    step: int,
    drifts: Array,
) -> None:
    """One step, numbered from 1 in its epoch, on the rows of the words of the batch and on all of `rest`.

    Rows that were not caught up before the forward pass, because their weights rest, are caught up first.
    """
    words, ends, members = batch
    first, second, third = slots
    units = len(gradient_row)
    limited = limits[0] != 1 or limits[1] > 0
    begin = 0
    for number in range(len(words)):
        word = words[number]
        if number + _AHEAD < len(words):
            ahead = words[number + _AHEAD]
            fetch(kernel[ahead], 0, units)
            if len(first) > 0:
                fetch(first[ahead], 0, units)
            if len(second) > 0:
                fetch(second[ahead], 0, units)
        since = last[word]
        if 0 <= since < step - 1:
            drift(kernel[word], first[word], second[word], third[word], drifts[since], numbers)
        last[word] = step
        sum_rows(deltas, members, begin, ends[number], gradient_row)
        begin = ends[number]
        if limited:
            limit(gradient_row, limits)
        advance(kernel[word], gradient_row, first[word], second[word], third[word], numbers)
    advance(rest, gradient, rest_slots[0], rest_slots[1], rest_slots[2], numbers)
    # Rows left alone since step s have now missed one step more; those of this step have missed none.
    for since in range(step):
        skip(drifts[since], numbers)
    drifts[step] = 0.0
    drifts[step, 1:3] = 1.0


def update_all(
    kernel: Array,
    slots: tuple[Array, Array, Array],
    rest: Array,
    rest_slots: tuple[Array, Array, Array],
    gradient: Array,
    deltas: Array,
    batch: tuple[Array, Array, Array],
    last: Array,
    numbers: Array,
    limits: Array,
    gradient_row: Array,
    penalty: float,
) -> None:
    """One step on every row and on all of `rest`; `penalty` is twice the factor of L2.

    Rows never touched are passed over where nothing would move them: without L2 and weight decay.
    """
    words, ends, members = batch
    first, second, third = slots
    limited = limits[0] != 1 or limits[1] > 0
    everything = penalty != 0 or numbers[0] != 0
    number = 0
    begin = 0
    for word in range(len(kernel)):
        if number < len(words) and words[number] == word:
            last[word] = 0
            sum_rows(deltas, members, begin, ends[number], gradient_row)
            begin = ends[number]
            number += 1
        elif everything or last[word] >= 0:
            gradient_row[:] = 0
        else:
            continue
        row = kernel[word]
        if penalty != 0:
            for i in range(len(row)):
                gradient_row[i] += penalty * row[i]
        if limited:
            limit(gradient_row, limits)
        advance(row, gradient_row, first[word], second[word], third[word], numbers)
    advance(rest, gradient, rest_slots[0], rest_slots[1], rest_slots[2], numbers)
