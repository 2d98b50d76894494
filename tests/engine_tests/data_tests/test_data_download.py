"""Files come from Keras' cache or Keras' addresses with Keras' hashes; a failure says what to do instead."""

from __future__ import annotations

import functools
import gc
import hashlib
import http.server
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import data
from engine.data import facts
from engine.errors import InputOutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# requests leaves the socket of a refused connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
NOBODY_THERE = "http://127.0.0.1:9/imdb.npz"


@pytest.fixture(autouse=True)
def no_sockets_left() -> Iterator[None]:
    """They are collected here, not in the middle of another test."""
    yield
    gc.collect()


def test_the_keras_cache_is_used(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = tmp_path / "keras" / "datasets"
    keras.mkdir(parents=True)
    content = (data_folder / "imdb.npz").read_bytes()
    (keras / "imdb.npz").write_bytes(content)
    own = replace(facts.IMDB, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(facts.DATASETS, "imdb", own)
    assert data.whereabouts("imdb").origin == "Keras cache"
    assert len(data.load("imdb", num_words=100).training) == 40


def test_a_strange_file_in_the_keras_cache_is_not_used(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(facts.DATASETS, "imdb", replace(facts.IMDB, address=NOBODY_THERE))
    keras = tmp_path / "keras" / "datasets"
    keras.mkdir(parents=True)
    (keras / "imdb.npz").write_bytes((data_folder / "imdb.npz").read_bytes())
    lines: list[str] = []
    with pytest.raises(InputOutputError, match="download"):
        data.load("imdb", progress=lines.append)
    assert f"pass --data-dir {keras}" in lines[0]


@pytest.fixture
def server(data_folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(data_folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/imdb.npz"
        running.shutdown()
        thread.join()


def test_a_download(server: str, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = hashlib.sha256((data_folder / "imdb.npz").read_bytes()).hexdigest()
    monkeypatch.setitem(facts.DATASETS, "imdb", replace(facts.IMDB, address=server, sha256=sha256))
    assert not data.whereabouts("imdb").at_hand
    lines: list[str] = []
    loaded = data.load("imdb", num_words=100, progress=lines.append)
    assert len(loaded.training) == 40
    assert lines[0] == f"downloading {server}"
    assert any(" MB" in line for line in lines)
    place = data.whereabouts("imdb")
    assert (place.origin, place.at_hand) == ("downloaded before", True)
    assert place.path is not None
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600
    # The second time nothing is fetched.
    (data_folder / "imdb.npz").unlink()
    lines.clear()
    assert data.load("imdb", num_words=100, progress=lines.append).digest == loaded.digest
    assert lines == []


def test_a_download_with_another_hash(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(facts.DATASETS, "imdb", replace(facts.IMDB, address=server))
    with pytest.raises(InputOutputError, match="hash") as caught:
        data.load("imdb")
    assert "put imdb.npz in a folder and pass --data-dir" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not data.whereabouts("imdb").at_hand


@pytest.mark.parametrize("ending", ["missing", ""])
def test_a_download_that_fails(ending: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{server}.{ending}" if ending else NOBODY_THERE
    monkeypatch.setitem(facts.DATASETS, "imdb", replace(facts.IMDB, address=address))
    with pytest.raises(InputOutputError, match="failed") as caught:
        data.load("imdb")
    assert "put imdb.npz in a folder and pass --data-dir" in str(caught.value)
    assert caught.value.exit_code == 74
