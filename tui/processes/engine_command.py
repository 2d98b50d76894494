"""Commands that the app starts for the user: the engine in a session of its own, so that closing a terminal
never touches a search.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING

from engine.errors import InputOutputError
from engine.system.logout import outliving
from tui.parts.safe_text import clean
from tui.processes.background import in_background

if TYPE_CHECKING:
    from collections.abc import Sequence

_MESSAGE_BYTES = 4000


def shown_command(arguments: Sequence[str]) -> str:
    """The command as it would be typed."""
    return shlex.join(["foldwatch", *arguments])


class EngineCommand:
    """`python -m engine ARGUMENTS`, away from this terminal: it writes its own files, and stdout goes nowhere."""

    def __init__(self, arguments: Sequence[str], done: str, *, no_color: bool = False) -> None:
        self.arguments = list(arguments)
        self._done = done
        self._no_color = no_color
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._failure = ""  # why it could not be started

    def start(self) -> None:
        """Start it soon: the machine is asked first how it outlives a logout, and may take seconds to answer."""

        def start() -> None:
            try:
                self._start()
            except InputOutputError as error:
                self._fail(str(error))

        in_background(start, shown_command(self.arguments), self._fail)

    def _fail(self, why: str) -> None:
        self._failure = why

    def _start(self) -> None:
        """Raises InputOutputError if it cannot be started."""
        environment = dict(os.environ)
        if self._no_color:  # Textual takes it out of its own environment
            environment["NO_COLOR"] = "1"
        try:
            # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process ends
            self._process = subprocess.Popen(
                outliving([sys.executable, "-P", "-m", "engine", *self.arguments]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            self.close()
            message = f"{shown_command(self.arguments)}: cannot be started: {error}"
            raise InputOutputError(message) from error

    def close(self) -> None:
        """Let go of what it wrote to stderr; the process goes on."""
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    @property
    def has_ended(self) -> bool:
        """Whether it is done, well or not; or could not be started."""
        return bool(self._failure) or (self._process is not None and self._process.poll() is not None)

    @property
    def succeeded(self) -> bool:
        """Whether it ended with 0, or with 3 (done, some fits failed)."""
        return self._process is not None and self._process.returncode in (0, 3)

    def outcome(self) -> str:
        """What to tell: that it is done, or the last line it wrote to stderr, or why it could not be started."""
        if self._failure:
            return self._failure
        if self.succeeded:
            self.close()
            return self._done
        message = ""
        if self._errors is not None:
            end = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, end - _MESSAGE_BYTES))
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            message = clean(lines[-1]) if lines else ""
        self.close()
        code = self._process.returncode if self._process else None
        # The reason first: a narrow screen cuts the end.
        message = message.removeprefix("foldwatch: ") or "it printed no message"
        return f"{message} ({shown_command(self.arguments)} ended with {code})"
