"""The API knows what was published, which is on disk; what it has handed out stands still until somebody asks again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import NoBestError
from engine.search.search import Search
from engine.session.events import FitScored
from engine.session.session import open_session
from tests.fakes import FAKE_WORKER, Fault, fake_search, told

if TYPE_CHECKING:
    from pathlib import Path

SPACE: dict[str, Any] = {"epochs": 2, "hidden_units": [8, 16]}


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the first training of the smaller network waits, after one of the larger one has ended."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    marks = tmp_path / "marks"
    marks.mkdir()
    for name, value in told(Fault("gate", units=8, times=1, marks=str(marks), path=str(path))).items():
        monkeypatch.setenv(name, value)
    return path


def test_a_score_shows_when_it_is_on_disk(surroundings: Path, gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.search.recorder.SYNC_SECONDS", 1e12)  # nothing lasts before the end
    search = fake_search(surroundings, SPACE, workers=1)
    search.start()
    with gate.open("wb"):
        assert search.session is not None
        assert search.session.state().fits_finished == 1  # in the record, as far as anybody can see
        assert search.state.fits_finished == 0
        with pytest.raises(NoBestError):
            assert search.best_score_
        assert search.to_frame().empty
    assert search.wait() == "completed"
    assert search.state.fits_finished == 6
    assert search.best_score_ == search.session.state().ranked()[0][1].mean("accuracy")[0]


def test_what_was_handed_out_stands_still(surroundings: Path, gate: Path) -> None:
    search = fake_search(surroundings, SPACE, workers=1)
    subscriber = search.subscribe()
    search.start()
    with gate.open("wb"):
        while not isinstance(subscriber.get(timeout=30), FitScored):
            pass
        state, report = search.state, search.report()
        assert state.fits_finished == 1
    while subscriber.get(timeout=30) is not None:
        pass
    assert state.fits_finished == 1
    assert search.state.fits_finished == 6
    assert (report.state.fits_finished, report.counts["partial"]) == (1, 1)
    assert "partial" in report.to_text()


def test_everything_can_be_asked_for_at_every_event(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE)
    scored = 0
    for event in search.run():
        scored += isinstance(event, FitScored)
        assert search.state.fits_finished >= scored
        assert search.report().state.fits_finished >= scored
        assert len(search.to_frame()) == len(search.cv_results_["params"]) == len(search.state.combinations)
    assert search.state.fits_finished == scored == 6


def test_before_and_after_an_engine_it_is_what_the_record_says(surroundings: Path) -> None:
    assert fake_search(surroundings, SPACE).state.combinations == []
    search = fake_search(surroundings, SPACE, name="first")
    for event in search.run():
        if isinstance(event, FitScored):
            break  # which interrupts it
    session = open_session("first", surroundings)
    finished = session.state().fits_finished
    assert 0 < finished == search.state.fits_finished
    again = Search.of_session("first", sessions=surroundings, worker_command=FAKE_WORKER)
    assert again.state.fits_finished == finished
    seen = [again.state.fits_finished for _ in again.run()]
    assert seen[0] == finished  # what the engine before had scored counts from the first event on
    assert seen == sorted(seen)
    assert again.state.fits_finished == 6
    assert again.state.combinations == session.state().combinations
