"""Whatever becomes of the engine, every score it acknowledged stays, and a resume ends as if undisturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from engine.cli.main import main
from engine.search.search import Search
from engine.session.events import AnyEvent, FitScored, SearchStarted, WorkerStarted, from_json
from engine.session.requests import Pause, write_request
from engine.session.session import open_session
from tests.fakes import FAKE_WORKER, SMALL, Fault, same_results, told
from tests.marks import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
SPACE: dict[str, Any] = {"epochs": [2, 5], "hidden_units": [8, 16], "batch_size": [32, 64]}


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe that holds whoever reads it until somebody opens and closes its other end."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def _one_waits(gate: Path) -> dict[str, str]:
    """Tells workers that the first of them to begin a third epoch is to wait at the gate."""
    marks = tempfile.mkdtemp(dir=gate.parent)
    return told(Fault("gate", epoch=3, times=1, marks=marks, path=str(gate)))


class Engine:
    """`foldwatch run --json` in a process of its own."""

    def __init__(self, sessions: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        lines = [f"{key} = {json.dumps(value)}" for key, value in SMALL.items()]
        lines += ["[space]", *(f"{key} = {json.dumps(value)}" for key, value in SPACE.items())]
        Path("spec.toml").write_text("\n".join(lines))
        command = [sys.executable, "-P", str(ROOT / "tests" / "fake_command.py")]
        command += arguments or ("run", "spec.toml", "--name", "a", "--workers", "2")
        with Path("said").open("ab") as said:
            self.process = subprocess.Popen(
                [*command, "--json", "--sessions", str(sessions)],
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                start_new_session=True,
            )
        self.seen: list[AnyEvent] = []

    def events(self) -> Iterator[AnyEvent]:
        """What it prints, event by event; a line that its death cut short is none."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                self.seen.append(from_json(line))
                yield self.seen[-1]

    def until(self, enough: Callable[[AnyEvent], bool]) -> None:
        assert any(enough(event) for event in self.events()), Path("said").read_text()

    def until_scored(self, count: int) -> None:
        self.until(lambda _: sum(isinstance(event, FitScored) for event in self.seen) >= count)

    def kill(self) -> None:
        # Not waited for yet, so that its number is still its own.
        os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, when it has ended and everything it printed was read."""
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            for _ in self.events():
                pass
            self.process.stdout.close()
        return self.process.wait(30)

    def workers(self) -> list[psutil.Process]:
        return [
            psutil.Process(event.pid)
            for event in self.seen
            if isinstance(event, WorkerStarted) and psutil.pid_exists(event.pid)
        ]


@pytest.fixture
def engine(surroundings: Path, gate: Path) -> Iterator[Engine]:
    """An engine one of whose trainings waits at the gate, so that it cannot end by itself."""
    made = Engine(surroundings, environment=_one_waits(gate))
    yield made
    if made.process.poll() is None:
        made.kill()
    made.wait()


def _dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _assert_resumes(sessions: Path, acknowledged: list[AnyEvent], undisturbed: dict[str, Any]) -> None:
    """The invariant: acknowledged scores are there once, and a resume ends as if nothing had happened."""
    session = open_session("a", sessions)
    before = session.follow().poll()
    scored = {(e.combination, e.fold): e.scores for e in acknowledged if isinstance(e, FitScored)}
    recorded = {(e.combination, e.fold): e.scores for e in before if isinstance(e, FitScored)}
    assert scored.items() <= recorded.items()
    search = Search.of_session("a", sessions=sessions, worker_command=FAKE_WORKER)
    list(search.run())
    assert search.outcome == "completed"
    assert same_results(search.cv_results_, undisturbed)
    every = [(e.combination, e.fold) for e in session.follow().poll() if isinstance(e, FitScored)]
    assert len(every) == len(set(every)) == 24
    names = {path.name.partition(".")[0] for path in session.folder.iterdir()}
    assert names <= {"search", "folds", "journal", "curves", "predictions", "control", "heartbeat", "worker", "engine"}
    assert [path.name for path in sessions.iterdir()] == ["a"]


def test_a_killed_engine_loses_no_score_and_its_workers_end(
    engine: Engine, surroundings: Path, undisturbed: dict[str, Any]
) -> None:
    engine.until_scored(8)
    workers = engine.workers()
    assert len(workers) == 2
    engine.kill()
    _, alive = psutil.wait_procs(workers, timeout=2.0)
    assert [worker for worker in alive if not _dead(worker)] == []
    assert engine.wait() == -signal.SIGKILL
    session = open_session("a", surroundings)
    assert session.status(session.state()) == "crashed"
    _assert_resumes(surroundings, engine.seen, undisturbed)


@pytest.mark.parametrize(
    ("number", "code", "times"),
    first_of([(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 1), (signal.SIGTERM, 143, 2), (signal.SIGINT, 130, 1)]),
)
def test_an_asked_end_is_orderly_and_resumable(
    engine: Engine, surroundings: Path, undisturbed: dict[str, Any], number: signal.Signals, code: int, times: int
) -> None:
    engine.until_scored(2)
    workers = engine.workers()
    for _ in range(times):
        os.kill(engine.process.pid, number)
    assert engine.wait() == code
    assert all(_dead(worker) for worker in workers)
    session = open_session("a", surroundings)
    assert session.status(session.state()) == "interrupted"
    assert not session.liveness().alive
    assert "foldwatch resume a" in Path("said").read_text()
    assert "Traceback" not in Path("said").read_text()
    _assert_resumes(surroundings, engine.seen, undisturbed)


def test_a_hang_up_does_not_end_it(engine: Engine, gate: Path, surroundings: Path) -> None:
    engine.until_scored(1)
    os.kill(engine.process.pid, signal.SIGHUP)
    with gate.open("wb"):
        pass
    assert engine.wait() == 0
    assert len([event for event in engine.seen if isinstance(event, FitScored)]) == 24


@pytest.mark.slow
def test_who_reads_its_output_may_go(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(surroundings)
    engine.until(lambda event: isinstance(event, SearchStarted))
    assert engine.process.stdout is not None
    engine.process.stdout.close()
    code = engine.process.wait(30)
    assert "Traceback" not in Path("said").read_text()
    assert code in (0, 141)
    session = open_session("a", surroundings)
    assert session.status(session.state()) in ("completed", "interrupted")


@pytest.mark.slow
def test_a_held_session_is_named_with_its_owner(
    engine: Engine, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.until_scored(1)
    assert main(["resume", "a", "--sessions", str(surroundings)]) == 75
    assert f"pid {engine.process.pid}" in capsys.readouterr().err
    assert main(["delete", "a", "--yes", "--sessions", str(surroundings)]) == 75
    assert main(["run", "spec.toml", "--name", "a", "--sessions", str(surroundings)]) == 2
    assert "foldwatch resume a" in capsys.readouterr().err


@pytest.mark.slow
def test_a_frozen_engine_that_was_overtaken_counts_for_nothing_and_exits(
    engine: Engine, surroundings: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.until_scored(4)
    os.kill(engine.process.pid, signal.SIGSTOP)
    # As on another host, where a heart that is silent for long enough is taken for dead.
    with monkeypatch.context() as patch:
        patch.setattr("engine.session.session.liveness", lambda folder, opened: _nobody())
        _assert_resumes(surroundings, engine.seen, undisturbed)
        session = open_session("a", surroundings)
        before = session.follow().poll()
        heartbeat = (session.folder / "heartbeat").read_bytes()
        write_request(session.folder, Pause())
        os.kill(engine.process.pid, signal.SIGCONT)
        assert engine.wait() == 1
    assert session.follow().poll() == before
    # Nor does it speak in the other's name, or take what was asked of the other.
    assert (session.folder / "heartbeat").read_bytes() == heartbeat
    assert len(list((session.folder / "control").iterdir())) == 1
    assert "took this session over" in Path("said").read_text()


@pytest.mark.slow
def test_of_two_engines_at_once_one_wins_and_the_other_names_it(
    engine: Engine, gate: Path, surroundings: Path, undisturbed: dict[str, Any]
) -> None:
    engine.until_scored(2)
    engine.kill()
    engine.wait()
    pair = [Engine(surroundings, "resume", "a", environment=_one_waits(gate)) for _ in range(2)]
    # The one that lost ends; the one that won waits at the gate.
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    loser, winner = sorted(pair, key=lambda one: one.process.pid != ended.si_pid)
    assert loser.wait() == 75
    assert f"pid {winner.process.pid}" in Path("said").read_text()
    with gate.open("wb"):
        pass
    assert winner.wait() == 0
    _assert_resumes(surroundings, [*engine.seen, *winner.seen], undisturbed)


def _nobody() -> Any:
    from engine.session.liveness import Liveness

    return Liveness(alive=False, owner="nobody")
