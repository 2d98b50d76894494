"""An epoch's batches seen word by word: which words occur in each batch, and in which of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.kernel.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@compiled
def rows_of_words(indices: Array, indptr: Array, width: int) -> tuple[Array, Array]:
    """The transpose of the rows: word w occurs in rows `members[begins[w]:begins[w + 1]]`, ascending.

    A counting sort, done once for a training.
    """
    begins = np.zeros(width + 1, np.int64)
    for position in range(len(indices)):
        begins[indices[position] + 1] += 1
    for word in range(width):
        begins[word + 1] += begins[word]
    free = begins.copy()
    members = np.empty(len(indices), np.int32)
    for row in range(len(indptr) - 1):
        for position in range(indptr[row], indptr[row + 1]):
            word = indices[position]
            members[free[word]] = row
            free[word] += 1
    return members, begins


@compiled
def transpose_batches(
    row_members: Array,
    row_begins: Array,
    indptr: Array,
    order: Array,
    batch_size: int,
    word_starts: Array,
    words: Array,
    ends: Array,
    member_starts: Array,
    members: Array,
) -> None:
    """Fill the transposes of all batches of an epoch that visits the rows in `order`.

    Batch b has the words `words[word_starts[b] : word_starts[b + 1]]`, ascending. The i-th of them occurs in the
    batch's rows (numbered from 0 within it) `members[s + begin : s + ends[i]]`, with s = `member_starts[b]`, begin
    being the end of the word before it, or 0. `words` and `ends` have a place for every one of the data.

    One pass over the ones of the data, word by word, appends each to its batch: words ascend for free, and
    nothing depends on how many words never occur. A second, linear pass finds where a new word begins.
    """
    batches = len(word_starts) - 1
    places = np.empty(len(order), np.int64)
    free = np.empty(batches, np.int64)
    at = 0
    for batch in range(batches):
        member_starts[batch] = at
        free[batch] = at
        for number in range(min(batch_size, len(order) - batch * batch_size)):
            row = order[batch * batch_size + number]
            # Batch and number in one word: one access of memory instead of two.
            places[row] = (batch << 32) | number
            at += indptr[row + 1] - indptr[row]
    for word in range(len(row_begins) - 1):
        for position in range(row_begins[word], row_begins[word + 1]):
            place = places[row_members[position]]
            batch = place >> 32
            into = free[batch]
            members[into] = place & 0xFFFFFFFF
            words[into] = word
            free[batch] = into + 1
    newest = -1
    for batch in range(batches):
        start = member_starts[batch]
        word_starts[batch] = newest + 1
        before = -1
        for position in range(start, free[batch]):
            word = words[position]
            # Always written, kept only when the word is new: a branch would be mispredicted too often.
            newest += word != before
            before = word
            words[newest] = word
            ends[newest] = position + 1 - start
    word_starts[batches] = newest + 1
