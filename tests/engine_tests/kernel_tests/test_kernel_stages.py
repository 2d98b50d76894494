"""The stages that have an answer of their own: sums of rows, transposed batches, exponentials, flushed denormals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.training.kernel.compiling import compiled
from engine.training.kernel.denormals import flushed
from engine.training.kernel.epochs import Arrangements, arrangements
from engine.training.kernel.losses import softmax_loss
from engine.training.kernel.vectors import sum_rows
from tests.engine_tests.kernel_tests.kernel_requests import make_rows


@compiled
def summed(table: Any, selection: Any, begin: int, end: int, total: Any) -> None:
    sum_rows(table, selection, begin, end, total)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("units", [1, 7, 16, 46, 64, 128, 331])
def test_sum_of_rows_of_any_width(units: int, real: Any) -> None:
    generator = np.random.default_rng(units)
    table = generator.normal(size=(50, units)).astype(real)
    selection = generator.integers(0, 50, 90).astype(np.int32)
    for begin, end in ((0, 90), (3, 4), (5, 5)):
        total = np.full(units, np.nan, real)
        summed(table, selection, begin, end, total)
        expected = table[selection[begin:end]].sum(axis=0, dtype=np.float64)
        np.testing.assert_allclose(total, expected, atol=1e-5 if real is np.float32 else 1e-13)


@pytest.mark.parametrize("batch_size", [1, 8, 33, 500])
def test_batches_word_by_word_hold_the_same_ones(batch_size: int) -> None:
    rows = make_rows(101, 4)
    arranged = Arrangements(rows, batch_size, 7).epoch(3)
    assert sorted(arranged.order) == list(range(101))
    dense = rows.dense()
    for number in range(-(-101 // batch_size)):
        batch = dense[arranged.order[number * batch_size : (number + 1) * batch_size]]
        words, ends, members = arranged.batch(number)
        np.testing.assert_array_equal(words, np.nonzero(batch.any(axis=0))[0])
        for word, begin, end in zip(words, [0, *ends], ends, strict=False):
            np.testing.assert_array_equal(np.sort(members[begin:end]), np.nonzero(batch[:, word])[0])


def test_arrangements_are_shared_by_trainings_on_equal_rows_only() -> None:
    rows = make_rows(150, 4)
    shared = arrangements(rows, 16, 1)
    again = arrangements(rows.take(np.arange(150)), 16, 1)
    assert again is shared
    assert again.epoch(2) is shared.epoch(2)
    for other in (arrangements(rows, 8, 1), arrangements(rows, 16, 2), arrangements(make_rows(150, 3), 16, 1)):
        assert other is not shared


def test_softmax_is_accurate_and_lets_no_nan_or_infinity_pass() -> None:
    logits = np.random.default_rng(0).normal(scale=4.0, size=(300, 46)).astype(np.float32)
    logits[0, 0] = 200.0
    labels = np.zeros(300, np.int32)
    probabilities = np.empty_like(logits)
    loss = softmax_loss(logits, labels, np.arange(300), probabilities)
    exact = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, exact, rtol=2e-6, atol=1e-37)
    assert loss == pytest.approx(-np.log(exact[:, 0]).sum(), rel=1e-5)
    for value in (np.nan, np.inf):
        logits[5, 3] = value
        assert not np.isfinite(softmax_loss(logits, labels, np.arange(300), probabilities))
        assert np.isnan(probabilities[5]).all()


def test_denormals_are_flushed_only_within() -> None:
    tiny = np.full(4, 1e-38, np.float32)
    before = tiny * np.float32(0.01)
    with flushed():
        pass
    np.testing.assert_array_equal(tiny * np.float32(0.01), before)
    assert np.all(before > 0)
