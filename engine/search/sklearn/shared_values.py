"""How a script's tasks travel to workers: pickled over the worker's own pipe, their large arrays through mapped files.

What many tasks have in common (the data, the rows of a split, a scorer) is shared: it is pickled once, and a task holds
its number. Buffers of at least 1 MB go once into a file of a private folder, which every worker maps to read.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import cloudpickle

from engine.system.whole_files import write_all
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

LEAST_MAPPED = 1 << 20  # bytes; a smaller buffer travels in the pipe
_TRAVELS_BY_ITSELF = (bool, int, float, str, bytes, type(None))


class SharedValues:
    """Pickles tasks, and what they share once.

    `folders` are private to the search and hold large buffers: the next one where one is full. Values are known by
    identity, so each is kept until the search ends.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._files = 0
        self._numbers: dict[int, int] = {}  # by id
        self._values: list[Any] = []  # so that their ids stay their own
        self._orders: list[messages.Share] = []
        self._sent: dict[int, int] = defaultdict(int)  # worker -> how many it has

    def add(self, values: Iterable[Any]) -> None:
        """Share these values from now on, but for those that cannot be pickled: a task that has one says so itself.

        Raises OSError where a file cannot be written.
        """
        for value in values:
            if not isinstance(value, _TRAVELS_BY_ITSELF) and id(value) not in self._numbers:
                try:
                    content, buffers = self._pickled(value, {})
                except OSError:
                    raise
                except Exception:  # noqa: S112 - pickling runs code of the user's, which may raise anything
                    continue
                number = self._numbers[id(value)] = len(self._values)
                self._values.append(value)
                self._orders.append(messages.Share(number=number, pickled=content, buffers=buffers))

    def orders_for(self, worker: int) -> list[messages.Share]:
        """What a worker lacks; it is taken to have it from now on."""
        missing = self._orders[self._sent[worker] :]
        self._sent[worker] = len(self._orders)
        return missing

    def forget_worker(self, worker: int) -> None:
        """The worker is gone: another of this number has nothing."""
        self._sent.pop(worker, None)

    def task(self, number: int, call: tuple[Any, ...]) -> messages.RunTask:
        """A call `(function, arguments, keywords, backend, jobs)` as an order. Raises what pickling raises."""
        content, buffers = self._pickled(call, self._numbers)
        return messages.RunTask(task=number, pickled=content, buffers=buffers)

    def _pickled(self, value: Any, numbers: Mapping[int, int]) -> tuple[bytes, list[messages.MappedBuffer]]:
        stream = io.BytesIO()
        buffers: list[messages.MappedBuffer] = []
        _Pickler(stream, numbers, lambda raw: buffers.append(self._write(raw))).dump(value)
        return stream.getvalue(), buffers

    def _write(self, buffer: memoryview) -> messages.MappedBuffer:
        """A new file with these bytes."""
        self._files += 1
        *others, last = [folder / f"{self._files}.bytes" for folder in self._folders]
        for path in others:
            try:
                return _written(path, buffer)
            except OSError as error:
                path.unlink(missing_ok=True)
                if error.errno != errno.ENOSPC:
                    raise
        return _written(last, buffer)


def _written(path: Path, buffer: memoryview) -> messages.MappedBuffer:
    """A new file with these bytes, that only this user can read. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        write_all(descriptor, buffer)
    finally:
        os.close(descriptor)
    return messages.MappedBuffer(path=str(path), length=buffer.nbytes)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes the number of a shared value in its place, and hands large buffers to `write`."""

    def __init__(self, file: io.BytesIO, numbers: Mapping[int, int], write: Any) -> None:
        self._numbers, self._write = numbers, write
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=self._keeps)

    def persistent_id(self, value: Any) -> int | None:
        """The number of a shared value; None for any other."""
        return self._numbers.get(id(value))

    def _keeps(self, buffer: pickle.PickleBuffer) -> bool:
        """Whether a buffer stays in the pickle, as small ones do."""
        raw = buffer.raw()
        if raw.nbytes < LEAST_MAPPED:
            return True
        self._write(raw)
        return False
