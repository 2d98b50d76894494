"""However a training is interrupted, it goes on from its last checkpoint, and ends as if it had never been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from engine.errors import UsageError
from engine.search.search import Search
from engine.session import requests
from engine.session.events import (
    EpochEnded,
    Event,
    FitRetried,
    FitScored,
    SearchFinished,
    SearchPaused,
    SearchStopping,
    TrainingStarted,
    from_json,
)
from engine.session.session import open_session
from tests.fakes import FAKE_WORKER, KEEP_VARIABLE, REAL_WORKER, Fault, fake_search, same_results, told
from tests.marks import first_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Long enough to be interrupted several times, though a worker is ahead of its engine by all that its pipe holds; what
# else there is to a training's state, the trainers' own tests have.
EPOCHS = 2400
SPACE: dict[str, Any] = {"epochs": [EPOCHS // 3, EPOCHS], "hidden_units": 8, "batch_size": 50, "optimizer": "sgd"}
WORKERS = {"fake": FAKE_WORKER, "kernel": REAL_WORKER, "keras": REAL_WORKER}
OPTIONS: dict[str, Any] = {
    "folds": 2,
    "workers": 1,
    "early_stopping": {"patience": 3, "stop": False},
    "scoring": ["accuracy", "f1_macro"],
}


def _of(happened: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in happened if isinstance(event, kind)]


def _resumed(sessions: Path, worker: tuple[str, ...]) -> Search:
    return Search.of_session("a", sessions=sessions, workers=1, worker_command=worker)


def _run_until(search: Search, epochs: int, end: Callable[[Search], object]) -> list[Event]:
    """Run until so many epochs have ended, and then until `end` has ended it."""
    subscriber = search.subscribe()
    search.start()
    happened: list[Event] = []
    is_asked = False
    while (event := subscriber.get(timeout=60)) is not None:
        happened.append(event)
        if len(_of(happened, EpochEnded)) >= epochs and not is_asked:
            is_asked = True
            try:
                end(search)
            except UsageError:  # it came after the end: then all had been trained
                assert search.wait() == "completed"
    search.wait()
    return happened


def _stop_and_pause(search: Search) -> None:
    search.stop()
    search.pause()


def _pause_and_stop(search: Search) -> None:
    search.pause()
    search.stop()


ENDS: dict[str, Callable[[Search], object]] = {
    "interrupt": lambda search: search.interrupt(),
    "pause and stop": _pause_and_stop,
    "stop at once": lambda search: search.stop(at_once=True),
    "deadline": lambda search: search._ask(requests.SetDeadline(at=1.0)),
}


def _assert_same(search: Search, undisturbed: Search) -> None:
    """Scores to the last bit, whole curves, and no checkpoint left."""
    assert same_results(search.cv_results_, undisturbed.cv_results_)
    assert search.session is not None
    assert undisturbed.session is not None
    for mine, other in zip(search.state.combinations, undisturbed.state.combinations, strict=True):
        assert (mine.stopped_at, mine.stopped_scores) == (other.stopped_at, other.stopped_scores)
        for fit, expected in zip(mine.fits, other.fits, strict=True):
            assert fit.curve is not None
            assert expected.curve is not None
            assert search.session.curve(fit.curve) == undisturbed.session.curve(expected.curve)
    assert not (search.session.folder / "checkpoints").exists()


@pytest.mark.parametrize(("how", "trainer"), first_of([(how, trainer) for trainer in WORKERS for how in ENDS]))
def test_nothing_is_trained_twice(how: str, trainer: str, surroundings: Path) -> None:
    worker = WORKERS[trainer]
    options = {**OPTIONS, "worker_command": worker, "trainer": "keras" if trainer == "keras" else "auto"}
    # Whoever compiles the kernel may round otherwise than whoever loads it.
    list(fake_search(surroundings, {**SPACE, "epochs": 1}, **options).run())
    undisturbed = fake_search(surroundings, SPACE, fresh=True, **options)
    list(undisturbed.run())
    search = fake_search(surroundings, SPACE, fresh=True, name="a", **options)
    happened = _run_until(search, 10, ENDS[how])
    interruptions = 0
    while search.outcome != "completed":
        interruptions += 1
        search = _resumed(surroundings, worker)
        happened += _run_until(search, EPOCHS // 2, ENDS[how])
    assert interruptions >= 2
    epochs = [(event.training, event.epoch) for event in _of(happened, EpochEnded)]
    assert len(epochs) == len(set(epochs)) == 2 * EPOCHS
    scored = [(event.combination, event.fold) for event in _of(happened, FitScored)]
    assert len(scored) == len(set(scored)) == 4
    assert max(event.start for event in _of(happened, TrainingStarted)) > 0
    _assert_same(search, undisturbed)
    for combination in search.state.combinations:
        for fold, fit in enumerate(combination.fits):
            assert fit.seconds is not None
            started = [event for event in _of(happened, TrainingStarted) if event.fold == fold]
            assert 0 < fit.seconds < happened[-1].time - started[0].time


def test_a_paused_search_that_is_stopped_ends_at_once_and_says_so(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, name="a", **OPTIONS)
    statuses: list[str] = []

    subscriber = search.subscribe()
    search.start()
    while (event := subscriber.get(timeout=60)) is not None:
        if isinstance(event, EpochEnded) and not statuses:
            statuses.append("running")
            search.pause()
        elif isinstance(event, SearchPaused):
            statuses.append(str(search.state.status))
            search.stop()
        elif isinstance(event, SearchStopping):
            assert event.at_once
            statuses.append("stopping")
        elif isinstance(event, SearchFinished):
            statuses.append(event.outcome)
            assert "what was paused is kept" in event.message
            assert "foldwatch resume a" in event.message
    assert search.wait() == "stopped"
    assert statuses == ["running", "paused", "stopping", "stopped"]
    assert list((surroundings / "a" / "checkpoints").glob("*.checkpoint"))
    assert open_session("a", surroundings).status(open_session("a", surroundings).state()) == "stopped"


def test_a_search_that_finishes_its_fits_says_that_it_stops(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, name="a", **OPTIONS)
    happened = _run_until(search, 1, _stop_and_pause)
    assert search.outcome == "stopped"
    assert [event.at_once for event in _of(happened, SearchStopping)] == [False]
    # A pause that comes after it does not hold what is to be finished.
    assert not _of(happened, SearchPaused)
    assert len(_of(happened, FitScored)) == 2
    assert "does not fit a search that is stopping" in (surroundings / "a" / "engine.log").read_text()


def test_a_killed_worker_costs_what_came_after_the_last_checkpoint(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    space = {"epochs": [2, 9], "hidden_units": 8}
    undisturbed = fake_search(surroundings, space)
    list(undisturbed.run())
    monkeypatch.setenv(KEEP_VARIABLE, "0")
    for name, value in told(Fault("kill", epoch=6, times=1, marks=str(tmp_path))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, space, fresh=True)
    happened = list(search.run())
    (retried,) = _of(happened, FitRetried)
    again = [event for event in _of(happened, TrainingStarted) if event.training == retried.training]
    assert [(event.start, [fit.epochs for fit in event.fits]) for event in again] == [(0, [2, 9]), (5, [9])]
    _assert_same(search, undisturbed)


@pytest.mark.slow
def test_a_kill_within_an_epoch_costs_a_part_of_it(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"epochs": 2, "hidden_units": 64, "batch_size": 1, "optimizer": "sgd"}
    undisturbed = fake_search(surroundings, space, worker_command=REAL_WORKER, folds=2, workers=1)
    list(undisturbed.run())
    monkeypatch.setenv(KEEP_VARIABLE, "0")
    search = fake_search(surroundings, space, worker_command=REAL_WORKER, folds=2, workers=1, fresh=True)
    subscriber = search.subscribe()
    search.start()
    happened: list[Event] = []
    while (event := subscriber.get(timeout=60)) is not None:
        happened.append(event)
        if isinstance(event, TrainingStarted) and len(_of(happened, TrainingStarted)) == 1:
            assert search.session is not None
            while not list(search.session.folder.glob("checkpoints/*.checkpoint")):
                pass
            for worker in search.state.workers.values():
                os.kill(worker.pid, signal.SIGKILL)
    assert search.wait() == "completed"
    again = _of(happened, TrainingStarted)[1]
    assert (again.training, again.start) == (0, 0)
    assert 0 < again.start_step < again.steps_per_epoch
    _assert_same(search, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["engine", "engine and workers"])
def test_a_terminated_engine_is_resumed_within_a_training(whom: str, surroundings: Path) -> None:
    spec = Path("spec.toml")
    spec.write_text('dataset = "sample"\nnum_words = 1000\nfolds = 2\nspace = { epochs = 100000, hidden_units = 64 }\n')
    base = [sys.executable, "-P", "-m", "engine"]
    where = ["--sessions", str(surroundings), "--workers", "1", "--json"]
    reached = 0
    for command in (["run", str(spec), "--name", "a"], ["resume", "a"], ["resume", "a"]):
        seen = 0
        with subprocess.Popen([*base, *command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = from_json(line)
                if isinstance(event, TrainingStarted):
                    assert event.start >= reached  # the last epochs came after the stream had ended
                if isinstance(event, EpochEnded):
                    seen, reached = seen + 1, event.epoch
                    if seen == 20:
                        # What a service's manager does: it sends the signal to all of them at once.
                        workers = psutil.Process(process.pid).children() if whom == "engine and workers" else []
                        for one in [psutil.Process(process.pid), *workers]:
                            one.terminate()
        assert process.returncode == 128 + signal.SIGTERM
    assert reached >= 60
    state = open_session("a", surroundings).state()
    assert str(state.status) == "interrupted"
    assert len(list((surroundings / "a" / "checkpoints").iterdir())) == 1


def test_a_killed_engine_is_resumed_from_what_was_kept_by_time(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEEP_VARIABLE, "0")
    space = {"epochs": 60, "hidden_units": 8}
    undisturbed = fake_search(surroundings, space, folds=2, workers=1)
    list(undisturbed.run())
    code = (
        "import sys; from pathlib import Path; from tests.fakes import fake_search\n"
        "from engine.session.events import EpochEnded\n"
        f"search = fake_search(Path(sys.argv[1]), {space!r}, folds=2, workers=1, fresh=True, name='a')\n"
        "for event in search.run():\n"
        "    if isinstance(event, EpochEnded): print(event.epoch, flush=True)\n"
    )
    root = str(Path(__file__).parents[2])
    os.mkfifo("gate")
    faults = told(Fault("gate", epoch=40, path=str(Path("gate").absolute())))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(surroundings)],
        stdout=subprocess.PIPE,
        env={**os.environ, **faults, "PYTHONPATH": root},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 39:
                process.kill()
    search = _resumed(surroundings, FAKE_WORKER)
    happened = list(search.run())
    assert [event.start for event in _of(happened, TrainingStarted)] == [39, 0]
    _assert_same(search, undisturbed)
