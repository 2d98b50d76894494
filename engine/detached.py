"""Starts an engine in the background, in a session of its own that no closing terminal touches."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, UsageError
from engine.journal import segment_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLL_SECONDS = 0.05


def start_detached(
    arguments: Sequence[str],
    sessions: Path,
    identifier: str,
    *,
    workers: int | None = None,
    data_dir: Path | None = None,
    notify: str | None = None,
) -> int:
    """Start `foldwatch ARGUMENTS` and return its process id once it has begun to work on the session.

    Raises UsageError, or an error with the same exit code, with what it said if it ends before.
    """
    before = _segments(sessions / identifier)
    command = [sys.executable, "-P", "-m", "engine", *arguments, "--sessions", str(sessions)]
    command += ["--workers", str(workers)] if workers else []
    command += ["--data-dir", str(data_dir.absolute())] if data_dir else []
    command += ["--notify", notify] if notify else []
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        while _segments(sessions / identifier) == before:
            if process.poll() is not None:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise _failure(process.returncode, lines[-1] if lines else "it said nothing")
            time.sleep(_POLL_SECONDS)
    return process.pid


def _segments(folder: Path) -> list[int]:
    return segment_numbers(folder) if folder.is_dir() else []


def _failure(code: int, said: str) -> FoldwatchError:
    error = UsageError(said.removeprefix("foldwatch: "))
    error.exit_code = code or 1
    return error
