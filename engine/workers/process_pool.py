"""Worker processes of this machine, the parent's side: fresh processes behind pipes, whose death is noticed at once."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from engine.data.cache_folder import private_folder
from engine.system import scratch
from engine.system.permissions import create_file
from engine.system.whole_files import write_all
from engine.workers.messages import LONGEST_LINE, Broken, ToWorker, decode_from_worker, encode
from engine.workers.pool import MessageReceived, WorkerDeath, WorkerFacts

if TYPE_CHECKING:
    from pathlib import Path

    from engine.workers.pool import Report

_COMMAND = (sys.executable, "-P", "-m", "engine.workers.worker")
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
    orders: int  # file descriptors
    messages: int
    buffer: bytearray = field(default_factory=bytearray)
    reason: str = ""  # why we end it
    own_reason: str = ""  # why it ends itself


class ProcessPool:
    """A `Pool` of processes on this machine. Not safe for use from several threads.

    `logs`: the folder for what workers print. `command` starts a worker (None: foldwatch's own command), which gets the
    number of the pipe for its messages as its last argument and reads its orders from standard input. `scratch`: a
    folder that the workers may make, see there.
    """

    def __init__(self, logs: Path, command: Sequence[str] | None = None) -> None:
        self.logs, self._command = logs, tuple(command or _COMMAND)
        self.scratch = scratch.new_name()
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()

    @property
    def workers(self) -> list[int]:
        """Numbers of the workers whose end was not reported yet."""
        return list(self._workers)

    def facts(self, number: int) -> WorkerFacts:
        """The process id of a worker, and this machine's name."""
        return WorkerFacts(self._workers[number].process.pid, socket.gethostname())

    def set_log_folder(self, folder: Path) -> None:
        """Have workers that are started from now on print into a folder."""
        self.logs = folder

    def start(self, number: int, environment: Mapping[str, str]) -> None:
        """Start a worker process; `environment` is added to ours."""
        orders_read, orders_write = os.pipe()
        messages_read, messages_write = os.pipe()
        try:
            path = self.logs / f"worker.{number}.log"
            with open(path, "ab", opener=create_file) as log:
                process = subprocess.Popen(
                    [*self._command, str(messages_write)],
                    stdin=orders_read,
                    stdout=log,
                    stderr=log,
                    pass_fds=(messages_write,),
                    env={**os.environ, **_ENVIRONMENT, **self._folders(), **environment},
                    start_new_session=True,  # ctrl-C in a terminal is the engine's to answer
                )
        except BaseException:
            os.close(orders_write)
            os.close(messages_read)
            raise
        finally:
            os.close(orders_read)
            os.close(messages_write)
        os.set_blocking(messages_read, False)
        self._workers[number] = _Worker(number, process, orders_write, messages_read)
        self._selector.register(messages_read, selectors.EVENT_READ, number)

    def _folders(self) -> dict[str, str]:
        return {
            scratch.VARIABLE: str(self.scratch),
            # Not the user's own, nor /tmp/.keras, where anybody can plant files.
            "KERAS_HOME": str(private_folder(None) / "keras"),
        }

    def send(self, number: int, order: ToWorker) -> None:
        """Write an order into a worker's pipe; one that has just died does not read it any more."""
        worker = self._workers.get(number)
        if worker is not None:
            with contextlib.suppress(BrokenPipeError):
                write_all(worker.orders, encode(order) + b"\n")

    def wait(self, seconds: float) -> list[Report]:
        """The messages of workers and their deaths, waiting up to `seconds` for the first of them."""
        reports: list[Report] = []
        for key, _ in self._selector.select(max(0.0, seconds)):
            worker = self._workers.get(key.data)
            if worker is not None:
                self._read(worker, reports)
        for worker in list(self._workers.values()):
            # A grandchild that inherited the pipe would keep it open: so the process itself is looked at too.
            if worker.process.poll() is not None:
                self._read(worker, reports)
                if worker.number in self._workers:
                    self._handle_death(worker, reports)
        return reports

    def _read(self, worker: _Worker, reports: list[Report]) -> None:
        while True:
            try:
                chunk = os.read(worker.messages, _READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                self._handle_death(worker, reports)
                return
            worker.buffer += chunk
            *lines, rest = worker.buffer.split(b"\n")
            worker.buffer = rest
            for line in lines:
                try:
                    message = decode_from_worker(line)
                    if isinstance(message, Broken):
                        worker.own_reason = message.reason
                    else:
                        reports.append(MessageReceived(worker.number, message))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    worker.reason = f"it sent something that is no message: {error}"
                    break  # whatever it sent after that is not believed either
            if len(worker.buffer) > LONGEST_LINE:
                worker.reason = f"it sent a line of more than {LONGEST_LINE >> 20} MiB"
            if worker.reason:
                self._handle_death(worker, reports)
                return

    def _handle_death(self, worker: _Worker, reports: list[Report]) -> None:
        """Close what belonged to a worker, make sure that it and its children are gone, and report its death."""
        if worker.reason:
            # Before its pipes close, at which it would begin to end by itself.
            _kill_group(worker.process, signal.SIGKILL)
        self._selector.unregister(worker.messages)
        os.close(worker.messages)
        os.close(worker.orders)
        try:
            code = worker.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(worker.process, signal.SIGKILL)
            code = worker.process.wait()
        _kill_group(worker.process, signal.SIGKILL)
        del self._workers[worker.number]
        reports.append(
            WorkerDeath(
                worker.number,
                worker.process.pid,
                code if code >= 0 else None,
                _signal_name(-code) if code < 0 else "",
                worker.reason or worker.own_reason,
            )
        )

    def stop(self, number: int, reason: str) -> None:
        """Kill a worker and its children; `wait` reports its death with the reason."""
        worker = self._workers[number]
        worker.reason = reason
        _kill_group(worker.process, signal.SIGKILL)

    def close(self) -> None:
        """End all workers: their pipes close, and those that have not ended after a moment are killed."""
        for worker in self._workers.values():
            self._selector.unregister(worker.messages)
            os.close(worker.orders)
            os.close(worker.messages)
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
