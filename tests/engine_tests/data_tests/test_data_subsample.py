"""A subsample keeps every class's share, is the same for the same seed, and refuses what cannot be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engine.data.sample import TRAINING_COUNTS
from engine.data.subsample import stratified_subsample

REUTERS = np.random.default_rng(0).permutation(np.repeat(np.arange(46), TRAINING_COUNTS))


@pytest.mark.parametrize(
    ("subsample", "rows"), [(0.5, 4491), (0.1, 898), (1000, 1000), (2, 2), (0.000001, 1), (8981, 8981), (2000.0, 2000)]
)
def test_every_class_keeps_its_share(subsample: float, rows: int) -> None:
    chosen = stratified_subsample(REUTERS, subsample, seed=4)
    assert len(chosen) == rows
    assert np.all(np.diff(chosen) > 0)
    exact = np.array(TRAINING_COUNTS) * rows / len(REUTERS)
    counts = np.bincount(REUTERS[chosen], minlength=46)
    assert np.all(counts >= np.floor(exact))
    assert np.all(counts <= np.ceil(exact))


@pytest.mark.parametrize("subsample", [1, 1.0, 8982])
def test_all_rows(subsample: float) -> None:
    np.testing.assert_array_equal(stratified_subsample(REUTERS, subsample, seed=4), np.arange(8982))


def test_remainders_go_to_the_largest_then_to_the_lower_class() -> None:
    labels = np.array([0] * 5 + [1] * 5 + [2] * 2)
    # Exact shares of six rows: 2.5, 2.5, 1.
    assert np.bincount(labels[stratified_subsample(labels, 6, seed=0)]).tolist() == [3, 2, 1]


def test_same_seed_same_rows() -> None:
    first = stratified_subsample(REUTERS, 0.3, seed=1)
    np.testing.assert_array_equal(first, stratified_subsample(REUTERS, 0.3, seed=1))
    assert not np.array_equal(first, stratified_subsample(REUTERS, 0.3, seed=2))
    stratified_subsample(REUTERS, 0.3, seed=2**63 - 1)


def test_a_known_draw() -> None:
    labels = np.array([0, 1] * 10)
    assert stratified_subsample(labels, 0.4, seed=0).tolist() == [2, 3, 4, 6, 11, 13, 16, 19]


def test_classes_need_not_be_numbered_from_zero() -> None:
    labels = np.array([7, 7, 3, 3])
    assert sorted(labels[stratified_subsample(labels, 2, seed=0)]) == [3, 7]


@pytest.mark.parametrize("subsample", [0, 0.0, -0.5, -3, 1.5, 8983, 1e9, math.nan, math.inf, True, "half", None])
def test_impossible_numbers(subsample: Any) -> None:
    with pytest.raises(ValueError, match=r"^subsample: "):
        stratified_subsample(REUTERS, subsample, seed=0)
