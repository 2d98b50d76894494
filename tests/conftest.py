"""What tests of every kind share: parsed data made once, and surroundings that hold nothing of the user's."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def parsed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the small sample, made once."""
    from engine import data
    from tests.fakes import SMALL

    folder = tmp_path_factory.mktemp("cache")
    data.load("sample", num_words=SMALL["num_words"], cache_dir=folder)
    return folder


@pytest.fixture
def surroundings(parsed_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, no settings of the user's, the sample at hand; signals as they were, afterwards.

    The folder that sessions go to, which does not exist yet.
    """
    for name in ("FOLDWATCH_DATA", "FOLDWATCH_SESSIONS", "FOLDWATCH_TEST_FAULT", "FOLDWATCH_TEST_KEEP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOLDWATCH_CACHE", str(parsed_data))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("COLUMNS", "80")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield tmp_path / "sessions"
    for number, handler in handlers.items():
        signal.signal(number, handler)
