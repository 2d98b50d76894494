"""When a checkpoint of a training is kept: from time to time, and when the worker is to leave the training."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from engine.spec.early_stopping import Patience
from engine.training.checkpoint_file import CURVE_COLUMNS, KeptTraining, read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.training.interface import Checkpoint

EVERY_SECONDS = 15.0  # also before the first one: most trainings end before it
_LONGEST_SECONDS = 60.0
SHARE = 50.0  # at most one part in so many of a training's time is spent on writing


class LeftError(Exception):
    """The worker leaves the training, whose latest checkpoint was kept if that was possible."""


@dataclass
class Progress:
    """How far a training has come, apart from its network; see `KeptTraining`.

    `started`: by `time.perf_counter`, moved by every pause. `curve`: one entry for each epoch.
    """

    started: float
    patience: Patience = field(default_factory=Patience)
    curve: list[tuple[float, float, float, float]] = field(default_factory=list)

    @classmethod
    def after(cls, kept: KeptTraining | None) -> Progress:
        """The progress of a training that begins now, or that goes on now from what was kept."""
        now = time.perf_counter()
        if kept is None:
            return cls(now)
        return cls(now - kept.seconds, kept.patience, [(a, b, c, d) for a, b, c, d in kept.curve.tolist()])

    @property
    def seconds(self) -> float:
        """How long the training has taken so far."""
        return time.perf_counter() - self.started


class CheckpointFile:
    """Keeps one training in its file: a `Keeper` that knows the time, and whether the worker is to leave.

    `is_leaving` is called after every step.
    """

    def __init__(self, path: Path, key: str, progress: Progress, is_leaving: Callable[[], bool]) -> None:
        self._path, self._key, self._progress, self._is_leaving = path, key, progress, is_leaving
        self._due_at = time.monotonic() + EVERY_SECONDS
        self._has_warned = False

    def is_due(self) -> bool:
        """Whether the worker is to leave, or the latest checkpoint is old."""
        return self._is_leaving() or time.monotonic() >= self._due_at

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the file. Raises LeftError after that if the worker is to leave."""
        self.write(checkpoint)
        if self._is_leaving():
            raise LeftError

    def write(self, checkpoint: Checkpoint) -> None:
        """Write the file. A failure ends no training: without the file, the next one starts from the beginning."""
        progress, began = self._progress, time.monotonic()
        curve = np.array(progress.curve, np.float64).reshape(-1, CURVE_COLUMNS)
        try:
            write_checkpoint(
                self._path, KeptTraining(checkpoint, progress.seconds, progress.patience, curve), self._key
            )
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                print(f"{self._path}: no checkpoint was kept: {error.strerror or error}", file=sys.stderr, flush=True)
        now = time.monotonic()
        self._due_at = now + min(_LONGEST_SECONDS, max(EVERY_SECONDS, SHARE * (now - began)))


def kept_before(path: Path, key: str, first_stop: int) -> KeptTraining | None:
    """Where a training goes on that is scored after `first_stop` epochs; None to train from the beginning."""
    kept = read_checkpoint(path, key)
    # A score needs the end of its epoch.
    return kept if kept and kept.checkpoint.epoch < first_stop else None
