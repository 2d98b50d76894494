"""The workers of a search: which of them are idle, which have grown too large, and which have died in vain."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from engine.session import events
from engine.system.permissions import create_file
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.session.session import Session
    from engine.workers.pool import Pool, Report, WorkerDeath

_LARGEST_LOG = 10 << 20
_DEATHS_IN_VAIN = 10
_STARTS_IN_VAIN = 3  # workers in a row that die before they are ready: then something is wrong with all of them
_WORKER_MEMORY_GROWTH = 1 << 30


class Supervisor:
    """Starts workers, welcomes them, replaces those that grow, and records those that die.

    `pool` has a worker started for each of `devices`; `start` starts one in the place of one that is gone, and
    `greetings` are the first orders of each. `hopeless` says why no other is worth starting, once that is so.
    """

    def __init__(
        self,
        session: Session,
        pool: Pool,
        devices: Sequence[str],
        start: Callable[[int], None],
        greetings: Callable[[], Sequence[messages.ToWorker]],
        emit: Callable[[events.Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._session, self.start, self._greetings = session, start, greetings
        self._pool, self._devices = pool, devices
        self._emit, self._clock = emit, clock
        self.idle: set[int] = set()
        self.hopeless = ""
        self._ready: set[int] = set()  # workers that have said so
        self._recycled: set[int] = set()  # workers that we end, whose death is no news
        self._vain_starts = self._deaths_in_vain = 0
        self._memory_of: dict[int, int] = {}

    def wait(self, seconds: float) -> list[Report]:
        """The messages and the deaths of workers, waiting up to `seconds` for the first of them."""
        return self._pool.wait(seconds)

    def send(self, worker: int, message: messages.ToWorker) -> None:
        """Give a worker an order."""
        self._pool.send(worker, message)

    def send_all(self, message: messages.ToWorker) -> None:
        """Give every worker an order."""
        for worker in self._pool.workers:
            self._pool.send(worker, message)

    def stop(self, worker: int, reason: str) -> None:
        """End a worker at once; `wait` reports its death with the reason."""
        self._pool.stop(worker, reason)

    def welcome(self, worker: int, pid: int, *, is_held: bool) -> None:
        """A worker is ready: it gets its first orders, and is idle. `is_held`: trainings are halted at present."""
        self._vain_starts = 0
        self._ready.add(worker)
        self.idle.add(worker)
        self._emit(events.WorkerStarted(time=self._clock(), worker=worker, pid=pid, device=self._devices[worker]))
        for order in self._greetings():
            self._pool.send(worker, order)
        if is_held:
            self._pool.send(worker, messages.Hold())

    def scored(self) -> None:
        """A worker scored something: those before it did not die in vain."""
        self._deaths_in_vain = 0

    def recycle_if_grown(self, worker: int, memory: int) -> None:
        """Replace a worker that holds much more memory than after its first training; `memory` in bytes."""
        first = self._memory_of.setdefault(worker, memory)
        # It may have died right after its last word.
        if memory > first + _WORKER_MEMORY_GROWTH and worker in self._pool.workers:
            reason = f"its memory grew from {first >> 20} to {memory >> 20} MiB"
            pid = self._pool.facts(worker).pid
            self._emit(events.WorkerRecycled(time=self._clock(), worker=worker, pid=pid, reason=reason))
            self.idle.discard(worker)
            self._recycled.add(worker)
            self._pool.stop(worker, reason)

    def record_death(self, died: WorkerDeath, training: int | None) -> str:
        """A worker is gone, with the training that it held; how it died, in words."""
        self.idle.discard(died.worker)
        self._memory_of.pop(died.worker, None)
        was_ready = died.worker in self._ready
        self._ready.discard(died.worker)
        how = died.reason or (f"killed by {died.signal}" if died.signal else f"exit code {died.exit_code}")
        if died.worker in self._recycled:
            self._recycled.remove(died.worker)
        else:
            self._emit(
                events.WorkerDied(
                    time=self._clock(),
                    worker=died.worker,
                    pid=died.pid,
                    exit_code=died.exit_code,
                    signal=died.signal,
                    training=training,
                    reason=died.reason,
                )
            )
        self._deaths_in_vain += 1
        self._vain_starts += not was_ready
        if self._vain_starts >= _STARTS_IN_VAIN:
            self.hopeless = f"workers die before they are ready ({how})"
        elif self._deaths_in_vain >= _DEATHS_IN_VAIN:
            self.hopeless = f"{_DEATHS_IN_VAIN} workers in a row died without a score ({how})"
        return how

    def truncate_logs(self) -> None:
        """Empty the logs that have grown large: a worker that floods its output must not fill the disk."""
        for log in self._session.folder.glob("worker.*.log"):
            with contextlib.suppress(OSError), open(log, "ab", opener=create_file) as file:
                if file.tell() > _LARGEST_LOG:
                    file.truncate(0)

    def close(self) -> None:
        """End all workers."""
        self._pool.close()
