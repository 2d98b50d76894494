"""Starts an engine in the background, in a session of its own that no closing terminal and no logout touches."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, UsageError
from engine.session.segments import read_header, segment_numbers
from engine.system.logout import outliving
from engine.system.process_marks import boot_id, process_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLL_SECONDS = 0.05


def start_detached(
    arguments: Sequence[str],
    sessions: Path,
    identifier: str,
    *,
    workers: int | None = None,
    devices: Sequence[str] | None = None,
    data_dir: Path | None = None,
    notify: str | None = None,
) -> int:
    """Start `foldwatch ARGUMENTS` and return its process id once it has begun to work on the session.

    Raises UsageError, or an error with the same exit code, with its last line of output, if it ends before.
    """
    folder = sessions / identifier
    before = _segments(folder)
    command = [sys.executable, "-P", "-m", "engine", *arguments, "--sessions", str(sessions)]
    command += ["--workers", str(workers)] if workers else []
    command += ["--devices", ",".join(devices)] if devices else []
    command += ["--data-dir", str(data_dir.absolute())] if data_dir else []
    command += ["--notify", notify] if notify else []
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            outliving(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        while not _has_begun(process.pid, folder, before):
            if process.poll() is not None:
                output.seek(0)
                lines = output.read().decode(errors="replace").strip().splitlines()
                raise _failure(process.returncode, lines[-1] if lines else "it ended without a message")
            time.sleep(_POLL_SECONDS)
    return process.pid


def _segments(folder: Path) -> list[int]:
    return segment_numbers(folder) if folder.is_dir() else []


def _has_begun(pid: int, folder: Path, before: Sequence[int]) -> bool:
    """Whether this process writes a segment: of two that start at once one only does, and numbers repeat elsewhere."""
    here = (pid, boot_id(), process_namespace())
    opened = [read_header(folder, number) for number in _segments(folder) if number not in before]
    owners = [header.owner for header in opened if header is not None]
    return any((owner.pid, owner.boot, owner.namespace) == here for owner in owners)


def _failure(code: int, message: str) -> FoldwatchError:
    error = UsageError(message.removeprefix("foldwatch: "))
    error.exit_code = code or 1
    return error
