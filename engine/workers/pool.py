"""The interface of a pool of workers."""

from __future__ import annotations

from dataclasses import dataclass

from engine.workers.messages import FromWorker


@dataclass(frozen=True)
class Said:
    """A worker's message."""

    worker: int
    message: FromWorker


@dataclass(frozen=True)
class Died:
    """A worker's end: by exit code or signal name; `reason` where we ended it for what it did, or where it gave one."""

    worker: int
    pid: int
    exit_code: int | None
    signal: str
    reason: str
