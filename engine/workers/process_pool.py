"""Worker processes, the parent's side: started fresh, spoken to over pipes, their death noticed at once."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from engine.system import scratch
from engine.system.permissions import create_file
from engine.system.whole_files import write_all
from engine.workers.messages import LONGEST_LINE, Broken, ToWorker, decode_from_worker, encode
from engine.workers.pool import Died, Said

if TYPE_CHECKING:
    from pathlib import Path

WORKER_COMMAND = (sys.executable, "-P", "-m", "engine.workers.worker")
_GRACE_SECONDS = 2.0
_READ_BYTES = 1 << 16

# One thread each, whatever a library would choose; these must be set before it is imported.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)

# Keras may be set up for another backend in the user's own configuration; searches are defined on TensorFlow.
_ENVIRONMENT = {**ONE_THREAD, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    commands: int  # file descriptors
    events: int
    buffer: bytearray = field(default_factory=bytearray)
    reason: str = ""  # why we end it
    last_words: str = ""


class Pool:
    """Some worker processes. Not safe for use from several threads.

    `command` starts a worker; it is told the number of its event pipe as its last argument and reads its orders
    from standard input. `logs` is a folder for what workers print; `scratch` one that they may make, see there.
    """

    def __init__(self, logs: Path, command: Sequence[str] = WORKER_COMMAND) -> None:
        self.logs, self._command = logs, tuple(command)
        self.scratch = scratch.new_name()
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()

    @property
    def workers(self) -> list[int]:
        """Numbers of the workers that were started and have not been seen to end."""
        return list(self._workers)

    def pid(self, number: int) -> int:
        """The process id of a worker."""
        return self._workers[number].process.pid

    def start(self, number: int, environment: Mapping[str, str]) -> None:
        """Start a worker; `environment` is added to ours. It announces itself with `Ready`."""
        orders_read, orders_write = os.pipe()
        events_read, events_write = os.pipe()
        try:
            path = self.logs / f"worker.{number}.log"
            with open(path, "ab", opener=create_file) as log:
                process = subprocess.Popen(
                    [*self._command, str(events_write)],
                    stdin=orders_read,
                    stdout=log,
                    stderr=log,
                    pass_fds=(events_write,),
                    env={**os.environ, **_ENVIRONMENT, scratch.VARIABLE: str(self.scratch), **environment},
                    start_new_session=True,  # ctrl-C in a terminal is the engine's to answer
                )
        except BaseException:
            os.close(orders_write)
            os.close(events_read)
            raise
        finally:
            os.close(orders_read)
            os.close(events_write)
        os.set_blocking(events_read, False)
        self._workers[number] = _Worker(number, process, orders_write, events_read)
        self._selector.register(events_read, selectors.EVENT_READ, number)

    def send(self, number: int, message: ToWorker) -> None:
        """Give a worker an order. One that has just died is not an error here: its end will be reported."""
        worker = self._workers.get(number)
        if worker is not None:
            with contextlib.suppress(BrokenPipeError):
                write_all(worker.commands, encode(message) + b"\n")

    def wait(self, seconds: float) -> list[Said | Died]:
        """What workers said, and which ended, waiting up to `seconds` for the first of it."""
        happened: list[Said | Died] = []
        for key, _ in self._selector.select(max(0.0, seconds)):
            worker = self._workers.get(key.data)
            if worker is not None:
                self._read(worker, happened)
        for worker in list(self._workers.values()):
            # A grandchild that inherited the pipe would keep it open: the process itself is asked too.
            if worker.process.poll() is not None:
                self._read(worker, happened)
                if worker.number in self._workers:
                    self._bury(worker, happened)
        return happened

    def _read(self, worker: _Worker, happened: list[Said | Died]) -> None:
        while True:
            try:
                chunk = os.read(worker.events, _READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                self._bury(worker, happened)
                return
            worker.buffer += chunk
            *lines, rest = worker.buffer.split(b"\n")
            worker.buffer = rest
            for line in lines:
                try:
                    message = decode_from_worker(line)
                    if isinstance(message, Broken):
                        worker.last_words = message.reason
                    else:
                        happened.append(Said(worker.number, message))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    worker.reason = f"it sent what is no message: {error}"
                    break  # nor is anything believed that it says after that
            if len(worker.buffer) > LONGEST_LINE:
                worker.reason = f"it sent a line of more than {LONGEST_LINE >> 20} MiB"
            if worker.reason:
                self._bury(worker, happened)
                return

    def _bury(self, worker: _Worker, happened: list[Said | Died]) -> None:
        """Close what belonged to a worker, make sure that it and its children are gone, and report."""
        if worker.reason:
            # Before its pipes close, at which it would begin to end by itself.
            _kill_group(worker.process, signal.SIGKILL)
        self._selector.unregister(worker.events)
        os.close(worker.events)
        os.close(worker.commands)
        try:
            code = worker.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(worker.process, signal.SIGKILL)
            code = worker.process.wait()
        _kill_group(worker.process, signal.SIGKILL)
        del self._workers[worker.number]
        happened.append(
            Died(
                worker.number,
                worker.process.pid,
                code if code >= 0 else None,
                _signal_name(-code) if code < 0 else "",
                worker.reason or worker.last_words,
            )
        )

    def stop(self, number: int, reason: str) -> None:
        """End a worker at once; `wait` reports it with the reason."""
        worker = self._workers[number]
        worker.reason = reason
        _kill_group(worker.process, signal.SIGKILL)

    def close(self) -> None:
        """End all workers: their pipes close, and who has not gone after a moment is killed."""
        for worker in self._workers.values():
            self._selector.unregister(worker.events)
            os.close(worker.commands)
            os.close(worker.events)
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            _kill_group(worker.process, signal.SIGKILL)
            worker.process.wait()
        self._workers.clear()
        self._selector.close()
        scratch.remove(self.scratch)


def _kill_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the process and its children: a worker leads a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
