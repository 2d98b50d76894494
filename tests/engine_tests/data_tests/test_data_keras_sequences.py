"""Word numbers, order and split are those of Keras' own `load_data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.data.sources.keras_sequences import LabelledSequences, encode, imdb_split, reuters_split
from engine.data.sources.npz import read_npz, read_source
from engine.data.sources.ragged import Ragged

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 50},
    {"num_words": 10_000},
    {"num_words": 30, "seed": 7},
    {"num_words": 30, "oov_char": None},
    {"num_words": 30, "start_char": None},
    {"num_words": 30, "start_char": None, "index_from": 0},
    {"num_words": 100, "start_char": 5, "oov_char": 9, "index_from": 12},
    {"num_words": 40, "start_char": 90},
]


def ours(path: Path, **options: Any) -> tuple[LabelledSequences, LabelledSequences]:
    source = read_source(path)
    if path.name == "reuters.npz":
        ragged, integers = read_npz(source, ragged=("x",), integers=("y",))
        return reuters_split(LabelledSequences(ragged["x"], integers["y"]), **options)
    ragged, integers = read_npz(source, ragged=("x_train", "x_test"), integers=("y_train", "y_test"))
    training, test = (LabelledSequences(ragged[f"x_{p}"], integers[f"y_{p}"]) for p in ("train", "test"))
    return imdb_split(training, test, **options)


@pytest.mark.parametrize(
    ("num_words", "options", "expected"),
    [
        (8, {}, [[1, 4, 7, 2, 2], [1]]),
        (9, {}, [[1, 4, 7, 8, 2], [1]]),
        (8, {"oov_char": None}, [[1, 4, 7], [1]]),
        (8, {"start_char": None}, [[4, 7, 2, 2], []]),
        (8, {"index_from": 0}, [[1, 1, 4, 5, 2], [1]]),
    ],
)
def test_meaning_of_every_argument(num_words: int, options: dict[str, Any], expected: list[list[int]]) -> None:
    ranks = Ragged.from_sequences([[1, 4, 5, 900], []])
    assert encode(ranks, num_words, **options).to_lists() == expected


def test_published_sizes_and_rows(data_folder: Path) -> None:
    training, test = ours(data_folder / "reuters.npz")
    assert (len(training), len(test)) == (48, 12)
    training, test = ours(data_folder / "imdb.npz")
    assert (len(training), len(test)) == (40, 30)


@pytest.fixture(scope="session")
def keras_datasets() -> Any:
    from keras.src import datasets

    return datasets


def assert_equal_to_keras(
    name: str, path: Path, options: dict[str, Any], datasets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = getattr(datasets, name)
    # Keras accepts only its own file by hash; this one is handed to it as if it had been fetched.
    monkeypatch.setattr(module, "get_file", lambda *_, **__: str(path))
    theirs = module.load_data(**options)
    for mine, (sequences, labels) in zip(ours(path, **options), theirs, strict=True):
        assert mine.sequences.to_lists() == [list(row) for row in sequences]
        np.testing.assert_array_equal(mine.labels, labels)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["reuters", "imdb"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equal_to_keras(
    name: str,
    options: dict[str, Any],
    data_folder: Path,
    keras_datasets: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_equal_to_keras(name, data_folder / f"{name}.npz", options, keras_datasets, monkeypatch)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("split", [0.1, 0.3, 0.5])
def test_equal_to_keras_in_the_split(
    split: float, data_folder: Path, keras_datasets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"test_split": split, "num_words": 99}
    assert_equal_to_keras("reuters", data_folder / "reuters.npz", options, keras_datasets, monkeypatch)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["reuters", "imdb"])
@pytest.mark.slow
def test_equal_to_keras_on_the_real_files(
    name: str, real_data: Path, keras_datasets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"num_words": 10_000}
    assert_equal_to_keras(name, real_data / f"{name}.npz", options, keras_datasets, monkeypatch)
