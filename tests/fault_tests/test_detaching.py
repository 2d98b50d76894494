"""An engine in the background is started so that it outlives a logout, and its user is told where none can."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.search.search import Search
from engine.session.segments import read_header
from engine.system.logout import ends_at_logout, outliving

ENGINE = ["python", "-m", "engine", "resume", "a"]
SCOPE = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"]


def _script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that stand before the machine's own."""
    folder = tmp_path / "commands"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    # Runs what stands behind "--", as the real one does in the scope that it has made.
    _script(
        folder,
        "systemd-run",
        'echo "$@" >> "$(dirname "$0")/asked"; while [ "$1" != -- ]; do shift; done\nshift\nexec "$@"',
    )
    return folder


def _settings(folder: Path, *, lingers: str, kills: str) -> None:
    answer = f'case "$*" in *Linger*) echo {lingers};; *KillUserProcesses*) echo {kills};; *) exit 1;; esac'
    _script(folder, "loginctl", answer)


@pytest.mark.parametrize(
    ("lingers", "kills", "command", "told"),
    [
        ("yes", "no", [*SCOPE, *ENGINE], None),
        ("yes", "yes", [*SCOPE, *ENGINE], None),
        # The scope would end with the user's manager; a session of its own does not.
        ("no", "no", ENGINE, None),
        ("no", "yes", ENGINE, "loginctl enable-linger"),
    ],
)
def test_how_it_is_started_fits_what_the_machine_does_at_logout(
    machine: Path, lingers: str, kills: str, command: list[str], told: str | None
) -> None:
    _settings(machine, lingers=lingers, kills=kills)
    assert outliving(ENGINE) == command
    said = ends_at_logout()
    assert (said is None) if told is None else (told in str(said))


@pytest.mark.parametrize("broken", ["loginctl", "systemd-run"])
def test_a_machine_without_a_manager_of_services_starts_it_plainly(machine: Path, broken: str) -> None:
    _settings(machine, lingers="yes", kills="no")
    _script(machine, broken, "exit 1")
    assert outliving(ENGINE) == ENGINE
    assert ends_at_logout() is None


@pytest.mark.slow
def test_a_detached_search_runs_in_a_scope(machine: Path, surroundings: Path) -> None:
    _settings(machine, lingers="yes", kills="yes")
    Path("spec.toml").write_text('dataset = "sample"\nnum_words = 1000\nsubsample = 300\nspace = { epochs = 1 }\n')
    command = [sys.executable, "-P", "-m", "engine", "run", "spec.toml", "--name", "a", "--detach"]
    done = subprocess.run(
        [*command, "--sessions", str(surroundings)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "a\n"), done.stderr
    asked = (machine / "asked").read_text().splitlines()[-1]
    assert asked.startswith("--user --scope --quiet --collect -- ")
    assert "-m engine run" in asked
    header = read_header(surroundings / "a", 1)
    assert header is not None
    with contextlib.suppress(psutil.NoSuchProcess):  # it may have done its work
        engine = psutil.Process(header.owner.pid)
        engine.terminate()
        engine.wait(30)


@pytest.mark.slow
def test_of_two_that_are_started_at_once_one_says_that_it_is_not(surroundings: Path) -> None:
    space = {"epochs": 2000, "hidden_units": 512}
    stopped = Search(dataset="sample", num_words=1000, space=space, name="a", sessions=surroundings, workers=1)
    stopped.start()
    stopped.stop(at_once=True)
    assert stopped.wait(60) == "stopped"
    command = [sys.executable, "-P", "-m", "engine", "resume", "a", "--detach", "--sessions", str(surroundings)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in started]
    header = read_header(surroundings / "a", 2)
    assert header is not None
    engine = psutil.Process(header.owner.pid)
    engine.terminate()
    engine.wait(30)
    assert sorted(process.returncode for process in started) == [0, 75], said
    assert "on this session" in "".join(said)
