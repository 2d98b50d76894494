"""The checkpoints of trainings that are not at their end, so that another worker need not start them again."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from engine.spec.resolved import resolved_params_of
from engine.spec.revisions import changed_rules
from engine.workers import messages

if TYPE_CHECKING:
    from pathlib import Path

    from engine.plan.plan import Training


class CheckpointFiles:
    """The checkpoints of one session, a file a training. `origin`: the data and the seed that all of them share.

    Workers write and read them; here they are named, and removed when nobody goes on from them.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder, self._origin = folder / "checkpoints", origin

    def key(self, training: Training) -> str:
        """All that decides a training but how long it is."""
        return self._key(training.split, training.trainer, training.params)

    def refit_key(self, trainer: str, params: dict[str, Any]) -> str:
        """All that decides a training on all training rows but how long it is."""
        return self._key("all rows", trainer, params)

    def _key(self, rows: int | str, trainer: str, params: dict[str, Any]) -> str:
        """The rules that touch it and have changed are a part: no training goes on from a checkpoint of older ones."""
        rules = changed_rules(resolved_params_of(params), trainer)
        return json.dumps([self._origin, rows, trainer, params, *rules], sort_keys=True)

    def path(self, key: str) -> Path:
        """The file of the training with this key, whether it is there or not."""
        return self._folder / f"{_digest(key)[:32]}.checkpoint"

    def stored(self, key: str) -> messages.Stored:
        """The file of the training with this key, as an order names it to a worker."""
        return messages.Stored(digest=_digest(key), path=str(self.path(key)))

    def discard(self, key: str) -> None:
        """Remove what nobody goes on with."""
        self.path(key).unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove all of them: the search is over."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
