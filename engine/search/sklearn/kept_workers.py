"""Worker processes that stay from one search of a `watch` to the next, so that only the first waits for their start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.system import machine
from engine.workers import messages
from engine.workers.start import open_pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.workers.pool import Pool


class KeptWorkers:
    """The pool of workers of a `watch`: a search takes it, and gives it back or closes it.

    `ready`: the processes, by number, that an earlier search has left and that can take tasks at once.
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._made_for: object = None
        self.ready: dict[int, int] = {}

    def take(self, workers: int, environment: Mapping[str, str], logs: Path) -> Pool:
        """A pool for a search: that of the search before where its workers would be started in the same way now.

        `logs`: the folder for what workers print from now on. Raises OSError.
        """
        wanted = workers, dict(environment), dict(os.environ)
        if self._pool is None or wanted != self._made_for:
            self.close()
            self._pool, self._made_for = open_pool(logs), wanted
            return self._pool
        self._pool.set_log_folder(logs)
        for number in self._pool.workers:
            self._pool.send(number, messages.LogInto(path=str((logs / f"worker.{number}.log").absolute())))
        return self._pool

    def give_back(self, ready: Mapping[int, int]) -> None:
        """A search has ended and left these workers ready; what its tasks had in common is forgotten by them.

        Where there are GPUs, they end instead: they may hold the memory that the script's refit needs.
        """
        if self._pool is None or machine.gpus():
            self.close()
            return
        self.ready = dict(ready)
        for number in self._pool.workers:
            self._pool.send(number, messages.CloseTasks())

    def close(self) -> None:
        """End all workers."""
        pool, self._pool, self.ready = self._pool, None, {}
        if pool is not None:
            pool.close()
