"""Models that were being saved when their process was killed: known by their names, and removed by the next engine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from engine.liveness import process_mark, process_started, wrote_and_died


def unfinished_path(path: Path) -> Path:
    """Where a model is written before it gets its name; Keras takes the format from its ending."""
    return path.with_name(f".{path.stem}.{process_mark()}{path.suffix}")


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes left of saving a model at this path, and of the record beside it."""
    # What cannot be removed, or is no longer there, stands in nobody's way.
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            mark = _between(name, f".{path.stem}.", path.suffix)
            pid = _between(name, f".{path.stem}.json.", ".tmp")
            if wrote_and_died(mark) or (pid.isdigit() and process_started(int(pid)) is None):
                path.with_name(name).unlink()


def _between(name: str, begin: str, end: str) -> str:
    return name[len(begin) : -len(end)] if name.startswith(begin) and name.endswith(end) else ""
