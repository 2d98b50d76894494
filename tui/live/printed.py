"""What the fits of a script print: lines of its workers' logs, for the log of the live view."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from engine.system.regular_files import open_regular
from tui.live.history import LogLine
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 64 << 10  # of one log at once: of more only the last are looked at
_MOST_LINES = 200
_MOST_LOGS = 256
# TensorFlow and its libraries inform about themselves there, in every worker anew.
_NOISE = re.compile(r"I\d{4} \d\d:\d\d:|I0000 00:00:|WARNING: All log messages before absl::InitializeLog")


class PrintedLines:
    """Reads on in the workers' logs of a session's folder; the first time it reads their ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_up_to: dict[str, int] = {}

    def read(self) -> list[LogLine]:
        """Whole lines that were not read yet, log by log. Raises OSError."""
        lines: list[LogLine] = []
        for log in sorted(self._folder.glob("worker.*.log"))[:_MOST_LOGS]:
            number = log.name.split(".")[1]
            with open_regular(log) as file:
                status = os.fstat(file.fileno())
                begin = self._read_up_to.get(log.name, 0)
                if status.st_size == begin:
                    continue
                if status.st_size < begin:  # the log was cut down
                    begin = 0
                begin = max(begin, status.st_size - _MOST_BYTES)
                file.seek(begin)
                read = file.read(_MOST_BYTES)
            whole = read[: read.rfind(b"\n") + 1] or (read if len(read) == _MOST_BYTES else b"")
            self._read_up_to[log.name] = begin + len(whole)
            texts = [text for text in whole.decode(errors="replace").splitlines() if text and not _NOISE.match(text)]
            lines += [
                LogLine(status.st_mtime, "printed", clean(f"worker {number}: {text}")) for text in texts[-_MOST_LINES:]
            ]
        return lines
