"""A running search is changed in steps that hold as a whole, are on disk, and can be taken back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.errors import SpecError, UsageError
from engine.search.search import Search
from engine.session.events import Steered, TrainingStarted
from tests.fakes import FAKE_WORKER, Fault, fake_search, told

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE: dict[str, Any] = {"epochs": [2, 4], "hidden_units": [8, 16], "batch_size": [32, 64]}


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe at which the second epoch of every training waits, until its other end is opened and closed."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def held(surroundings: Path, gate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Search]:
    """A search whose only worker waits inside its first training."""
    marks = tmp_path / "marks"
    marks.mkdir()
    for name, value in told(Fault("gate", epoch=2, times=1, marks=str(marks), path=str(gate))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, workers=1, name="a", fresh=True)
    subscriber = search.subscribe()
    search.start()
    while not isinstance(subscriber.get(timeout=30), TrainingStarted):
        pass
    yield search
    search.interrupt()
    search.wait()


def _step(search: Search, subscriber: Any) -> Steered:
    while True:
        event = subscriber.get(timeout=30)
        assert event is not None
        if isinstance(event, Steered):
            return event


def _end(search: Search, gate: Path) -> None:
    gate.open("wb").close()
    assert search.wait(60) == "completed"


def test_added_values_meet_all_values_of_the_others(held: Search, gate: Path, surroundings: Path) -> None:
    subscriber = held.subscribe()
    held.add_values(hidden_units=[24])
    assert len(_step(held, subscriber).added) == 4
    held.add_values(epochs=[3])
    assert len(_step(held, subscriber).added) == 6
    _end(held, gate)
    wide = fake_search(surroundings, {**SPACE, "hidden_units": [8, 16, 24], "epochs": [2, 4, 3]}, fresh=True)
    list(wide.run())

    def scores(search: Search) -> dict[str, Any]:
        return {repr(sorted(one.params.items())): [fit.scores for fit in one.fits] for one in search.state.combinations}

    assert scores(held) == scores(wide)


def test_dropped_values_do_not_run_and_undo_brings_them_back(held: Search, gate: Path) -> None:
    subscriber = held.subscribe()
    held.drop_values("batch_size", 64)
    dropped = _step(held, subscriber).dropped
    assert len(dropped) == 4
    assert {held.state.combinations[index].params["batch_size"] for index in dropped} == {64}
    held.drop_values("hidden_units", 16)
    assert len(_step(held, subscriber).dropped) == 2
    held.undo()
    assert _step(held, subscriber).undoes
    _end(held, gate)
    statuses = {one.params["batch_size"]: str(one.status) for one in held.state.combinations}
    assert statuses == {32: "complete", 64: "dropped"}


def test_the_default_can_be_dropped_by_the_name_that_results_give_it(held: Search, gate: Path) -> None:
    subscriber = held.subscribe()
    held.add_values(learning_rate=[0.01])
    added = len(_step(held, subscriber).added)
    held.drop_values("learning_rate", "default")
    dropped = _step(held, subscriber).dropped
    assert dropped
    assert not any("learning_rate" in held.state.combinations[index].params for index in dropped)
    _end(held, gate)
    complete = [one for one in held.state.combinations if str(one.status) == "complete"]
    assert sum("learning_rate" in one.params for one in complete) == added


def test_a_clone_is_one_combination_and_comes_first(held: Search, gate: Path) -> None:
    subscriber = held.subscribe()
    held.clone(0, optimizer={"name": "sgd", "momentum": 0.9})
    added = _step(held, subscriber).added
    assert [one.params for one in added] == [
        {**held.state.combinations[0].params, "optimizer": "sgd", "optimizer__momentum": 0.9}
    ]
    held.put_first(7)
    _step(held, subscriber)
    assert held.state.first == [7, 8]
    _end(held, gate)
    started = []
    while (event := subscriber.get()) is not None:
        if isinstance(event, TrainingStarted):
            started.append({fit.combination for fit in event.fits})
    assert 7 in started[0]
    assert {8} in started[3:6]


def test_steps_outlast_the_engine(held: Search, surroundings: Path) -> None:
    subscriber = held.subscribe()
    held.add_values(hidden_units=[24])
    held.drop_values("batch_size", 64)
    _step(held, subscriber)
    _step(held, subscriber)
    held.interrupt()
    held.wait()
    resumed = Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER)
    assert [step.words.split(":")[0] for step in resumed.state.steps] == [
        "added hidden_units 24",
        "dropped batch_size 64",
    ]
    resumed.start()
    assert resumed.wait(60) == "completed"
    status = [str(one.status) for one in resumed.state.combinations]
    assert (status.count("complete"), status.count("dropped")) == (6, 6)
    again = fake_search(surroundings, {**SPACE, "hidden_units": [8, 16, 24]}, fresh=True)
    list(again.run())
    for one in resumed.state.combinations:
        if str(one.status) == "complete":
            (other,) = (other for other in again.state.combinations if other.params == one.params)
            assert [fit.scores for fit in one.fits] == [fit.scores for fit in other.fits]


def test_what_means_nothing_is_refused_at_once(held: Search, surroundings: Path) -> None:
    with pytest.raises(UsageError, match="there already"):
        held.add_values(hidden_units=[8])
    with pytest.raises(SpecError, match="hidden_unit"):
        held.add_values(hidden_unit=[8])
    with pytest.raises(UsageError, match="batch_size is: 32, 64"):
        held.drop_values("batch_size", 65)
    with pytest.raises(UsageError, match="0 to 7"):
        held.put_first(8)
    with pytest.raises(UsageError, match="combination 0, which is there"):
        held.clone(0, batch_size=32)
    with pytest.raises(SpecError, match="one combination"):
        held.clone(0, batch_size=[16, 24])
    with pytest.raises(UsageError, match="nothing was changed"):
        held.undo()
    drawn = fake_search(surroundings, SPACE, strategy={"random": 2})
    with pytest.raises(UsageError, match="draws its combinations"):
        drawn.add_values(hidden_units=[9])


def test_the_same_by_command(held: Search, gate: Path, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sessions = ["--sessions", str(surroundings)]
    subscriber = held.subscribe()
    assert main(["add", "a", "hidden_units=24", *sessions]) == 0
    assert "added hidden_units 24: 4 combinations" in capsys.readouterr().err
    assert len(_step(held, subscriber).added) == 4
    assert main(["drop", "a", "batch_size=64", *sessions]) == 0
    _step(held, subscriber)
    assert main(["first", "a", "--combination", "1", *sessions]) == 0
    _step(held, subscriber)
    assert main(["clone", "a", "--combination", "1", "optimizer=adam", *sessions]) == 0
    _step(held, subscriber)
    assert main(["undo", "a", *sessions]) == 0
    assert _step(held, subscriber).undoes
    assert main(["drop", "a", "batch_size=7", *sessions]) == 2
    assert main(["add", "a", "hidden_units", *sessions]) == 2
    said = capsys.readouterr().err
    assert "no combination has batch_size = 7" in said
    assert "NAME=VALUE" in said
    _end(held, gate)
