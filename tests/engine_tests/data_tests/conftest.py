"""Small data files of Keras' layout, and the real ones where they are at hand."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.sources.keras_files import KerasFile
from engine.data.sources.npz import SourceFile

REAL_DATA = Path(__file__).parents[3].parent / "shared" / "data"


def object_array(rows: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def random_rows(count: int, seed: int, vocabulary: int = 300) -> list[list[int]]:
    chance = random.Random(seed)
    return [
        [min(int(chance.expovariate(1 / 40)) + 1, vocabulary) for _ in range(chance.randrange(0, 60))]
        for _ in range(count)
    ]


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A folder with a small reuters.npz (60 rows) and imdb.npz (40 and 30 rows)."""
    folder = tmp_path / "given"
    folder.mkdir()
    rows = random_rows(60, 1)
    rows[7] = [*range(1, 3001), 70_000, 2_000_000_000]
    np.savez_compressed(folder / "reuters.npz", x=object_array(rows), y=np.arange(60) % 46)
    np.savez(
        folder / "imdb.npz",
        x_train=object_array(random_rows(40, 2)),
        y_train=np.arange(40) % 2,
        x_test=object_array(random_rows(30, 3)),
        y_test=np.arange(30) % 2,
    )
    return folder


@pytest.fixture
def real_data() -> Path:
    if not (REAL_DATA / "imdb.npz").is_file():
        pytest.skip("the real data files are not at hand")
    return REAL_DATA


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's caches or settings, and none can reach the network by accident."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.delenv("FOLDWATCH_DATA", raising=False)
    monkeypatch.setenv("FOLDWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were parsed."""
    parsed: list[Path] = []
    original = KerasFile.parts_of

    def counted(dataset: KerasFile, source: SourceFile, num_words: int) -> Any:
        parsed.append(source.path)
        return original(dataset, source, num_words)

    monkeypatch.setattr(KerasFile, "parts_of", counted)
    return parsed
