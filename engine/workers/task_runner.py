"""A worker's second kind of work: tasks of a script, such as the fits of a scikit-learn search.

A task is unpickled here, and nothing else ever is: what comes over this worker's own pipe was pickled by the process
that started it.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import psutil
from msgspec import structs

from engine.system import scratch
from engine.system.permissions import create_file
from engine.system.regular_files import open_mine
from engine.training.keras import watched_fit
from engine.workers import messages

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

_LARGEST_PART = 1 << 20  # bytes of a result in one message
_MOST_WARNINGS = 100
_LONGEST_WARNING = 2_000  # characters
_LONGEST_PRINTED = 100_000  # characters of scikit-learn's own lines
_LONGEST_TRACEBACK = 500_000
_LONGEST_ERROR = 500
_OWN_LINES = "[CV"  # how scikit-learn's own lines about a fit begin


class TaskRunner:
    """Runs tasks one after another, reports with `send`; Keras halts after an epoch while `may_run` is not set."""

    def __init__(self, send: Callable[[messages.Message], None], may_run: threading.Event) -> None:
        self._send, self._may_run = send, may_run
        self._shared: dict[int, Any] = {}
        self._process = psutil.Process()
        self._buffers: list[Path] = []
        self._task = -1
        self._epochs = watched_fit.EpochCounter()
        self._watches_keras = False

    def handle(self, order: messages.OfScript) -> None:
        """Do what an order asks."""
        match order:
            case messages.OpenTasks():
                # After ours, so that no module of the script takes the place of one of ours.
                sys.path.extend(path for path in order.paths if path not in sys.path)
                self._buffers = [scratch.use(Path(folder)) for folder in order.buffers]
                if not self._watches_keras:
                    self._watches_keras = True
                    watched_fit.watch_keras(self._report_epoch)
            case messages.CloseTasks():
                self._shared.clear()
                while self._buffers:
                    scratch.leave(self._buffers.pop())
            case messages.LogInto():
                _print_into(order.path)
            case messages.Share():
                self._shared[order.number] = self._unpickled(order.pickled, order.buffers)
            case messages.RunTask():
                self._run(order)

    def _run(self, order: messages.RunTask) -> None:
        self._task, self._epochs = order.task, watched_fit.EpochCounter()
        self._send(messages.TaskBegun(task=order.task))
        lines = _OwnLines(sys.stdout)
        caught: dict[tuple[str, str], tuple[str, type, str, int]] = {}
        try:
            function, arguments, keywords, backend, jobs = self._unpickled(order.pickled, order.buffers)
            with contextlib.redirect_stdout(lines), _collected(caught), _nested(backend, jobs):
                result = function(*arguments, **keywords)
            done = messages.TaskDone(task=order.task, pickled=cloudpickle.dumps(result))
        except Exception as error:  # that a task raises is its result: the script decides what follows
            done = _raised(order.task, error)
        self._send(
            structs.replace(
                done,
                pickled=self._last_part(order.task, done.pickled),
                printed=lines.taken,
                warnings=_pickled_warnings(caught),
                memory=int(self._process.memory_info().rss),
            )
        )
        sys.stdout.flush()

    def _last_part(self, task: int, content: bytes) -> bytes:
        """The last part of a pickled result or error, once the parts before it are sent."""
        while len(content) > _LARGEST_PART:
            self._send(messages.TaskPart(task=task, pickled=content[:_LARGEST_PART]))
            content = content[_LARGEST_PART:]
        return content

    def _unpickled(self, content: bytes, buffers: Sequence[messages.MappedBuffer]) -> Any:
        unpickler = _Unpickler(io.BytesIO(content), buffers=[_mapped(buffer) for buffer in buffers])
        unpickler.shared = self._shared
        return unpickler.load()

    def _report_epoch(self, epoch: watched_fit.WatchedEpoch) -> None:
        number, epochs = self._epochs.place_of(epoch)
        self._send(
            messages.TaskEpoch(
                task=self._task,
                epoch=number,
                epochs=epochs,
                steps_per_epoch=epoch.steps,
                loss=epoch.loss,
                validation_loss=epoch.validation_loss,
                validation_score=epoch.validation_score,
                learning_rate=epoch.learning_rate,
                planned_rates=list(epoch.planned_rates),
            )
        )
        self._may_run.wait()


def _print_into(path: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "ab", opener=create_file) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _raised(task: int, error: Exception) -> messages.TaskDone:
    try:
        content = cloudpickle.dumps(error)
        pickle.loads(content)  # noqa: S301 - some errors can be written and not be read
    except Exception:
        content = cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return messages.TaskDone(
        task=task,
        pickled=content,
        raised=True,
        error=text[:_LONGEST_ERROR],
        traceback=traceback.format_exc()[-_LONGEST_TRACEBACK:],
    )


def _pickled_warnings(caught: dict[tuple[str, str], tuple[str, type, str, int]]) -> bytes:
    """What was warned of, as far as it can be sent: a category may be a class that cannot be."""
    try:
        content: bytes = cloudpickle.dumps(list(caught.values())) if caught else b""
    except Exception:
        content = cloudpickle.dumps([(text, UserWarning, file, line) for text, _, file, line in caught.values()])
    return content


class _Unpickler(pickle.Unpickler):
    shared: dict[int, Any]

    def persistent_load(self, number: int) -> Any:
        """The shared value of a number."""
        return self.shared[number]


class _OwnLines(io.TextIOBase):
    """Passes on what is printed, but for scikit-learn's own lines about a fit: those the script's process prints."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._line, self.taken = stream, "", ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._pass_on(f"{line}\n")
        if len(self._line) > _LONGEST_PRINTED:
            self._pass_on(self._line)
            self._line = ""
        return len(text)

    def _pass_on(self, line: str) -> None:
        if line.startswith(_OWN_LINES) and len(self.taken) < _LONGEST_PRINTED:
            self.taken += line[:_LONGEST_PRINTED]
        else:
            self._stream.write(line)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return int(self._stream.fileno())


def _mapped(buffer: messages.MappedBuffer) -> mmap.mmap:
    with open_mine(buffer.path) as file:
        return mmap.mmap(file.fileno(), buffer.length, access=mmap.ACCESS_READ)


@contextlib.contextmanager
def _collected(caught: dict[tuple[str, str], tuple[str, type, str, int]]) -> Iterator[None]:
    """Warnings go to the log, and each kind once into a table, for the script's process to show."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def shown(message: Any, category: type, filename: str, line: int, file: Any = None, source: Any = None) -> None:
            text = str(message)[:_LONGEST_WARNING]
            if len(caught) < _MOST_WARNINGS:
                caught.setdefault((category.__name__, text), (text, category, filename, line))
            show(message, category, filename, line, file, source)

        warnings.showwarning = shown  # type: ignore[assignment]
        yield


@contextlib.contextmanager
def _nested(backend: Any, jobs: int | None) -> Iterator[None]:
    """What a task runs in parallel itself runs as joblib has it run inside a worker."""
    import joblib

    with joblib.parallel_config(backend=backend, n_jobs=jobs):
        yield
