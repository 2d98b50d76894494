"""Whatever a worker does costs the search at most one more try of what it held, and the reason is in the record."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.errors import SpecError
from engine.search.search import Search
from engine.session.events import (
    Event,
    FitFailed,
    FitRetried,
    FitScored,
    SearchStarted,
    TrainingStarted,
    WorkerDied,
    WorkerRecycled,
    WorkerStarted,
)
from tests.fakes import FAKE_WORKER, Fault, fake_search, same_results, told
from tests.marks import first_of

SPACE: dict[str, Any] = {"epochs": [2, 5], "hidden_units": [8, 16]}


@pytest.fixture
def marks(tmp_path: Path) -> str:
    """A folder in which processes count how often a fault has struck."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return str(folder)


def _run(search: Search, monkeypatch: pytest.MonkeyPatch, *faults: Fault) -> list[Event]:
    for name, value in told(*faults).items():
        monkeypatch.setenv(name, value)
    happened = list(search.run())
    workers = [event.pid for event in happened if isinstance(event, WorkerStarted)]
    alive = [pid for pid in workers if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert alive == []
    assert search.session is not None
    left = {path.name.partition(".")[0] for path in search.session.folder.iterdir()}
    assert left <= {"search", "folds", "journal", "curves", "predictions", "control", "heartbeat", "worker", "engine"}
    scored = [(event.combination, event.fold) for event in happened if isinstance(event, FitScored)]
    assert len(scored) == len(set(scored))
    return happened


def _of(happened: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in happened if isinstance(event, kind)]


@pytest.mark.parametrize(
    ("kind", "how"),
    first_of(
        [
            ("kill", "killed by SIGKILL"),
            ("segfault", "killed by SIGSEGV"),
            ("exit", "exit code 0"),
            ("exit with 7", "exit code 7"),
            ("half a line", "killed by SIGKILL"),
            ("long line", "more than 4 MiB"),
            ("bad json", "no message"),
            ("pickle", "no message"),
            ("grandchild", "killed by SIGKILL"),
            ("out of memory", "out of memory"),
        ],
        5,
    ),
)
def test_one_death_costs_one_retry(
    kind: str,
    how: str,
    surroundings: Path,
    monkeypatch: pytest.MonkeyPatch,
    marks: str,
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    canary = tmp_path / "canary"
    fault = Fault(kind, epoch=3, units=16, times=1, marks=marks, path=str(canary))
    search = fake_search(surroundings, SPACE)
    happened = _run(search, monkeypatch, fault)
    assert search.outcome == "completed"
    assert same_results(search.cv_results_, undisturbed)
    died, retried = _of(happened, WorkerDied), _of(happened, FitRetried)
    assert len(died) == (kind != "out of memory")
    assert len(retried) == 1
    assert how in retried[0].reason
    # Its 2-epoch fit had its score, and kept it.
    assert search.state.combinations[retried[0].combination].params == {"epochs": 5, "hidden_units": 16}
    started = [event.training for event in _of(happened, TrainingStarted)]
    assert len(started) == 7
    again = [event for event in _of(happened, TrainingStarted) if event.training == retried[0].training][1]
    assert [fit.epochs for fit in again.fits] == [5]
    assert search.state.fits_failed == 0
    assert not canary.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("kill", "its worker died: killed by SIGKILL, for the second time"),
        ("segfault", "its worker died: killed by SIGSEGV, for the second time"),
        ("exit", "its worker died: exit code 0, for the second time"),
        ("out of memory", "out of memory, for the second time"),
    ],
)
def test_a_second_death_fails_the_fit_and_nothing_else(
    kind: str, error: str, surroundings: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    search = fake_search(surroundings, SPACE)
    happened = _run(search, monkeypatch, Fault(kind, epoch=3, units=16))
    assert search.outcome == "completed"
    failed = _of(happened, FitFailed)
    assert {(event.combination, event.fold) for event in failed} == {(3, 0), (3, 1), (3, 2)}
    assert all(event.error.startswith(error) for event in failed), failed[0].error
    assert len(_of(happened, FitRetried)) == 3
    results = search.cv_results_
    for split in range(3):
        key = f"split{split}_test_score"
        assert list(results[key][:3]) == list(undisturbed[key][:3])
    assert results["rank_test_score"][3] == 4
    assert (search.state.fits_finished, search.state.fits_failed) == (12, 3)


def test_what_may_have_lacked_memory_runs_alone(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, marks: str
) -> None:
    search = fake_search(surroundings, {"epochs": 3, "hidden_units": [8, 16, 24]}, workers=3)
    happened = _run(search, monkeypatch, Fault("kill", units=24, times=1, marks=marks))
    assert search.outcome == "completed"
    assert search.state.fits_failed == 0
    again = {event.training for event in _of(happened, FitRetried)}
    running: set[int] = set()
    tries: dict[int, int] = {}
    for event in happened:
        if isinstance(event, TrainingStarted):
            tries[event.training] = tries.get(event.training, 0) + 1
            if event.training in again and tries[event.training] == 2:
                assert running == set()
            running.add(event.training)
        elif isinstance(event, FitScored | FitRetried):
            running.discard(event.training)


def test_workers_that_always_die_end_the_search_with_advice(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = fake_search(surroundings, {"epochs": [1], "hidden_units": list(range(8, 48, 4))})
    happened = _run(search, monkeypatch, Fault("exit"))
    assert search.outcome == "failed"
    assert "foldwatch logs" in search.state.message
    assert "exit code 0" in search.state.message
    assert len(_of(happened, WorkerDied)) <= 12
    # What was not tried is not said to have failed, and can be resumed.
    assert search.state.fits_failed < search.state.fits_total


def test_workers_that_cannot_start_end_the_search_with_advice(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1}, worker_command=("false",))
    list(search.run())
    assert search.outcome == "failed"
    assert "before they are ready" in search.state.message
    assert search.state.fits_failed == 0


def test_a_training_beyond_its_time_is_ended_and_fails(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    search = fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 16]}, folds=2, time_limit=0.3)
    faults = [Fault("ignore sigterm"), Fault("gate", epoch=2, units=16, path=str(tmp_path / "gate"))]
    happened = _run(search, monkeypatch, *faults)
    assert search.outcome == "completed"
    failed = _of(happened, FitFailed)
    assert {event.combination for event in failed} == {1}
    assert {event.error for event in failed} == {
        "took longer than time_limit = 0.3 s; resume with --retry and --time-limit gives it more"
    }
    assert search.state.combinations[0].status == "complete"


def test_a_resume_may_give_trainings_more_time(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    search = fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 16]}, folds=2, time_limit=0.3, name="a")
    _run(search, monkeypatch, Fault("ignore sigterm"), Fault("gate", epoch=2, units=16, path=str(tmp_path / "gate")))
    assert search.state.fits_failed == 2
    with pytest.raises(SpecError, match="time_limit: -1 is not accepted"):
        Search.of_session("a", sessions=surroundings, time_limit=-1)
    for limit in (600.0, None):  # what was given once holds for the engines after it
        again = Search.of_session("a", sessions=surroundings, time_limit=limit, worker_command=FAKE_WORKER)
        if limit:
            again.retry(1)
        happened = _run(again, monkeypatch)
        assert _of(happened, SearchStarted)[0].time_limit == 600.0
        assert again.state.fits_failed == 0


def test_a_killed_worker_that_holds_nothing_is_replaced(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = fake_search(surroundings, SPACE, workers=3)
    subscriber = search.subscribe()
    search.start()
    killed = False
    happened: list[Event] = []
    while (event := subscriber.get(timeout=30)) is not None:
        happened.append(event)
        if isinstance(event, WorkerStarted) and not killed:
            killed = True
            os.kill(event.pid, signal.SIGKILL)
    assert search.wait() == "completed"
    assert search.state.fits_failed == 0
    assert len(_of(happened, WorkerRecycled)) == 0


def test_a_flood_of_output_is_kept_off_the_disk(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    search = fake_search(surroundings, SPACE)
    _run(search, monkeypatch, Fault("flood"))
    assert search.outcome == "completed"
    assert same_results(search.cv_results_, undisturbed)
