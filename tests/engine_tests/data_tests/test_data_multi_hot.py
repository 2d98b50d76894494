"""Dense vectors mean what they mean in Chollet's book, and sparse rows equal them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.data.features.multi_hot import rows_from_sequences, to_one_hot, vectorize_sequences
from engine.data.sources.ragged import Ragged


def book_vectorize_sequences(sequences: Any, dimension: int = 10000) -> Any:
    """As printed in the book."""
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        for j in sequence:
            results[i, j] = 1.0
    return results


def book_to_one_hot(labels: Any, dimension: int = 46) -> Any:
    """As printed in the book."""
    results = np.zeros((len(labels), dimension))
    for i, label in enumerate(labels):
        results[i, label] = 1.0
    return results


SEQUENCES: dict[str, list[list[int]]] = {
    "repeated and unsorted": [[5, 1, 5, 9], [0, 3, 3]],
    "an empty row between": [[1], [], [2, 2]],
    "empty rows at both ends": [[], [4], []],
    "no rows": [],
    "only empty rows": [[], []],
    "all columns": [list(range(12)), list(range(11, -1, -1))],
}


@pytest.mark.parametrize("sequences", SEQUENCES.values(), ids=SEQUENCES)
def test_equal_to_the_book(sequences: list[list[int]]) -> None:
    expected = book_vectorize_sequences(sequences, 12)
    vectors = vectorize_sequences(sequences, 12)
    assert vectors.dtype == expected.dtype
    np.testing.assert_array_equal(vectors, expected)
    rows = rows_from_sequences(sequences, [0] * len(sequences), 12, 2)
    np.testing.assert_array_equal(rows.dense(), expected)
    np.testing.assert_array_equal(rows.to_scipy().toarray(), expected)


def test_many_random_rows() -> None:
    chance = np.random.default_rng(3)
    sequences = [chance.integers(0, 500, chance.integers(0, 80)).tolist() for _ in range(400)]
    labels = chance.integers(0, 46, 400)
    rows = rows_from_sequences(sequences, labels, 500, 46)
    np.testing.assert_array_equal(rows.dense(), book_vectorize_sequences(sequences, 500))
    np.testing.assert_array_equal(rows.labels, labels)
    assert [str(array.dtype) for array in (rows.indices, rows.indptr, rows.labels)] == ["int32", "int64", "int32"]
    for begin, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        assert np.all(np.diff(rows.indices[begin:end]) > 0)


def test_defaults_are_the_books() -> None:
    assert vectorize_sequences([[3]]).shape == (1, 10_000)
    assert to_one_hot([3]).shape == (1, 46)


def test_one_hot_equals_the_book() -> None:
    labels = np.array([3, 0, 45, 3])
    np.testing.assert_array_equal(to_one_hot(labels), book_to_one_hot(labels))
    np.testing.assert_array_equal(to_one_hot([1, 0], 2), [[0.0, 1.0], [1.0, 0.0]])


def test_numbers_beyond_the_columns() -> None:
    with pytest.raises(IndexError):
        vectorize_sequences([[12]], 12)
    with pytest.raises(IndexError):
        to_one_hot([46])
    for sequence in ([12], [-1]):
        with pytest.raises(IndexError, match="do not fit 12 columns"):
            rows_from_sequences([sequence], [0], 12, 2)


def test_labels_that_do_not_fit() -> None:
    for labels in ([2], [-1]):
        with pytest.raises(ValueError, match="do not fit 2 classes"):
            rows_from_sequences([[1]], labels, 12, 2)
    with pytest.raises(ValueError, match="1 sequences with 2 labels"):
        rows_from_sequences([[1]], [0, 1], 12, 2)


def test_ragged_to_lists_and_back() -> None:
    for sequences in SEQUENCES.values():
        ragged = Ragged.from_sequences(sequences)
        assert ragged.to_lists() == sequences
        order = np.arange(len(sequences))[::-1]
        assert ragged.take(order).to_lists() == sequences[::-1]
        assert ragged.with_first(7).to_lists() == [[7, *row] for row in sequences]
        assert ragged.keep(ragged.values > 3).to_lists() == [[w for w in row if w > 3] for row in sequences]
