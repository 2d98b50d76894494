"""From a name to rows: what is read, and what is refused with one line."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import data
from engine.data import cache, cache_folder, facts
from engine.data.features.multi_hot import vectorize_sequences
from engine.data.sources.npz import read_npz, read_source
from engine.errors import DataError, FoldwatchError, InputOutputError, SpecError, UsageError

if TYPE_CHECKING:
    pass

REPOSITORY = Path(__file__).parents[3]


def test_importing_needs_no_numpy() -> None:
    script = (
        "import sys, engine.data as data; data.whereabouts('sample'); data.DATASETS['imdb'].classes;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'pooch', 'keras', 'tensorflow')))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)


def test_loading_brings_in_neither_scipy_nor_keras(data_folder: Path) -> None:
    script = (
        "import sys, pathlib, engine.data as data; data.load('imdb', data_dir=pathlib.Path(sys.argv[1]));"
        "sys.exit(any(name in sys.modules for name in ('scipy', 'pooch', 'sklearn', 'keras', 'tensorflow')))"
    )
    subprocess.run([sys.executable, "-c", script, str(data_folder)], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize(("name", "sizes"), [("reuters", (48, 12)), ("imdb", (40, 30))])
def test_rows_equal_the_dense_vectors(name: str, sizes: tuple[int, int], data_folder: Path) -> None:
    loaded = data.load(name, num_words=200, data_dir=data_folder)
    assert (len(loaded.training), len(loaded.test)) == sizes
    source = read_source(data_folder / f"{name}.npz")
    if name == "reuters":
        ragged, integers = read_npz(source, ragged=("x",), integers=("y",))
        order = np.arange(60)
        np.random.RandomState(113).shuffle(order)
        raw, labels = ragged["x"].take(order).to_lists(), integers["y"][order]
        sequences = [[1] + [w + 3 if w + 3 < 200 else 2 for w in row] for row in raw]
        np.testing.assert_array_equal(loaded.training.dense(), vectorize_sequences(sequences[:48], 200))
        np.testing.assert_array_equal(loaded.test.dense(), vectorize_sequences(sequences[48:], 200))
        np.testing.assert_array_equal(loaded.test.labels, labels[48:])
    assert loaded.training.width == 200
    assert loaded.training.classes == len(loaded.label_names) == data.DATASETS[name].classes
    assert loaded.source_sha256 == hashlib.sha256(source.content).hexdigest()
    assert not loaded.synthetic


def test_the_environment_names_the_data_folder(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWATCH_DATA", str(data_folder))
    assert len(data.load("imdb", num_words=100).training) == 40
    place = data.whereabouts("imdb")
    assert (place.origin, place.path, place.at_hand) == ("data folder", data_folder / "imdb.npz", True)


def test_a_data_folder_without_the_file(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError) as caught:
            data.load("imdb", data_dir=folder)
        assert str(caught.value).startswith(f"{folder / 'imdb.npz'}: no such file")
        assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("num_words", [0, 3, -5, 1_000_001, 10.0, "10000", True, None])
def test_impossible_num_words(num_words: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^num_words: .* a whole number from 4 to 1000000"):
        data.load("sample", num_words=num_words)
    assert list(tmp_path.iterdir()) == []


def test_the_fewest_words(data_folder: Path) -> None:
    loaded = data.load("reuters", num_words=4, data_dir=data_folder)
    assert set(np.unique(loaded.training.indices)) == {1, 2}


def test_an_unknown_name() -> None:
    for function in (data.load, data.whereabouts):
        with pytest.raises(UsageError, match="'mnist' is no dataset; there are reuters, imdb, sample"):
            function("mnist")


BAD_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "labels beyond the classes": ({"y_train": np.array([0, 2])}, r"y_train\.npy has label 2 in row 1"),
    "negative labels": ({"y_test": np.array([-1, 0])}, r"y_test\.npy has label -1 in row 0"),
    "too few labels": ({"y_test": np.array([0])}, r"x_test\.npy has 2 rows, y_test\.npy 1 labels"),
}


@pytest.mark.parametrize(("changed", "message"), BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_labels_that_cannot_be(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    rows = np.empty(2, object)
    rows[:] = [[1], [2]]
    labels = np.array([0, 1])
    members = {"x_train": rows, "y_train": labels, "x_test": rows, "y_test": labels} | changed
    np.savez(tmp_path / "imdb.npz", **members)
    with pytest.raises(DataError, match=message) as caught:
        data.load("imdb", data_dir=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'imdb.npz'}: ")
    assert list(cache_folder.private_folder(None).iterdir()) == []


def test_a_file_without_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "reuters.npz", x=np.empty(0, object), y=np.zeros(0, np.int64))
    with pytest.raises(DataError, match="too few rows"):
        data.load("reuters", data_dir=tmp_path)


def test_every_error_is_one_that_a_command_can_report() -> None:
    for error in (DataError, InputOutputError, SpecError, UsageError):
        assert issubclass(error, FoldwatchError)


def test_label_names_and_addresses_are_the_published_ones() -> None:
    assert len(facts.REUTERS_TOPICS) == 46
    assert facts.REUTERS_TOPICS[3:5] == ("earn", "acq")
    assert data.DATASETS["imdb"].label_names == ("negative", "positive")


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_label_names_and_addresses_are_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src import datasets

    assert datasets.reuters.get_label_names() == facts.REUTERS_TOPICS
    asked: dict[str, Any] = {}

    def remember(**arguments: Any) -> None:
        asked.update(arguments)
        raise InterruptedError

    for name, known in (("reuters", facts.REUTERS), ("imdb", facts.IMDB)):
        monkeypatch.setattr(getattr(datasets, name), "get_file", remember)
        with pytest.raises(InterruptedError):
            getattr(datasets, name).load_data()
        assert (asked["origin"], asked["file_hash"]) == (known.address, known.sha256)


def test_reuters_has_its_published_sizes(real_data: Path) -> None:
    loaded = data.load("reuters", data_dir=real_data)
    assert (len(loaded.training), len(loaded.test)) == (8_982, 2_246)
    assert 81 < np.diff(loaded.training.indptr).mean() < 83
    entry = cache.entry_folder(loaded.folder.parent, "reuters", loaded.source_sha256, 10_000)
    assert entry == loaded.folder
