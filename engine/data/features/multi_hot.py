"""Word numbers as multi-hot vectors and classes as one-hot vectors, dense as in Chollet's book and sparse as `Rows`.

F. Chollet, Deep Learning with Python, chapters "Classifying movie reviews" and "Classifying newswires".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.data.rows import Rows
from engine.data.sources.ragged import Ragged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def vectorize_sequences(sequences: Sequence[Sequence[int]], dimension: int = 10000) -> NDArray[np.float64]:
    """Shape (sequences, dimension): 1.0 in every column that a sequence names, 0.0 elsewhere.

    Raises `IndexError` if a number is `dimension` or more.
    """
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        # An empty list would become an array of floats, which cannot be an index.
        results[i, np.asarray(sequence, dtype=np.intp)] = 1.0
    return results


def to_one_hot(labels: Sequence[int] | NDArray[np.integer], dimension: int = 46) -> NDArray[np.float64]:
    """Shape (labels, dimension): 1.0 in the column of each label, 0.0 elsewhere.

    Raises `IndexError` if a label is `dimension` or more.
    """
    results = np.zeros((len(labels), dimension))
    for i, label in enumerate(labels):
        results[i, label] = 1.0
    return results


def rows_from_sequences(
    sequences: Iterable[Sequence[int]],
    labels: Sequence[int] | NDArray[np.integer],
    dimension: int,
    classes: int,
) -> Rows:
    """Multi-hot rows of sequences of word numbers, with those labels.

    Raises `IndexError` for a number outside 0 to dimension - 1, `ValueError` for a label outside 0 to classes - 1
    or if there are not as many labels as sequences.
    """
    return rows_from_ragged(Ragged.from_sequences(sequences), np.asarray(labels), dimension, classes)


def rows_from_ragged(sequences: Ragged, labels: NDArray[np.integer], dimension: int, classes: int) -> Rows:
    """Multi-hot rows of sequences in two arrays, without a loop over rows.

    Raises `IndexError` for a number outside 0 to dimension - 1, `ValueError` for a label outside 0 to classes - 1
    or if there are not as many labels as sequences.
    """
    values = sequences.values
    if len(labels) != len(sequences):
        message = f"{len(sequences)} sequences with {len(labels)} labels"
        raise ValueError(message)
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < dimension:
        message = f"word numbers from {values.min()} to {values.max()} do not fit {dimension} columns"
        raise IndexError(message)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        message = f"labels from {labels.min()} to {labels.max()} do not fit {classes} classes"
        raise ValueError(message)
    # One number for each (row, column): sorting it sorts by row, then column, and brings repetitions together.
    ones = sequences.row_numbers() * dimension + values
    ones.sort()
    if len(ones):
        ones = ones[np.concatenate(([True], ones[1:] != ones[:-1]))]
    row_numbers, columns = np.divmod(ones, dimension)
    indptr = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum(np.bincount(row_numbers, minlength=len(sequences)), out=indptr[1:])
    return Rows(columns.astype(np.int32), indptr, labels.astype(np.int32), dimension, classes)
