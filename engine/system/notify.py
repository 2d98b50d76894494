"""Runs a command that the user named when a search has ended; nothing waits for it, and its output is no data."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading

from engine.formatting.safe_text import clean

_PATIENCE_SECONDS = 1.0  # for a command that fails at once, before this process ends


class Notifier:
    """Notifies the user of what becomes of a search. `command`: None for nobody who wants to know.

    `option`: what the user calls it, for what is wrong with it.
    """

    def __init__(self, command: str | None, option: str) -> None:
        self._command, self._option = command, option
        self._threads: list[threading.Thread] = []

    def notify(self, session: str, outcome: str) -> None:
        """Start the command, without a shell, with FOLDWATCH_SESSION and FOLDWATCH_OUTCOME set.

        What it prints goes to standard error. That it cannot be run, or fails, is reported as soon as it is known.
        """
        if self._command is None:
            return
        environment = {**os.environ, "FOLDWATCH_SESSION": session, "FOLDWATCH_OUTCOME": outcome}
        try:
            process = subprocess.Popen(
                shlex.split(self._command),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=_standard_error(),
                stderr=_standard_error(),
                start_new_session=True,  # it may outlive this process, and a ctrl-C is not meant for it
            )
        except (OSError, ValueError) as error:
            self._complain(str(error))
            return
        thread = threading.Thread(target=self._wait_for_end, args=(process,), name="notify", daemon=True)
        thread.start()
        self._threads.append(thread)

    def close(self) -> None:
        """Give commands a moment to fail; whichever takes longer goes on by itself."""
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        if code != 0:
            self._complain(f"the command ended with {code}")

    def _complain(self, text: str) -> None:
        """A line on standard error, beside whatever else is said of the search."""
        sys.stderr.write(f"foldwatch: {self._option}: {clean(text)}\n")


def _standard_error() -> int:
    """Its descriptor; where it is closed, nobody reads what a command says."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2
