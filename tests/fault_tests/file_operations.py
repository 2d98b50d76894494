"""A shim under everything that writes files: it names each operation below a folder, and can kill the process at one.

What Python itself opens, renames, links or removes is heard of through its audit hook, before it happens; writes and
syncs of descriptors through the functions that make them. A write is two operations: before it, and half of it.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_AUDITED = {
    "os.rename": "rename",
    "os.link": "link",
    "os.remove": "remove",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
    "os.truncate": "truncate",
}


class FileOperations:
    """Tells `heard` of every operation; `fatal` is the number of the one to die at, or its name for the first such."""

    def __init__(self, root: Path, heard: Callable[[str], None], fatal: int | str | None = None) -> None:
        self._root = f"{root.resolve()}{os.sep}"
        self._heard, self._fatal = heard, fatal
        self._count: Counter[str] = Counter()
        self._names: dict[int, str] = {}

    def install(self) -> None:
        """Begin to listen; there is no way back but the end of the process."""
        self._write: Callable[[int, bytes], int] = os.write
        self._sync: Callable[[int], None] = os.fsync
        os.write, os.fsync = self._written, self._synced  # type: ignore[assignment]
        sys.addaudithook(self._audited)

    def _meet(self, operation: str) -> bool:
        """Count it; whether it is the one to die at."""
        number = self._count.total()
        self._count[operation] += 1
        self._heard(operation)
        return self._fatal in (number, operation)

    def _happens(self, operation: str) -> None:
        if self._meet(operation):
            os.kill(os.getpid(), signal.SIGKILL)

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            event, what = "open", arguments[0]
        elif event in _AUDITED:
            what = arguments[1] if event in ("os.rename", "os.link") else arguments[0]
        else:
            return
        if isinstance(what, str | os.PathLike) and str(what).startswith(self._root):
            self._happens(f"{_AUDITED.get(event, event)} {_kind(str(what))}")

    def _written(self, descriptor: int, content: bytes) -> int:
        path = _path_of(descriptor)
        if not path.startswith(self._root):
            return self._write(descriptor, content)
        self._happens(f"write {_kind(path)}")
        if self._meet(f"half a write {_kind(path)}"):
            self._write(descriptor, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return self._write(descriptor, content)

    def _synced(self, descriptor: int) -> None:
        path = _path_of(descriptor)
        if path.startswith(self._root):
            self._happens(f"sync {_kind(path)}")
        self._sync(descriptor)


def _path_of(descriptor: int) -> str:
    if sys.platform == "darwin":
        return fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0").decode()
    return str(Path(f"/proc/self/fd/{descriptor}").readlink()).removesuffix(" (deleted)")


def _kind(path: str) -> str:
    """What sort of file it is: its name without the numbers in it."""
    return re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "N", Path(path).name)
