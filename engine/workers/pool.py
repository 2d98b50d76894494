"""The interface of a pool of workers: what a search needs of the processes that train for it, wherever they run.

`process_pool.ProcessPool` runs them on this machine. `start.open_pool` chooses the pool; nobody else knows which one it
is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engine.workers.messages import FromWorker, ToWorker


@dataclass(frozen=True)
class MessageReceived:
    """A worker sent a message."""

    worker: int
    message: FromWorker


@dataclass(frozen=True)
class WorkerDeath:
    """A worker ended, by an exit code or by the signal of that name.

    `reason`: why the pool ended it, or why it said that it could not go on; empty where nobody knows.
    """

    worker: int
    pid: int
    exit_code: int | None
    signal: str
    reason: str


Report = MessageReceived | WorkerDeath


@dataclass(frozen=True)
class WorkerFacts:
    """Where a worker runs: its process id, and the name of the machine that this is a process of."""

    pid: int
    node: str


class Pool(Protocol):
    """Workers by number. The search chooses the numbers; one is free again once its worker's death was reported.

    One thread uses a pool. Orders to one worker arrive in the order in which they were sent, and so do its messages,
    each once; its death is the last that is reported of it. A pool starts no worker by itself, and repeats no work:
    what a death means for a training is the search's to decide.
    """

    @property
    def workers(self) -> Sequence[int]:
        """Numbers of the workers whose death was not reported yet, in the order in which they were started."""
        ...

    def facts(self, number: int) -> WorkerFacts:
        """Where a worker runs. Raises KeyError for a number that is not in `workers`."""
        ...

    def set_log_folder(self, folder: Path) -> None:
        """Have workers that are started from now on print into `worker.NUMBER.log` in a folder of this machine.

        The logs of those that run are moved by whoever moves the folder.
        """
        ...

    def start(self, number: int, environment: Mapping[str, str]) -> None:
        """Start a worker under a free number; its first message is `Ready`.

        `environment` is added to that of the machine where it runs: it names nothing that lies on another machine.
        Raises OSError where no process can be started.
        """
        ...

    def send(self, number: int, order: ToWorker) -> None:
        """Give a worker an order. To one that has died it is no error, since its death is, or was, reported."""
        ...

    def wait(self, seconds: float) -> list[Report]:
        """What has happened since the last call, waiting up to `seconds` for the first of it; empty if nothing did."""
        ...

    def stop(self, number: int, reason: str) -> None:
        """End a worker and its children at once; `wait` reports its death with this reason.

        Raises KeyError for a number that is not in `workers`.
        """
        ...

    def close(self) -> None:
        """End all workers and free what belonged to them: when this returns none of their processes is left."""
        ...
