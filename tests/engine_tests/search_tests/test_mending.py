"""A record that is damaged anywhere: a resume runs again what is lost, and ends as an undisturbed search would have."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.search.search import Search
from engine.session.events import CombinationsAdded, Steered
from engine.session.listing import summarise
from engine.session.session import open_session
from tests.broken_sessions import damage
from tests.fakes import FAKE_WORKER, FAULT_VARIABLE, Fault, fake_search, same_results, told

if TYPE_CHECKING:
    from pathlib import Path

SPACE: dict[str, Any] = {"epochs": [2, 5], "hidden_units": [8, 16]}
STRATEGIES: dict[str, Any] = {"grid": "grid", "halving": {"halving": "grid", "factor": 2}}
LINES = [
    ("grid", "SegmentOpened"),
    ("grid", "SearchStarted"),
    ("grid", "CombinationsAdded"),
    ("grid", "FitScored"),
    ("grid", "SearchFinished"),
    ("halving", "SearchStarted"),
    ("halving", "CombinationsAdded"),
    ("halving", "RoundDecided"),
    ("halving", "RungScored"),
]


@pytest.fixture(scope="module")
def made(parsed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """A complete session of each strategy, and its results; not to be changed."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        for name, strategy in STRATEGIES.items():
            space = {**SPACE, "epochs": 4} if name == "halving" else SPACE
            search = fake_search(tmp_path_factory.mktemp(name), space, strategy=strategy, name="whole")
            list(search.run())
            assert search.session is not None
            found[name] = search.session.folder, search.cv_results_
    return found


@pytest.mark.parametrize(("strategy", "kind"), LINES)
def test_what_a_damaged_line_held_is_run_again(
    strategy: str,
    kind: str,
    made: dict[str, tuple[Path, dict[str, Any]]],
    surroundings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, results = made[strategy]
    surroundings.mkdir()
    shutil.copytree(whole, surroundings / "damaged")
    damage(kind)(surroundings / "damaged")
    session = open_session("damaged", surroundings)
    assert session.status(session.state()) == summarise(session.folder).status == "damaged"
    search = Search.of_session("damaged", sessions=surroundings, worker_command=FAKE_WORKER)
    before = search.state.is_complete
    list(search.run())
    assert search.outcome == "completed"
    assert (before, search.state.is_complete) == (False, True)
    assert same_results(search.cv_results_, results)
    # Every reader agrees with it: the record, the list that reads the heartbeat, and the command.
    state, listed = session.state(), summarise(session.folder)
    assert state.is_complete
    assert (listed.status, listed.damages, listed.is_complete) == ("completed", 0, True)
    assert (listed.fits_finished, listed.fits_total) == (state.fits_finished, state.fits_total)
    assert state.best is not None
    assert (listed.best_combination, listed.best_score) == (state.best.index, state.best.mean("accuracy")[0])
    assert main(["resume", "damaged", "--sessions", str(surroundings)]) == 0
    assert "nothing is left to run" in capsys.readouterr().err


def test_a_record_that_a_later_combination_was_lost_from_goes_on(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = surroundings.with_name("gate")
    os.mkfifo(gate)
    for name, value in told(Fault("gate", units=8, path=str(gate))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {"epochs": [2], "hidden_units": [8, 16]}, name="steered", workers=1)
    subscriber = search.subscribe()
    search.start()
    with gate.open("wb") as opened:
        while not isinstance(subscriber.get(timeout=30), CombinationsAdded):
            pass
        search.clone(0, hidden_units=32)
        search.clone(0, hidden_units=64)
        seen = 0
        while seen < 2:
            seen += isinstance(subscriber.get(timeout=30), Steered)
        opened.write(b"123")  # each fold of the network of 8 may pass
        opened.flush()
        while subscriber.get(timeout=30) is not None:
            pass
    search.wait()
    monkeypatch.delenv(FAULT_VARIABLE)
    before = search.cv_results_
    assert len(before["params"]) == 4
    damage("Steered")(surroundings / "steered")
    again = Search.of_session("steered", sessions=surroundings, worker_command=FAKE_WORKER)
    list(again.run())
    assert (again.outcome, again.state.is_complete) == ("completed", True)
    after = again.cv_results_
    # Of the lost one nothing is known; whatever is known keeps its scores.
    assert after["params"] == [*before["params"][:2], {}, before["params"][3]]
    for number in (0, 1, 3):
        assert after["mean_test_score"][number] == before["mean_test_score"][number]
    assert str(again.state.combinations[2].status) == "dropped"
