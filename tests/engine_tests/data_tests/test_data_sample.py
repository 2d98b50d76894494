"""The built-in corpus has Reuters' shape, honours `num_words`, and never changes unnoticed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.data.features.multi_hot import rows_from_ragged
from engine.data.sample import TEST_COUNTS, TRAINING_COUNTS, sample_split, source_hash

if TYPE_CHECKING:
    from pathlib import Path


def test_class_sizes_and_lengths_are_reuters() -> None:
    training, test = sample_split(10_000)
    rows = rows_from_ragged(training.sequences, training.labels, 10_000, 46)
    assert np.bincount(training.labels).tolist() == list(TRAINING_COUNTS)
    assert np.bincount(test.labels).tolist() == list(TEST_COUNTS)
    assert (len(training), len(test)) == (8_982, 2_246)
    lengths = np.diff(training.sequences.indptr)
    assert 135 < lengths.mean() < 155
    assert 85 < np.median(lengths) < 110
    assert 75 < np.diff(rows.indptr).mean() < 95


def test_words_follow_zipf() -> None:
    training, _ = sample_split(100_000)
    counts = np.bincount(training.sequences.values, minlength=10_001)[4:]
    share = counts / counts.sum()
    # Reuters: the commonest word 0.051, the hundredth 0.0012, the thousandth 0.00012.
    assert 0.02 < share[0] < 0.1
    assert 0.0006 < share[99] < 0.0024
    assert 0.00006 < share[999] < 0.00024


def test_num_words_means_what_keras_means() -> None:
    whole, _ = sample_split(100_000)
    limited, _ = sample_split(500)
    expected = np.where(whole.sequences.values < 500, whole.sequences.values, 2)
    np.testing.assert_array_equal(limited.sequences.values, expected)
    np.testing.assert_array_equal(limited.labels, whole.labels)
    assert np.all(limited.sequences.values[limited.sequences.indptr[:-1]] == 1)
    assert limited.sequences.values.min() == 1
    assert limited.sequences.values.max() == 499


def test_the_seed_decides_everything() -> None:
    first, second, other = (sample_split(1000, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.sequences.values, second.sequences.values)
    assert not np.array_equal(first.labels, other.labels)
    assert len({source_hash(1000), source_hash(1001), source_hash(1000, seed=1)}) == 3


def test_a_changed_corpus_needs_a_new_generator_version(tmp_path: Path) -> None:
    # In a process of its own: what other tests leave behind in this one must not decide what is drawn.
    load = f"data.load('sample', cache_dir=Path({str(tmp_path)!r}))"
    code = f"from pathlib import Path; from engine import data; print({load}.digest)"
    made = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "560af475b1b1b77344d5ed162defdc6d66e31b0b603fb3b3de0a653ed001ff50"


def test_it_is_named_synthetic(tmp_path: Path) -> None:
    loaded = data.load("sample", num_words=1000, cache_dir=tmp_path)
    assert loaded.synthetic
    assert data.DATASETS["sample"].synthetic
    assert "synthetic" in data.DATASETS["sample"].title
    assert loaded.label_names[7] == "synthetic topic 7"
    assert len(loaded.label_names) == loaded.training.classes == 46
