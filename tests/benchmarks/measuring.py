"""Runs a command as its user does and measures the whole of it: wall time and the memory of all its processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engine.spec.spec import SearchSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_SECONDS = 0.1
_SHARED = "/dev/shm"  # noqa: S108 - files in memory, only looked at


@dataclass(frozen=True)
class Measured:
    """One run: seconds from start to end, the highest sum of all processes' memory in MB, output.

    Memory is PSS, and what lies in /dev/shm beyond what lay there before, whoever maps it; elsewhere than on Linux RSS.
    """

    seconds: float
    peak_mb: float
    output: str


def measure(command: Sequence[str], *, memory: bool = False) -> Measured:
    """Run a command to its end. Raises RuntimeError with what it said if it fails."""
    peak = [0.0]
    before = _shared_bytes()
    ended = threading.Event()
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, stdin=subprocess.DEVNULL, text=True)
        sampler = threading.Thread(target=_sample, args=(process.pid, peak, before, ended))
        if memory:
            sampler.start()
        output, _ = process.communicate()
        seconds = time.perf_counter() - started
        ended.set()
        if memory:
            sampler.join()
        if process.returncode != 0:
            said.seek(0)
            message = f"{' '.join(command)} ended with {process.returncode}: {said.read().decode()[-2000:]}"
            raise RuntimeError(message)
    return Measured(seconds, peak[0], output)


def _sample(pid: int, peak: list[float], before: int, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        total = _shared_bytes() - before
        try:
            parent = psutil.Process(pid)
            for process in (parent, *parent.children(recursive=True)):
                try:
                    total += _memory_of(process)
                except psutil.Error:
                    continue
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], total / 1e6)


def _memory_of(process: psutil.Process) -> int:
    """Bytes of one process, its part of what it shares with others, and no files in memory."""
    if not hasattr(process, "memory_maps") or not os.path.isdir(_SHARED):  # noqa: PTH112
        return int(process.memory_info().rss)
    return sum(part.pss for part in process.memory_maps() if not part.path.startswith(_SHARED))


def _shared_bytes() -> int:
    """What all files in memory take."""
    try:
        place = os.statvfs(_SHARED)
    except OSError:
        return 0
    return (place.f_blocks - place.f_bfree) * place.f_frsize


def foldwatch(spec: dict[str, Any], folder: Path, *options: str) -> list[str]:
    """The command of a search; its spec and sessions lie in `folder`."""
    path = folder / "spec.toml"
    path.write_text(SearchSpec.from_values(spec).to_toml())
    sessions = folder / f"sessions-{time.monotonic_ns()}"
    return [
        sys.executable,
        "-P",
        "-m",
        "engine",
        "run",
        str(path),
        "--sessions",
        str(sessions),
        "--fresh",
        "--json",
        *options,
    ]


def scores_of(output: str) -> dict[int, list[float]]:
    """Accuracy of every fold of each combination, from the events that a search printed."""
    scores: dict[int, list[float]] = {}
    for line in output.splitlines():
        event = json.loads(line)
        if event["type"] == "FitScored":
            scores.setdefault(event["combination"], []).append(event["scores"]["accuracy"])
    return scores


def median_of(runs: Sequence[float]) -> float:
    """The median."""
    return statistics.median(runs)


def at_hand(name: str, data_dir: Path | None) -> bool:
    """Whether a data set can be loaded without a network."""
    from engine import data

    return data.whereabouts(name, data_dir).at_hand


def report(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]], facts: dict[str, Any]) -> None:
    """A table for people, and the same as a line of JSON for programs."""
    cells = [list(head), *([f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print(title)
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print(json.dumps({"benchmark": title, "rows": [dict(zip(head, row, strict=True)) for row in rows], **facts}))
