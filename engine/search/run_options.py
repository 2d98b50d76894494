"""How a search is run: where, with what, and by which rules; what is searched is the spec's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.analysis.forecast.deadline import Deadline


@dataclass(frozen=True)
class RunOptions:
    """How a search is run, as `Search` describes it.

    `keeps_deadline`: without a deadline of its own it keeps that of the engine before. `time_limit`: instead of the
    spec's, in seconds.
    """

    workers: int | None
    devices: list[str] | None
    name: str | None
    sessions: Path
    data_dir: Path | None
    fresh: bool
    group_readable: bool
    take_over: str
    accept_versions: bool
    deadline: Deadline | None
    keeps_deadline: bool
    progress: Callable[[str], None] | None
    worker_command: Sequence[str] | None
    time_limit: float | None = None
