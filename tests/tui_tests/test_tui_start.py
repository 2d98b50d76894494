"""The command: what it imports, whom it hands over to, and how it ends when the terminal goes away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tui_tests.pseudo_terminal import REPOSITORY, PseudoTerminal, play
from tests.tui_tests.scripted_search import Script
from tests.tui_tests.small_sessions import make_session
from tui.__main__ import main

HEAVY = ("keras", "tensorflow", "sklearn", "scipy", "pandas")
NO_TERMINAL = "the app needs a terminal"


@pytest.mark.parametrize(
    ("arguments", "code", "answer"),
    [
        ([], 2, NO_TERMINAL),
        (["--sessions", "run"], 2, NO_TERMINAL),
        (["attach"], 2, NO_TERMINAL),
        (["attach", "reuters-01", "--read-only"], 2, NO_TERMINAL),
        (["--low-bandwidth", "demo"], 2, NO_TERMINAL),
        (["run", "nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["--workers", "2", "run", "nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["--workers", "0", "run", "nowhere.toml"], 2, "'--workers'"),
        (["--workers", "2"], 2, "--workers belongs to a command"),
        (["--theme", "dark", "list"], 2, "No such option: --theme"),
        (["--sessions", "attach", "list"], 0, "no sessions in"),
        (["list", "--sessions", "attach"], 0, "no sessions in"),
        (["--sessions", "elsewhere", "list", "--sessions", "attach"], 0, "/attach"),
        (["nothing-such"], 2, "No such command 'nothing-such'"),
    ],
)
def test_one_parser_reads_every_command(
    arguments: list[str], code: int, answer: str, capsys: pytest.CaptureFixture[str], surroundings: object
) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert answer in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["--help"], "foldwatch [OPTIONS] COMMAND"),
        (["attach", "--help"], "foldwatch attach [OPTIONS]"),
        (["demo", "--help"], "foldwatch demo [OPTIONS]"),
        (["run", "spec.toml", "--name", "attach", "--help"], "foldwatch run [OPTIONS]"),
        (["--sessions", "attach", "list", "--help"], "foldwatch list [OPTIONS]"),
    ],
)
def test_help_is_that_of_the_command(arguments: list[str], usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert f"Usage: {usage}" in capsys.readouterr().out


def test_options_before_a_command_are_the_commands(capsys: pytest.CaptureFixture[str], surroundings: Path) -> None:
    make_session(surroundings, "half", Script().half_way())
    assert main(["--sessions", str(surroundings), "--json", "list"]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == ["half"]
    before = ["--set", "folds=4", "--set", "space.epochs=[3]", "--workers", "3", "--json"]
    Path("spec.toml").write_text('dataset = "sample"\n[space]\nepochs = [2, 5]\n')
    assert main([*before, "plan", "spec.toml"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["fits"], planned["epochs"], planned["workers"]) == (4, 12, 3)


def test_a_terminal_that_cannot_place_characters_is_refused_in_a_line() -> None:
    for arguments in ([], ["attach"], ["demo"]):
        command = [sys.executable, "-m", "tui", *arguments]
        with PseudoTerminal(command, environment={"TERM": "dumb"}) as terminal:
            assert terminal.wait() == 2
            assert "TERM is 'dumb'" in terminal.display[0]
            assert b"\x1b" not in terminal.tail


def imported(code: str) -> set[str]:
    """Modules that a fresh interpreter has after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_app_imports_nothing_heavy() -> None:
    screens = "tui.__main__ tui.app"
    screens += " tui.live.screen tui.live.detail tui.trends.screen tui.parts.keys_screen tui.home.starting"
    modules = imported("\n".join(f"import {module}" for module in screens.split()))
    assert "textual.app" in modules
    assert not modules & {*HEAVY, "numpy", "numba", "plotext", "psutil", "pynvml"}


def test_headless_commands_do_not_import_textual() -> None:
    modules = imported("from tui.__main__ import main\nassert main(['--sessions', 'nowhere', 'list']) == 0")
    assert not {module for module in modules if module.split(".")[0] in ("textual", *HEAVY)}


def watching() -> PseudoTerminal:
    """A live view on a terminal, with its search on the screen."""
    terminal = play(120, 40)
    terminal.until(lambda: "RUNNING" in terminal.display[0], "the header")
    return terminal


def test_a_hang_up_ends_it_cleanly_within_two_seconds() -> None:
    with watching() as terminal:
        began = time.monotonic()
        terminal.hang_up()
        assert terminal.process.wait(timeout=10) == 0
        assert time.monotonic() - began < 2


@pytest.mark.slow
def test_a_signal_ends_it_even_where_nobody_reads_the_terminal() -> None:
    with watching() as terminal:
        terminal.process.send_signal(signal.SIGTERM)  # and nothing is read from here on
        assert terminal.process.wait(timeout=10) == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_and_restores_the_terminal(number: signal.Signals) -> None:
    with watching() as terminal:
        terminal.process.send_signal(number)
        assert terminal.wait() == 0
        assert b"\x1b[?1049l" in terminal.tail  # left the alternate screen
