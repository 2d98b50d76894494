"""A session that version 0.1 wrote, interrupted after five of ten fits: it is read, goes on, and is taken over from."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.search.search import Search
from engine.session.events import FitScored, SearchStarted
from engine.session.session import open_session
from tests.fakes import FAKE_WORKER

ARCHIVE = Path(__file__).parents[1] / "session_of_0_1.tar.gz"
NAME = "of-0-1"
# Combination 0 has dropout in the keras trainer; 2 and 3 have boundary_epochs; 1 and 4 no rule that has changed.
SCORED = {(0, 0), (0, 1), (1, 1), (2, 1), (3, 1)}
OLDER = ["dropout: #0 (folds 0, 1)", "boundary_epochs: #2 (fold 1), #3 (fold 1)"]


@pytest.fixture
def old(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of sessions with it, on the machine and with the libraries that it began with."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(surroundings, filter="data")
    record = open_session(NAME, surroundings).record
    monkeypatch.setattr("engine.system.machine.cpu_model", lambda: record.cpu)
    monkeypatch.setattr("engine.system.machine.versions", lambda *_: {**record.versions, "foldwatch": "0.2.0"})
    return surroundings


def test_it_is_read(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = ["--sessions", str(old)]
    assert main(["list", *there]) == 0
    assert NAME in capsys.readouterr().out
    assert main(["show", NAME, *there]) == 0
    shown = capsys.readouterr().out
    assert "5 of 10" in shown
    assert all(which in shown for which in OLDER)
    assert main(["export", NAME, "--format", "json", *there]) == 0
    exported = capsys.readouterr().out
    assert json.loads(exported)
    assert "adafactor" in exported


def test_it_goes_on_where_it_was_and_says_what_an_older_rule_scored(old: Path) -> None:
    resumed = Search.of_session(NAME, sessions=old, workers=1, worker_command=FAKE_WORKER)
    happened = list(resumed.run())
    assert resumed.outcome == "completed"
    started = next(event for event in happened if isinstance(event, SearchStarted))
    assert sorted(started.older) == sorted(OLDER)
    scored = {(event.combination, event.fold) for event in happened if isinstance(event, FitScored)}
    assert scored == {(combination, fold) for combination in range(5) for fold in range(2)} - SCORED


def test_what_no_changed_rule_touches_is_taken_over_alone(old: Path) -> None:
    session = open_session(NAME, old)
    before = session.state().combinations[1].scores_of("accuracy")
    again = Search(session.spec, sessions=old, workers=1, worker_command=FAKE_WORKER)
    happened = [event for event in again.run() if isinstance(event, FitScored)]
    assert {(event.combination, event.fold) for event in happened if event.taken_from} == {(1, 1)}
    assert {(event.combination, event.fold) for event in happened} == {
        (one, fold) for one in range(5) for fold in (0, 1)
    }
    assert again.state.combinations[1].score("accuracy", 1) == before[1]
