"""Sequences of word numbers of any length, in two arrays instead of one Python list each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ragged:
    """`values` (words,) int64, row after row; `indptr` (rows + 1,) int64: where each row begins in `values`."""

    values: NDArray[np.int64]
    indptr: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def from_sequences(cls, sequences: Iterable[Sequence[Any]]) -> Ragged:
        """Sequences from lists, tuples or arrays of integers, one for each row."""
        rows = list(sequences)
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=indptr[1:])
        return cls(np.fromiter(chain.from_iterable(rows), np.int64, int(indptr[-1])), indptr)

    def row_numbers(self) -> NDArray[np.int64]:
        """The row of every value, shape (words,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def take(self, rows: NDArray[np.intp]) -> Ragged:
        """The given rows, in the given order, as a copy."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        # Position of each taken value in the old array: its position in the new one, moved by where its row began.
        source = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1][rows] - indptr[:-1], lengths)
        return Ragged(self.values[source], indptr)

    def keep(self, wanted: NDArray[np.bool_]) -> Ragged:
        """The rows without the values whose entry in `wanted` (words,) is false."""
        kept_before = np.zeros(len(self.values) + 1, np.int64)
        np.cumsum(wanted, out=kept_before[1:])
        return Ragged(self.values[wanted], kept_before[self.indptr])

    def with_first(self, value: int) -> Ragged:
        """The rows, each with `value` put in front."""
        return Ragged(np.insert(self.values, self.indptr[:-1], value), self.indptr + np.arange(len(self.indptr)))

    def to_lists(self) -> list[list[int]]:
        """One Python list for each row."""
        return [row.tolist() for row in np.split(self.values, self.indptr[1:-1])] if len(self) else []
