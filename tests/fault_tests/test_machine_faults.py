"""What the machine takes away under a running search: room, the folder, descriptors, the clock. Never a score."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.analysis.forecast.remaining import remaining_seconds
from engine.cli.main import main
from engine.errors import FoldwatchError, InputOutputError
from engine.search.loop import RunningSearch
from engine.search.search import Search
from engine.session.events import FitFailed, FitScored, SearchStarted
from engine.session.session import open_session
from tests.fake_command import FakeSearch
from tests.fakes import FAKE_WORKER, Clock, Fault, fake_search, same_results, told

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE: dict[str, Any] = {"epochs": [1, 2], "hidden_units": [8, 16]}
SPEC = """
dataset = "sample"
num_words = 1000
subsample = 300
space = { epochs = [1, 2], hidden_units = [8, 16] }
"""
DAY = 86_400.0
_TOOL = ("/usr/bin/env",)


@pytest.fixture
def gate(surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe at which every training waits until its other end was opened and closed."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    for name, value in told(Fault("gate", path=str(path))).items():
        monkeypatch.setenv(name, value)
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of half a megabyte, if that may be had here."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = [*_TOOL, "mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run([*_TOOL, "umount", "--lazy", str(place)], check=True)


def _assert_resumes(sessions: Path, undisturbed: dict[str, Any]) -> None:
    search = Search.of_session("a", sessions=sessions, worker_command=FAKE_WORKER)
    list(search.run())
    assert search.outcome == "completed"
    assert same_results(search.cv_results_, undisturbed)
    every = [(e.combination, e.fold) for e in open_session("a", sessions).follow().poll() if isinstance(e, FitScored)]
    assert len(every) == len(set(every)) == 12


def test_a_full_disk_holds_the_search_until_there_is_room(
    small_disk: Path, surroundings: Path, undisturbed: dict[str, Any]
) -> None:
    sessions, filler = small_disk / "sessions", small_disk / "filler"
    said: list[str] = []

    def progress(text: str) -> None:
        said.append(text)
        if "disk is full" in text:
            filler.unlink()

    search = fake_search(sessions, SPACE, name="a", progress=progress)
    search.start()
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert search.wait(60) == "completed"
    assert [text for text in said if "waiting for room" in text]
    assert same_results(search.cv_results_, undisturbed)
    assert same_results(Search.of_session("a", sessions=sessions).cv_results_, undisturbed)


def test_a_read_only_folder_is_looked_at_and_not_worked_on(
    small_disk: Path,
    surroundings: Path,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("engine.search.search.Search", FakeSearch)
    Path("spec.toml").write_text(SPEC)
    there = ["--sessions", str(small_disk / "sessions")]
    search = fake_search(small_disk / "sessions", SPACE, name="a")
    for event in search.run():
        if isinstance(event, SearchStarted):
            search.stop(at_once=True)
    subprocess.run([*_TOOL, "mount", "-o", "remount,ro", str(small_disk)], check=True)
    capsys.readouterr()
    for command in (["show", "a"], ["list"], ["logs", "a"], ["export", "a"]):
        assert main([*command, *there]) == 0
    capsys.readouterr()
    for command in (["resume", "a"], ["run", "spec.toml", "--name", "b"]):
        assert main([*command, *there]) == 73
        complaint = capsys.readouterr().err.splitlines()
        assert "Read-only file system" in complaint[-1]
    assert os.listdir(small_disk / "sessions") == ["a"]


def test_a_failed_sync_ends_the_search_and_is_not_tried_again(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], undisturbed: dict[str, Any]
) -> None:
    monkeypatch.setattr("engine.search.search.Search", FakeSearch)
    Path("spec.toml").write_text(SPEC)
    real, failed = os.fsync, []

    def failing(descriptor: int) -> None:
        status = os.fstat(descriptor)
        journal = surroundings / "a" / "journal.1.jsonl"
        if status.st_size > 2000 and journal.exists() and os.path.samestat(status, journal.stat()):
            failed.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        assert main(["run", "spec.toml", "--name", "a", "--sessions", str(surroundings)]) == 74
    assert len(failed) == 1
    assert "cannot write the session's record: Input/output error" in capsys.readouterr().err
    _assert_resumes(surroundings, undisturbed)


def test_a_folder_that_is_deleted_ends_the_search_and_is_not_made_again(gate: Path, surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, name="a")
    subscriber = search.subscribe()
    search.start()
    assert isinstance(subscriber.get(timeout=30), SearchStarted)
    doomed = surroundings / "doomed"
    (surroundings / "a").rename(doomed)
    shutil.rmtree(doomed)
    with pytest.raises(InputOutputError, match="a: the session's record was removed"):
        search.wait(30)
    assert list(surroundings.iterdir()) == []


def test_a_session_that_took_the_place_of_another_is_left_alone(gate: Path, surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, name="a")
    subscriber = search.subscribe()
    search.start()
    assert isinstance(subscriber.get(timeout=30), SearchStarted)
    # What is being written just now is gone before it could be copied.
    shutil.copytree(surroundings / "a", surroundings / "b", ignore=shutil.ignore_patterns(".foldwatch-*"))
    (surroundings / "a").rename(surroundings / "moved")
    (surroundings / "b").rename(surroundings / "a")
    request = surroundings / "a" / "control" / "1.json"
    request.write_text('{"type":"Pause"}')
    with pytest.raises(InputOutputError, match="was removed"):
        search.wait(30)
    assert request.exists()


@pytest.mark.slow
def test_too_few_descriptors_are_said_and_cost_nothing(surroundings: Path, undisturbed: dict[str, Any]) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = 0
    for spare in range(24):
        sessions = surroundings / str(spare)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + spare, most[1]))
        said = ""
        try:
            list(fake_search(sessions, SPACE, name="a").run())
        except FoldwatchError as error:
            said = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
        assert not said or "ulimit -n" in said, spare
        refused += bool(said)
        if (sessions / "a").is_dir():
            _assert_resumes(sessions, undisturbed)
    assert 3 < refused < 24


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_by_a_day_ends_nothing_and_makes_no_time_negative(
    jump: float, surroundings: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    clock = Clock()
    assert RunningSearch.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(RunningSearch.__init__.__kwdefaults__, "clock", clock)
    search = fake_search(surroundings, SPACE, name="a", time_limit=600)
    scored = 0
    for event in search.run():
        assert not isinstance(event, FitFailed)
        scored += isinstance(event, FitScored)
        if scored == 4:
            clock.now += jump
            jump = 0.0
        for now in (clock.now, clock.now - DAY, clock.now + DAY):
            assert search.state.elapsed(now) >= 0
            assert min(remaining_seconds(search.state, now) or (0.0,)) >= 0
    assert search.outcome == "completed"
    assert same_results(search.cv_results_, undisturbed)
    session = open_session("a", surroundings)
    assert session.state().elapsed() >= 0
    fits = [fit for combination in session.state().combinations for fit in combination.fits]
    assert all(fit.seconds is not None and fit.seconds >= 0 for fit in fits)


def test_what_cannot_be_written_at_the_start_is_said_with_its_place(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = fake_search(surroundings, SPACE, name="a")
    list(search.run())
    (surroundings / "a" / "worker.0.log").unlink()
    (surroundings / "a" / "worker.0.log").mkdir()
    with pytest.raises(FoldwatchError, match=r"worker\.0\.log: Is a directory"):
        Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER).start()
