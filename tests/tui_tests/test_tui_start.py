"""The command: what it imports, whom it hands over to, and how it ends when the terminal goes away."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tui.__main__ import main, wants_app

REPOSITORY = Path(__file__).parents[2]
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


PLAY = """
import sys
sys.path[:0] = [{tests!r}]
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.app import FoldwatchApp
FoldwatchApp(session=half_way_session(), now=lambda: NOON + 75).run()
"""


class Terminal:
    """A process on a pseudo-terminal of its own."""

    def __init__(self) -> None:
        self.parent, child = pty.openpty()
        os.set_blocking(self.parent, False)
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLAY.format(tests=str(Path(__file__).parent))],
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=REPOSITORY,
            env=environment,
            preexec_fn=_own_the_terminal,
        )
        os.close(child)
        self.said = b""

    def until(self, wanted: bytes) -> None:
        """Read until something was written."""
        end = time.monotonic() + 20
        while wanted not in self.said:
            assert time.monotonic() < end, self.said[-2000:]
            assert self.process.poll() is None, self.said[-2000:]
            self.read()

    def read(self) -> None:
        """What there is to read within a moment."""
        if select.select([self.parent], [], [], 0.1)[0]:
            try:
                self.said += os.read(self.parent, 65536)
            except OSError:
                return


def _own_the_terminal() -> None:
    os.setsid()
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_hang_up_ends_it_cleanly_within_two_seconds() -> None:
    terminal = Terminal()
    terminal.until(b"RUNNING")
    began = time.monotonic()
    os.close(terminal.parent)  # the kernel sends SIGHUP to whoever has the terminal
    assert terminal.process.wait(timeout=10) == 0
    assert time.monotonic() - began < 2


def test_a_signal_ends_it_even_where_nobody_reads_the_terminal() -> None:
    terminal = Terminal()
    terminal.until(b"RUNNING")
    terminal.process.send_signal(signal.SIGTERM)  # and nothing is read from here on
    assert terminal.process.wait(timeout=10) == 0
    os.close(terminal.parent)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_and_restores_the_terminal(number: signal.Signals) -> None:
    terminal = Terminal()
    terminal.until(b"RUNNING")
    terminal.process.send_signal(number)
    end = time.monotonic() + 10
    while terminal.process.poll() is None and time.monotonic() < end:
        terminal.read()
    terminal.read()
    assert terminal.process.wait(1) == 0
    assert b"\x1b[?1049l" in terminal.said  # left the alternate screen
    os.close(terminal.parent)
