"""Where trainings that wait for a strategy's decision are kept, so that whoever goes on need not start again."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from engine.revisions import changed_rules
from engine.settings import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.plan import Training

_ROOM = 2 << 30  # bytes that stay free for what must not be lost; beyond that, trainings start again


class CheckpointFiles:
    """The checkpoints of one session, a file a training. `origin`: the data and the seed that all of them share."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder, self._origin = folder / "checkpoints", origin

    def key(self, training: Training) -> str:
        """All that decides a training but how long it is, with the rules that have changed and touch it."""
        rules = changed_rules(settings_of(training.params), training.trainer)
        return json.dumps([self._origin, training.split, training.trainer, training.params, *rules], sort_keys=True)

    def path(self, training: Training) -> Path:
        """The file of a training, whether it is there or not."""
        return self._folder / f"{hashlib.sha256(self.key(training).encode()).hexdigest()[:32]}.checkpoint"

    def make_room(self) -> bool:
        """Make the folder; whether there is room in it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return shutil.disk_usage(self._folder).free > _ROOM

    def discard(self, training: Training) -> None:
        """Remove what nobody goes on with."""
        self.path(training).unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove all of them: the search is over."""
        shutil.rmtree(self._folder, ignore_errors=True)
