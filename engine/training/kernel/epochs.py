"""The batches of every epoch, seen word by word, and kept for the next training that visits the same rows.

A search trains many combinations on one fold with one batch size, and all of them see the same batches in the same
order: transposing these is a sixth of a small network's step, and has to be done only once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training import randomness
from engine.training.kernel import batches
from engine.training.kernel.memory import Arena
from engine.training.kernel.state import frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.data.rows import Rows

    Array = NDArray[Any]

_KEPT_BYTES = 48 << 20
# Fewer rows are arranged at once, and must not displace what is kept.
_WORTH_KEEPING = 100


@dataclass(frozen=True, eq=False)
class ArrangedEpoch:
    """The order in which an epoch visits the rows, and the transposes of its batches; see `batches`."""

    order: NDArray[np.int64]
    word_starts: Array
    words: Array
    ends: Array
    member_starts: Array
    members: Array

    def batch(self, number: int) -> tuple[Array, Array, Array]:
        """Words, ends and members of a batch (batches count from 0); see `batches.transpose_batches`."""
        begin, end = self.word_starts[number], self.word_starts[number + 1]
        return self.words[begin:end], self.ends[begin:end], self.members[self.member_starts[number] :]

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return sum(part.nbytes for part in (self.order, self.words, self.ends, self.members))


class Arrangements:
    """The epochs of all trainings on these rows with this batch size and seed."""

    def __init__(self, rows: Rows, batch_size: int, seed: int) -> None:
        self.batch_size = batch_size
        self.seed = seed
        indices, self._indptr, labels = frozen(rows)
        self._count = len(labels)
        members, self._row_begins = batches.rows_of_words(indices, self._indptr, rows.width)
        ones = (len(indices),)
        arena = Arena([(ones, np.int32), (ones, np.int32), (ones, np.int32)])
        self._row_members, self._words, self._ends = (arena.zeros(ones, np.int32) for _ in range(3))
        self._row_members[:] = members
        self._kept: dict[int, ArrangedEpoch] = {}
        # Trainings in several threads may share this, and its work space.
        self._arranging = threading.Lock()

    def epoch(self, number: int) -> ArrangedEpoch:
        """An epoch (epochs count from 1): from memory, or arranged now."""
        with self._arranging:
            arranged = self._kept.get(number)
            if arranged is None:
                arranged = self._arrange(number)
                if arranged.size + sum(kept.size for kept in self._kept.values()) <= _KEPT_BYTES:
                    self._kept[number] = arranged
            return arranged

    def _arrange(self, number: int) -> ArrangedEpoch:
        order = randomness.batch_order(self._count, number, self.seed)
        count = -(-self._count // self.batch_size)
        word_starts, member_starts = np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
        members = np.empty(len(self._row_members), np.uint16)
        batches.transpose_batches(
            self._row_members,
            self._row_begins,
            self._indptr,
            order,
            self.batch_size,
            word_starts,
            self._words,
            self._ends,
            member_starts,
            members,
        )
        words, ends = (part[: word_starts[-1]].copy() for part in (self._words, self._ends))
        return ArrangedEpoch(order, word_starts, words, ends, member_starts, members)


# The arrangements that were used last. They save time and decide nothing: they depend on the key alone.
_LATEST: dict[tuple[bytes, int, int], Arrangements] = {}


def arrangements(rows: Rows, batch_size: int, seed: int) -> Arrangements:
    """The arrangements for these rows, shared with the training before if it had these rows too."""
    if len(rows) < _WORTH_KEEPING:
        return Arrangements(rows, batch_size, seed)
    key = (rows.digest(), batch_size, seed)
    shared = _LATEST.get(key)
    if shared is None:
        _LATEST.clear()
        shared = _LATEST[key] = Arrangements(rows, batch_size, seed)
    return shared
