"""A program on a pseudo-terminal of its own, and the screen that somebody in front of it would see."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 20.0
_CHUNK_BYTES = 1 << 16
_PLAY = """
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.app import FoldwatchApp
FoldwatchApp(session=half_way_session(), now=lambda: NOON + 75).run()
"""


class PseudoTerminal:
    """Runs a command; `display` holds the lines on the screen, `received` counts the bytes that drew them.

    `heard_at` is when the last of them came (seconds of `time.monotonic`), before they were interpreted.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        lines: int = 40,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.received = 0
        self.tail = b""
        self._parent, child = pty.openpty()
        self._name, self._is_open = os.ttyname(child), True
        self._set_size(columns, lines)
        os.set_blocking(self._parent, False)
        # A size in the environment would count for more than that of the terminal.
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.started_at = self.heard_at = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=REPOSITORY,
            env=kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environment or {}),
            preexec_fn=_own_the_terminal,
        )
        os.close(child)

    @property
    def display(self) -> list[str]:
        """The screen, a string a line."""
        display: list[str] = self.screen.display
        return display

    @property
    def title(self) -> str:
        """What the window is called."""
        return str(self.screen.title)

    def read(self, seconds: float) -> bool:
        """Take in whatever comes first within so many seconds; whether something came."""
        if not select.select([self._parent], [], [], max(0.0, seconds))[0]:
            return False
        content = bytearray()
        try:
            while chunk := os.read(self._parent, _CHUNK_BYTES):
                content += chunk
        except BlockingIOError:
            pass
        except OSError as error:
            # Linux says that nobody has the other end open any more.
            if error.errno != errno.EIO:
                raise
        if not content:
            return False
        self.heard_at = time.monotonic()
        self.received += len(content)
        self.tail = (self.tail + bytes(content))[-4000:]
        self._stream.feed(bytes(content))
        return True

    def until(self, condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> float:
        """Read until the condition holds; returns when the bytes that made it so came. Raises AssertionError."""
        end = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll() is not None
            came = self.read(0.0 if ended else min(0.1, end - time.monotonic()))
            assert not ended or came, f"it ended with {self.process.returncode} before {what}: {self.tail!r}"
            assert time.monotonic() < end, f"did not come: {what}\n" + "\n".join(self.display)
        return self.heard_at

    def watch(self, seconds: float, seen: Callable[[], object] = lambda: None) -> None:
        """Read for so long; `seen` is called whenever the screen changed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.read(left):
                seen()

    def press(self, keys: str) -> float:
        """Type something; returns when."""
        at = time.monotonic()
        os.write(self._parent, keys.encode())
        return at

    def resize(self, columns: int, lines: int) -> None:
        """Another size, which the kernel tells the program by SIGWINCH."""
        self.screen.resize(lines, columns)
        self._set_size(columns, lines)

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Read to the end; the exit code. Raises TimeoutExpired."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        while self.read(0.0):
            pass
        return self.process.wait(max(0.0, end - time.monotonic()))

    @property
    def is_full(self) -> bool:
        """So much waits to be read that nobody can write to it."""
        child = os.open(self._name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return not select.select([], [child], [], 0.0)[1]
        finally:
            os.close(child)

    def hang_up(self) -> None:
        """Close the line: the kernel sends SIGHUP to whoever has the terminal."""
        os.close(self._parent)
        self._is_open = False

    def close(self) -> None:
        """Kill the program if it is still there, and hang up."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._is_open:
            self.hang_up()

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._parent, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def _own_the_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def play(columns: int, lines: int) -> PseudoTerminal:
    """The live view of a search that is half way, which goes no further."""
    return PseudoTerminal([sys.executable, "-c", _PLAY], columns=columns, lines=lines)
