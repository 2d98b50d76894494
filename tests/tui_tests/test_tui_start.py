"""The command: what it imports, whom it hands over to, and how it ends when the terminal goes away."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.tui_tests.pseudo_terminal import REPOSITORY, PseudoTerminal, play
from tui.__main__ import command_first, main, wants_app

HEAVY = ("keras", "tensorflow", "sklearn", "scipy", "pandas")


@pytest.mark.parametrize(
    ("arguments", "app"),
    [
        ([], True),
        (["--sessions", "run"], True),
        (["attach"], True),
        (["attach", "reuters-01", "--read-only"], True),
        (["demo"], True),
        (["--low-bandwidth", "demo"], True),
        (["demo", "--headless"], False),
        (["run", "spec.toml"], False),
        (["--sessions", "attach", "list"], False),
        (["--help"], False),
        (["--version"], False),
        (["attach", "--help"], True),
    ],
)
def test_who_answers(arguments: list[str], app: bool) -> None:
    assert wants_app(arguments) is app


def test_options_before_a_command_are_the_commands() -> None:
    assert command_first(["--sessions", "d", "list", "--json"]) == ["list", "--json", "--sessions", "d"]
    assert command_first(["list", "--sessions", "d"]) == ["list", "--sessions", "d"]
    assert command_first(["--version"]) == ["--version"]


def test_without_a_terminal_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "needs a terminal" in capsys.readouterr().err


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
    screens = "tui.app tui.screens.live tui.screens.detail tui.screens.trends tui.screens.keys tui.screens.starting"
    modules = imported("\n".join(f"import {module}" for module in screens.split()))
    assert "textual.app" in modules
    assert not modules & {*HEAVY, "numpy", "numba", "plotext", "psutil", "pynvml"}


def test_headless_commands_do_not_import_textual() -> None:
    modules = imported("from tui.__main__ import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass")
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
