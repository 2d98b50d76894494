"""Multi-hot rows with their labels, stored as the column numbers of their ones (CSR without values)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows whose entries are zero or one, and the class of each.

    `indices` (ones,) int32: the columns that hold a one, ascending within a row;
    `indptr` (rows + 1,) int64: where each row begins in `indices`;
    `labels` (rows,) int32: classes, numbered from 0;
    `width`: number of columns; `classes`: number of classes that exist, whether or not all occur here.
    """

    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]
    labels: NDArray[np.int32]
    width: int
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """The given rows, in the given order, as a copy."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        # Position of each taken one in the old array: its offset in the new one, moved by where its row began.
        source = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1][rows] - indptr[:-1], lengths)
        return Rows(self.indices[source], indptr, self.labels[rows], self.width, self.classes)

    def dense(self) -> NDArray[np.float32]:
        """The rows as a dense array, shape (rows, width)."""
        dense = np.zeros((len(self), self.width), np.float32)
        dense[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = 1.0
        return dense

    def to_scipy(self) -> Any:
        """The rows as a `scipy.sparse.csr_array` of float32."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.indices), np.float32)
        return csr_array((ones, self.indices, self.indptr), shape=(len(self), self.width))

    @classmethod
    def from_scipy(cls, matrix: Any, labels: NDArray[np.int32], classes: int) -> Rows:
        """Rows from a scipy.sparse matrix whose stored values are all one.

        Raises `ValueError` if another value is stored.
        """
        matrix = matrix.tocsr()
        if not np.all(matrix.data == 1):
            message = "multi-hot rows hold zeros and ones; this matrix stores other values"
            raise ValueError(message)
        if not matrix.has_sorted_indices:
            matrix = matrix.sorted_indices()
        return cls(
            matrix.indices.astype(np.int32, copy=False),
            matrix.indptr.astype(np.int64, copy=False),
            np.asarray(labels, np.int32),
            int(matrix.shape[1]),
            classes,
        )

    def digest(self) -> bytes:
        """SHA-256 of columns, row lengths, labels, width and number of classes, whatever memory they lie in."""
        digest = hashlib.sha256(f"{self.width} {self.classes} {len(self)}\n".encode())
        digest.update(np.ascontiguousarray(self.indices, "<i4").data)
        digest.update(np.diff(self.indptr).astype("<i8").data)
        digest.update(np.ascontiguousarray(self.labels, "<i4").data)
        return digest.digest()
