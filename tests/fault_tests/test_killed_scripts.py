"""A script that is killed and run again ends as if it had never been: no fit that is on disk runs twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from engine.session.session import open_session
from tests.script_estimators import abandoned_folders, fits_in

ROOT = Path(__file__).parents[2]
FITS = 60


def _start(*arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.watched_script", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _workers_of(script: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(script.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill_after(script: subprocess.Popen[str], marks: Path, fits: int) -> None:
    """Kill the script once so many fits have begun, or leave it if it ends before; its workers end by themselves."""
    pause = threading.Event()
    while script.poll() is None and len(list(marks.glob("*.fit"))) < fits:
        pause.wait(0.002)
    workers = _workers_of(script)
    with script:  # its pipes are closed at the end
        script.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def _scores(printed: str) -> list[float]:
    scores: list[float] = json.loads(printed.splitlines()[-1])
    return scores


def _scored(sessions: Path) -> set[tuple[int, int]]:
    if not (sessions / "script" / "search.json").exists():
        return set()
    state = open_session("script", sessions).state()
    fits = [(one.index, fold, fit) for one in state.combinations for fold, fit in enumerate(one.fits)]
    return {(combination, fold) for combination, fold, fit in fits if fit.status.is_finished}


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_script_killed_at_random_moments_ends_as_undisturbed(kills: int, tmp_path: Path) -> None:
    for name in ("undisturbed", "sessions", "all"):
        (tmp_path / name).mkdir(mode=0o700)
    with _start(tmp_path / "undisturbed", tmp_path / "all") as script:
        expected, _ = script.communicate(timeout=120)
    assert len(fits_in(tmp_path / "all")) == FITS + 1  # and the refit

    # One folder for all runs: its name is a parameter of the estimator, and so part of what a fit is known by.
    marks = tmp_path / "marks"
    marks.mkdir()
    moments = random.Random(kills)
    for _ in range(kills):
        scored, begun = len(_scored(tmp_path / "sessions")), len(fits_in(marks))
        script = _start(tmp_path / "sessions", marks)
        _kill_after(script, marks, begun + moments.randint(0, max(1, 2 * (FITS - scored) // kills)))
        assert len(fits_in(marks)) - begun <= FITS - scored + 1
    scored, begun = len(_scored(tmp_path / "sessions")), len(fits_in(marks))
    with _start(tmp_path / "sessions", marks) as script:
        out, err = script.communicate(timeout=120)
    assert _scores(out) == _scores(expected), err
    # Those on disk did not run again; all others did.
    assert len(fits_in(marks)) - begun == FITS - scored + 1
    assert len(_scored(tmp_path / "sessions")) == FITS
    # What a script left that was killed before its workers were ready, its next run has removed.
    assert abandoned_folders() == []


def test_ctrl_c_ends_a_script_as_without_us_and_its_next_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir(mode=0o700)
    marks = tmp_path / "marks"
    marks.mkdir()
    pause = threading.Event()
    go = tmp_path / "go"
    with _start(tmp_path / "sessions", marks, go) as script:
        while not _scored(tmp_path / "sessions"):
            pause.wait(0.01)
        workers = _workers_of(script)
        script.send_signal(signal.SIGINT)
        _, err = script.communicate(timeout=60)
    assert script.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    state = open_session("script", tmp_path / "sessions").state()
    assert state.status == "interrupted"
    begun = len(fits_in(marks))
    go.touch()
    with _start(tmp_path / "sessions", marks, go) as script:
        _, err = script.communicate(timeout=120)
    assert script.returncode == 0, err
    assert len(fits_in(marks)) - begun <= FITS - state.fits_finished + 1
    assert len(_scored(tmp_path / "sessions")) == FITS
