"""Runs a command that the user named when a search has ended."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from engine.safe_text import clean

_SECONDS = 30


def notify_user(command: str, session: str, outcome: str) -> None:
    """Run it, without a shell, with FOLDWATCH_SESSION and FOLDWATCH_OUTCOME set; complain if it cannot be run."""
    environment = {**os.environ, "FOLDWATCH_SESSION": session, "FOLDWATCH_OUTCOME": outcome}
    try:
        subprocess.run(shlex.split(command), env=environment, timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"foldwatch: --notify: {clean(str(error))}\n")
