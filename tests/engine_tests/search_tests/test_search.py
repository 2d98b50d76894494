"""A search in real worker processes with the fake trainer: the same scores however it runs, and it obeys."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from engine.cli.main import main
from engine.errors import NoBestError, SessionHeldError, SessionUnreadableError, SpecError, UsageError
from engine.search.request_handler import RequestHandler
from engine.search.search import Search
from engine.session import events, requests
from engine.session.combination import FitStatus
from engine.session.events import (
    CombinationDropped,
    CombinationsAdded,
    EpochEnded,
    Event,
    FitFailed,
    FitScored,
    SaveFailed,
    SearchFinished,
    SearchPaused,
    SearchResumed,
    SearchStarted,
    TrainingStarted,
    WorkerStarted,
)
from engine.session.session import open_session
from engine.system import machine
from engine.workers.process_pool import ProcessPool
from tests.fakes import FAKE_WORKER, SMALL, Fault, fake_search, same_results, told

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable

    from engine.session.state import SearchState

SPACE: dict[str, Any] = {"epochs": [2, 5], "hidden_units": [8, 16], "batch_size": [32, 64]}


def _of(happened: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in happened if isinstance(event, kind)]


def _tell(monkeypatch: pytest.MonkeyPatch, *faults: Fault) -> None:
    for name, value in told(*faults).items():
        monkeypatch.setenv(name, value)


def _until(
    subscriber: queue.SimpleQueue[Event | None], enough: Callable[[Event], bool], seen: list[Event] | None = None
) -> Event:
    """The first such event; those on the way go into `seen`."""
    while True:
        event = subscriber.get(timeout=30)
        assert event is not None, "the search ended"
        if seen is not None:
            seen.append(event)
        if enough(event):
            return event


def _rest(subscriber: queue.SimpleQueue[Event | None], seen: list[Event]) -> None:
    while (event := subscriber.get(timeout=30)) is not None:
        seen.append(event)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe at which a fault of kind "gate" waits until its other end was opened and closed."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def test_a_search_from_first_event_to_last(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE)
    happened = list(search.run())
    assert search.outcome == "completed"
    assert [type(event) for event in happened[:2]] == [SearchStarted, CombinationsAdded]
    assert happened[-1] == SearchFinished(time=happened[-1].time, outcome="completed")
    assert [event.time for event in happened] == sorted(event.time for event in happened)
    assert len(_of(happened, FitScored)) == 24
    assert len(_of(happened, TrainingStarted)) == 12
    assert len(_of(happened, EpochEnded)) == 60
    assert _of(happened, WorkerStarted)
    begun: set[int] = set()
    epoch_of: dict[int, int] = {}
    for event in happened:
        match event:
            case TrainingStarted():
                begun.add(event.training)
            case EpochEnded():
                assert event.training in begun
                assert event.epoch == epoch_of.get(event.training, 0) + 1
                epoch_of[event.training] = event.epoch
            case FitScored():
                assert epoch_of[event.training] == event.epochs
    seeds = {(event.fold, event.seed) for event in _of(happened, TrainingStarted)}
    assert len(seeds) == 3  # one for each fold, whatever the combination


def test_the_record_says_what_the_engine_saw(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, name="mine")
    happened = list(search.run())
    assert search.session is not None
    follower = search.session.follow()
    recorded = follower.poll()
    assert [event for event in happened if not isinstance(event, EpochEnded)] == [
        event for event in recorded if not isinstance(event, EpochEnded)
    ]
    assert _of(happened, EpochEnded) == _of(list(recorded), EpochEnded)
    assert follower.damages == []
    _assert_same_state(search.state, open_session("mine", surroundings).state())
    assert same_results(search.cv_results_, Search.of_session("mine", sessions=surroundings).cv_results_)
    for event in _of(happened, FitScored):
        curve = search.session.curve(event.curve)
        assert curve is not None
        assert (curve.training, len(curve.loss)) == (event.training, event.epochs)
        assert curve.validation_score[-1] == event.scores["accuracy"]


def _assert_same_state(live: SearchState, replayed: SearchState) -> None:
    assert live.combinations == replayed.combinations
    assert live.trainings == replayed.trainings
    assert live.workers == replayed.workers
    for name in ("status", "started", "fits_finished", "fits_failed", "fits_total", "message"):
        assert getattr(live, name) == getattr(replayed, name), name
    assert live.clock.seconds_before == replayed.clock.seconds_before
    assert live.elapsed() == replayed.elapsed()


def test_the_number_of_workers_changes_no_bit(surroundings: Path) -> None:
    results = []
    for workers in (1, 2, 4):
        search = fake_search(surroundings / str(workers), SPACE, workers=workers)
        list(search.run())
        results.append(search.cv_results_)
    assert same_results(results[0], results[1])
    assert same_results(results[0], results[2])
    assert len(set(results[0]["mean_test_score"])) > 4


def test_epochs_are_trained_once_and_score_as_alone(surroundings: Path) -> None:
    together = fake_search(surroundings / "together", {"epochs": [2, 4]})
    assert len(_of(list(together.run()), EpochEnded)) == 3 * 4
    for index, epochs in enumerate((2, 4)):
        alone = fake_search(surroundings / str(epochs), {"epochs": epochs})
        assert len(_of(list(alone.run()), EpochEnded)) == 3 * epochs
        for fold in range(3):
            key = f"split{fold}_test_score"
            assert together.cv_results_[key][index].tobytes() == alone.cv_results_[key][0].tobytes()


def test_combinations_of_equal_effect_run_once_and_are_both_scored(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 2, "optimizer": ["sgd", {"name": "sgd", "momentum": 0.0}]})
    happened = list(search.run())
    assert len(_of(happened, TrainingStarted)) == 3
    assert len(_of(happened, FitScored)) == 6
    results = search.cv_results_
    assert results["mean_test_score"][0] == results["mean_test_score"][1]
    assert list(results["rank_test_score"]) == [1, 1]
    assert search.best_index_ == 0


def test_random_search_and_repeats(surroundings: Path) -> None:
    space = {"epochs": [1, 2], "dropout": {"low": 0.0, "high": 0.5}}
    search = fake_search(surroundings, space, strategy={"random": 4}, folds=2, repeats=2)
    list(search.run())
    assert len(search.cv_results_["params"]) == 4
    assert [name for name in search.cv_results_ if name.startswith("split")] == [
        f"split{split}_test_score" for split in range(4)
    ]
    assert search.state.fits_finished == 16
    # What was drawn is in the record, and is not drawn again.
    assert search.session is not None
    again = Search.of_session(search.session.id, sessions=surroundings)
    assert again.cv_results_["params"] == search.cv_results_["params"]


def test_divergence_leaves_earlier_scores_and_ranks_last(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tell(monkeypatch, Fault("nan", epoch=3, units=16))
    search = fake_search(surroundings, {"epochs": [2, 5], "hidden_units": [8, 16]})
    happened = list(search.run())
    assert search.outcome == "completed"
    assert search.state.fits_failed == 0
    statuses = {
        (one.params["epochs"], one.params["hidden_units"]): str(one.status) for one in search.state.combinations
    }
    assert statuses == {(2, 8): "complete", (2, 16): "complete", (5, 8): "complete", (5, 16): "diverged"}
    assert [event.epoch for event in _of(happened, EpochEnded) if event.diverged] == [3, 3, 3]
    assert {event.loss for event in _of(happened, EpochEnded) if event.diverged} == {None}
    results = search.cv_results_
    assert results["rank_test_score"][3] == 4
    assert np.isnan(results["mean_test_score"][3])
    assert not np.isnan(results["mean_test_score"][:3]).any()
    values = json.loads(json.dumps(_as_values(search), allow_nan=False))
    assert values["combinations"][3]["mean"] is None


def _as_values(search: Search) -> dict[str, Any]:
    from engine.analysis.results import as_values

    return as_values(search.state, "a", "completed")


def test_what_diverged_or_is_complete_is_not_retried_and_no_engine_begins(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell(monkeypatch, Fault("nan", epoch=2, units=16))
    list(fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 16]}, name="a", folds=2).run())
    before = sorted(path.name for path in (surroundings / "a").iterdir())
    again = Search.of_session("a", sessions=surroundings)
    refused = {0: "is complete; there is nothing", 1: "diverged; with the same seed it would", 2: "accepted: 0 to 1"}
    for combination, why in refused.items():
        with pytest.raises(UsageError, match=why):
            again.retry(combination)
        number = str(combination)
        for command in (
            ["resume", "a", "--retry", number],
            ["resume", "a", "--detach", "--retry", number],
            ["retry", "a", "--combination", number],
        ):
            assert main([*command, "--sessions", str(surroundings)]) == 2
            assert why in capsys.readouterr().err
    assert sorted(path.name for path in (surroundings / "a").iterdir()) == before


def test_a_running_engine_refuses_to_retry_what_diverged(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    _tell(monkeypatch, Fault("nan", units=4096), Fault("gate", units=8, path=str(gate)))
    search = fake_search(surroundings, {"epochs": 1, "hidden_units": [8, 4096]}, workers=1, folds=2)
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    _until(subscriber, lambda event: isinstance(event, TrainingStarted) and event.fits[0].combination == 0, seen)
    assert search.session is not None
    with pytest.raises(UsageError, match="combination 1 diverged"):
        search.retry(1)
    search.session.request(requests.Retry(combination=1))
    search.session.request(requests.Pause())
    with gate.open("wb", buffering=0) as opened:
        _until(subscriber, lambda event: isinstance(event, SearchPaused), seen)
        search.resume()
        opened.write(b"all")
        _rest(subscriber, seen)
    assert search.wait() == "completed"
    assert not _of(seen, events.CombinationRestored)
    assert "combination 1 diverged" in (search.session.folder / "engine.log").read_text()


def test_a_fit_that_raises_is_recorded_and_the_search_goes_on(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tell(monkeypatch, Fault("raise", epoch=3, units=16))
    search = fake_search(surroundings, {"epochs": [2, 5], "hidden_units": [8, 16]})
    failed = _of(list(search.run()), FitFailed)
    assert search.outcome == "completed"
    assert {(event.combination, event.fold) for event in failed} == {(3, 0), (3, 1), (3, 2)}
    assert {event.error for event in failed} == {"RuntimeError: a fault that was ordered"}
    assert all("tests/fakes.py" in event.traceback for event in failed)
    assert search.state.fits_finished == search.state.fits_total == 12
    assert search.state.fits_failed == 3
    assert search.best_params_["hidden_units"] == 8 or search.best_params_["epochs"] == 2
    assert search.cv_results_["rank_test_score"][3] == 4


def test_failed_fits_are_run_again_when_asked(surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path) -> None:
    marks = gate.parent / "marks"
    marks.mkdir()
    _tell(monkeypatch, Fault("raise", units=4096, times=3, marks=str(marks)), Fault("gate", units=8, path=str(gate)))
    search = fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 4096]}, workers=1)
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    _until(subscriber, lambda event: isinstance(event, FitFailed) and event.fold == 2, seen)
    with gate.open("wb", buffering=0) as opened:
        search.retry(1)
        _until(subscriber, lambda event: isinstance(event, events.CombinationRestored), seen)
        opened.write(b"all")
        _rest(subscriber, seen)
    assert search.wait() == "completed"
    assert len(_of(seen, FitFailed)) == 3
    assert search.state.fits_failed == 0
    assert [str(one.status) for one in search.state.combinations] == ["complete"] * 2


def test_a_pause_holds_trainings_at_the_end_of_their_epoch(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    _tell(monkeypatch, Fault("gate", epoch=2, path=str(gate)))
    search = fake_search(surroundings, {"epochs": 4, "hidden_units": [8, 16]}, workers=1, folds=2)
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    with gate.open("wb"):
        search.pause()
        _until(subscriber, lambda event: isinstance(event, SearchPaused), seen)
    _until(subscriber, lambda event: isinstance(event, EpochEnded) and event.epoch == 2, seen)
    # While this is asked, recorded and told, an epoch that nobody holds would have ended many times.
    search.skip(0)
    _until(subscriber, lambda event: isinstance(event, CombinationDropped), seen)
    assert str(search.state.status) == "paused"
    assert max(event.epoch for event in _of(seen, EpochEnded)) == 2
    search.resume()
    _until(subscriber, lambda event: isinstance(event, SearchResumed), seen)
    with gate.open("wb"):
        pass
    _rest(subscriber, seen)
    assert search.wait() == "completed"
    assert len(_of(seen, EpochEnded)) == 8
    assert [str(one.status) for one in search.state.combinations] == ["dropped", "complete"]


def test_requests_through_files_do_the_same(surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path) -> None:
    _tell(monkeypatch, Fault("gate", epoch=2, units=16, path=str(gate)))
    search = fake_search(surroundings, {"epochs": 3, "hidden_units": [8, 16, 24]}, workers=1, name="a")
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    session = open_session("a", surroundings)
    with gate.open("wb"):
        session.request(requests.Pause())
        _until(subscriber, lambda event: isinstance(event, SearchPaused), seen)
        assert session.status(session.state()) == "paused"
        session.request(requests.Skip(combination=2))
        session.request(requests.Resume())
        session.request(requests.Resume())
        session.request(requests.Skip(combination=77))
        _until(subscriber, lambda event: isinstance(event, SearchResumed), seen)
        session.request(requests.Stop())
        session.request(requests.Skip(combination=0))
        _until(subscriber, lambda event: isinstance(event, CombinationDropped) and event.combination == 0, seen)
    # Fits that were running are finished, the rest is left.
    _rest(subscriber, seen)
    assert search.wait() == "stopped"
    assert list((session.folder / "control").iterdir()) == []
    assert "does not fit" in (session.folder / "engine.log").read_text()
    assert len(_of(seen, SearchResumed)) == 1
    state = session.state()
    assert state.combinations[2].dropped
    assert 0 < state.fits_finished < 9
    assert str(state.status) == session.status(state) == "stopped"


def test_stop_at_once_leaves_what_is_running(surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path) -> None:
    _tell(monkeypatch, Fault("gate", epoch=2, path=str(gate)))
    search = fake_search(surroundings, {"epochs": 3}, workers=1)
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    with gate.open("wb"):
        search.stop(at_once=True)
        _rest(subscriber, seen)
    assert search.wait() == "stopped"
    assert _of(seen, FitScored) == []
    assert search.state.trainings == {}
    with pytest.raises(NoBestError):
        _ = search.best_params_


def test_a_running_combination_is_skipped_and_asked_for_again(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    marks = gate.parent / "marks"
    marks.mkdir()
    _tell(monkeypatch, Fault("gate", epoch=2, units=8, times=1, marks=str(marks), path=str(gate)))
    search = fake_search(surroundings, {"epochs": 4, "hidden_units": [8, 16]}, workers=1, folds=2)
    subscriber, seen = search.subscribe(), list[Event]()
    search.start()
    with gate.open("wb"):
        search.skip(0)
        _until(subscriber, lambda event: isinstance(event, CombinationDropped), seen)
        assert set(search.state.combinations[0].statuses) <= {FitStatus.WAITING, FitStatus.SCORED}
        search.retry(0)
        _until(subscriber, lambda event: isinstance(event, events.CombinationRestored), seen)
    _rest(subscriber, seen)
    assert search.wait() == "completed"
    assert [str(one.status) for one in search.state.combinations] == ["complete"] * 2
    assert len(_of(seen, FitScored)) == 4


def test_leaving_the_iteration_interrupts_and_a_resume_completes(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    undisturbed = fake_search(surroundings / "whole", SPACE)
    list(undisturbed.run())
    # One training waits for what does not come.
    marks = gate.parent / "marks"
    marks.mkdir()
    _tell(monkeypatch, Fault("gate", times=1, marks=str(marks), path=str(gate)))
    search = fake_search(surroundings, SPACE, name="left", workers=3)
    scored = 0
    for event in search.run():
        scored += isinstance(event, FitScored)
        if scored == 5:
            break
    _tell(monkeypatch)
    assert search.outcome == "interrupted"
    before = open_session("left", surroundings)
    assert str(before.state().status) == "interrupted"
    assert 5 <= before.state().fits_finished < 24
    resumed = Search.of_session("left", sessions=surroundings, worker_command=FAKE_WORKER)
    happened = list(resumed.run())
    assert resumed.outcome == "completed"
    assert before.state().fits_finished == 24
    assert len(_of(happened, FitScored)) < 20
    assert same_results(resumed.cv_results_, undisturbed.cv_results_)
    every = [(event.combination, event.fold) for event in _of(list(before.follow().poll()), FitScored)]
    assert len(every) == len(set(every)) == 24


def test_resuming_what_is_complete_runs_nothing(surroundings: Path) -> None:
    list(fake_search(surroundings, {"epochs": 1}, name="done").run())
    resumed = Search.of_session("done", sessions=surroundings, worker_command=FAKE_WORKER)
    happened = list(resumed.run())
    assert resumed.outcome == "completed"
    assert _of(happened, TrainingStarted) == []


def test_scores_of_earlier_sessions_are_taken_over_unless_refused(surroundings: Path) -> None:
    list(fake_search(surroundings, {"epochs": [2], "hidden_units": [8, 16]}, name="narrow").run())
    wider = fake_search(surroundings, {"epochs": [2, 3], "hidden_units": [8, 16]}, name="wider")
    happened = list(wider.run())
    taken = {(event.combination, event.taken_from) for event in _of(happened, FitScored) if event.taken_from}
    assert taken == {(0, "narrow"), (1, "narrow")}
    assert len(_of(happened, FitScored)) == 12
    fresh = fake_search(surroundings, {"epochs": [2, 3], "hidden_units": [8, 16]}, fresh=True)
    happened = list(fresh.run())
    assert not any(event.taken_from for event in _of(happened, FitScored))
    assert same_results(fresh.cv_results_, wider.cv_results_)
    other_seed = fake_search(surroundings, {"epochs": 2, "hidden_units": 8}, seed=1)
    assert not any(event.taken_from for event in _of(list(other_seed.run()), FitScored))


def test_two_engines_cannot_work_on_one_session(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, gate: Path
) -> None:
    _tell(monkeypatch, Fault("gate", path=str(gate)))
    search = fake_search(surroundings, {"epochs": 1}, workers=1, name="held")
    search.start()
    second = Search.of_session("held", sessions=surroundings, worker_command=FAKE_WORKER)
    with pytest.raises(SessionHeldError, match=str(os.getpid())):
        second.start()
    with pytest.raises(UsageError, match="running already"):
        search.start()
    with pytest.raises(SessionHeldError):
        open_session("held", surroundings).delete()
    search.interrupt()
    assert search.wait(30) == "interrupted"
    assert not open_session("held", surroundings).liveness().alive


def test_changed_data_or_folds_are_not_resumed(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1}, name="changed")
    list(search.run())
    folder = surroundings / "changed"
    record = json.loads((folder / "search.json").read_text())
    for place, value in (("digest", "0" * 64), ("folds_sha256", "1" * 64)):
        changed = {**record, "data": {**record["data"], place: value}}
        (folder / "search.json").write_text(json.dumps(changed))
        with pytest.raises(SessionUnreadableError):
            Search.of_session("changed", sessions=surroundings, worker_command=FAKE_WORKER).start()
    assert [path.name for path in folder.glob("journal.*")] == ["journal.1.jsonl"]


def test_a_changed_spec_is_not_resumed(surroundings: Path) -> None:
    list(fake_search(surroundings, {"epochs": 1}, name="changed").run())
    path = surroundings / "changed" / "search.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(SessionUnreadableError, match=r"then [0-9a-f]{64}, now [0-9a-f]{64}"):
        Search.of_session("changed", sessions=surroundings, worker_command=FAKE_WORKER).start()


def test_other_versions_are_accepted_only_by_name(surroundings: Path) -> None:
    list(fake_search(surroundings, {"epochs": 1}, name="old").run())
    path = surroundings / "old" / "search.json"
    record = json.loads(path.read_text())
    record["versions"] |= {"numpy": "0.9", "python": "2.7", "scikeras": "0.1"}
    path.write_text(json.dumps({**record, "cpu": "Abacus"}))
    options: dict[str, Any] = {"sessions": surroundings, "worker_command": FAKE_WORKER}
    with pytest.raises(UsageError, match=r"CPU Abacus, now .*; numpy 0\.9, now .* --accept-versions"):
        Search.of_session("old", **options).start()
    resumed = Search.of_session("old", accept_versions=True, **options)
    list(resumed.run())
    assert resumed.outcome == "completed"
    changed = open_session("old", surroundings).state().changed_versions
    assert [change.split(",")[0] for change in changed] == ["CPU Abacus", "numpy 0.9"]
    # Which of its scores came of which versions nobody can tell any more: they are not taken over.
    path.write_text(json.dumps({**record, "versions": machine.versions()}))
    again = fake_search(surroundings, {"epochs": 1}, name="again")
    assert not any(event.taken_from for event in _of(list(again.run()), FitScored))


def test_a_request_at_the_end_is_obeyed_or_refused_but_never_lost(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_rest = RequestHandler.refuse_the_rest

    def too_late(self: RequestHandler) -> None:
        """As the loop is left: one that lies in the folder, and one from another thread."""
        requests.write_request(surroundings / "ending", requests.Save(path="/nowhere/a.keras", combination=7))
        assert not self.put(requests.Pause())
        refuse_the_rest(self)

    monkeypatch.setattr(RequestHandler, "refuse_the_rest", too_late)
    search = fake_search(surroundings, {"epochs": 1}, name="ending")
    happened = list(search.run())
    assert [event.path for event in _of(happened, SaveFailed)] == ["/nowhere/a.keras"]
    assert isinstance(happened[-1], SearchFinished)
    assert os.listdir(surroundings / "ending" / "control") == []
    assert "the search had ended" in (surroundings / "ending" / "engine.log").read_text()
    for ask in (search.pause, lambda: search.skip(0)):
        with pytest.raises(UsageError, match="not running"):
            ask()


def test_a_search_that_cannot_begin_leaves_no_workers(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(*arguments: object) -> None:
        message = "another engine was faster"
        raise SessionHeldError(message)

    monkeypatch.setattr("engine.search.loop.Recorder", overtaken)
    started: list[int] = []
    start = ProcessPool.start

    def noted(self: ProcessPool, number: int, environment: dict[str, str]) -> None:
        start(self, number, environment)
        started.append(self.facts(number).pid)

    monkeypatch.setattr(ProcessPool, "start", noted)
    with pytest.raises(SessionHeldError):
        fake_search(surroundings, {"epochs": 1}).start()
    assert len(started) == 2
    assert not any(psutil.pid_exists(pid) for pid in started)


def test_what_cannot_be_asked(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1})
    for ask in (search.pause, search.resume, search.stop, lambda: search.skip(0), lambda: search.retry(0)):
        with pytest.raises(UsageError, match="not running"):
            ask()
    with pytest.raises(NoBestError):
        _ = search.best_params_
    with pytest.raises(UsageError, match="workers: 0"):
        fake_search(surroundings, {"epochs": 1}, workers=0)
    with pytest.raises(SpecError, match=r"space\.epochs: 0"):
        fake_search(surroundings, {"epochs": 0})
    assert not surroundings.exists()
    assert search.wait() is None


@pytest.mark.slow
def test_scorers_that_know_all_labels_run_where_a_fold_lacks_a_class(surroundings: Path) -> None:
    # The real worker: of 46 topics, the folds of 300 rows lack many.
    scoring = ["neg_log_loss", "top_k_accuracy", "neg_brier_score", "d2_log_loss_score", "d2_brier_score"]
    search = Search(sessions=surroundings, space={"epochs": [1, 2]}, scoring=scoring, workers=1, name="all", **SMALL)
    list(search.run())
    results = search.cv_results_
    for metric in scoring:
        assert np.isfinite(results[f"mean_test_{metric}"]).all(), metric
    assert (results["mean_score_time"] > 0).all()
    assert (results["mean_score_time"] < results["mean_fit_time"]).all()
    # What was measured is read back, and taken over with the scores.
    again = Search.of_session("all", sessions=surroundings)
    assert again.cv_results_["mean_score_time"].tolist() == results["mean_score_time"].tolist()
    taking = Search(sessions=surroundings, space={"epochs": 2}, scoring=scoring, workers=1, **SMALL)
    assert all(event.taken_from for event in _of(list(taking.run()), FitScored))
    assert taking.cv_results_["mean_score_time"][0] == results["mean_score_time"][1]


def test_python_values_mean_what_toml_means(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": range(1, 3), "hidden_units": np.array([8, 16])}, scoring="accuracy")
    list(search.run())
    assert search.cv_results_["params"] == [{"epochs": e, "hidden_units": u} for e in (1, 2) for u in (8, 16)]
    frame = search.to_frame()
    assert list(frame["combination"]) == [0, 1, 2, 3]
    assert list(frame["status"]) == ["complete"] * 4


def test_a_session_whose_folder_is_moved_is_still_read(surroundings: Path, tmp_path: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1}, name="here")
    list(search.run())
    shutil.copytree(surroundings / "here", tmp_path / "elsewhere" / "there")
    moved = Search.of_session("there", sessions=tmp_path / "elsewhere")
    assert same_results(moved.cv_results_, search.cv_results_)


def test_each_request_to_save_gets_its_own_answer(
    surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of one combination: to a place where nothing can be written, and to one that is no model's name."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "marks").mkdir()
    fault = Fault("gate", units=16, times=1, marks=str(tmp_path / "marks"), path=str(gate))
    for name, value in told(fault).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {"epochs": 1, "hidden_units": [8, 16]}, name="a", fresh=True)
    subscriber = search.subscribe()
    search.start()
    while search.state.best is None:
        assert subscriber.get(timeout=60) is not None
    wanted = {"one": str(tmp_path / "missing" / "best.keras"), "two": str(tmp_path / "best.txt")}
    for request, path in wanted.items():
        search._ask(requests.Save(path=path, combination=0, request=request))
    answers: dict[str, tuple[str, int]] = {}
    while len(answers) < 2:
        event = subscriber.get(timeout=60)
        assert event is not None
        if isinstance(event, events.SaveFailed):
            answers[event.request] = event.path, event.exit_code
    search.interrupt()
    search.wait()
    assert {request: path for request, (path, _) in answers.items()} == wanted
    # A folder that is not there cannot be written (73); another ending is the user's mistake (2).
    assert {request: code for request, (_, code) in answers.items()} == {"one": 73, "two": 2}


def test_a_search_that_cannot_be_assembled_leaves_no_file_open(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "it cannot be made"
        raise RuntimeError(message)

    monkeypatch.setattr("engine.search.loop.Controller", broken)
    before = set(_open_files())
    with pytest.raises(RuntimeError, match="it cannot be made"):
        fake_search(surroundings, {"epochs": 1}, name="a").start()
    after = set(_open_files())
    assert not [path for path in after - before if str(surroundings) in path]


def _open_files() -> list[str]:
    """What the descriptors of this process lead to."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not say which files are open")
    found = []
    for place in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # of looking at the folder itself
            found.append(str(place.readlink()))
    return found
