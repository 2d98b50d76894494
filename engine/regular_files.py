"""Reading what somebody else may have put there: regular files only, no links, never blocking, within a bound.

A session's folder, a spec's path and a shared cache can hold anything: a FIFO on which `open` would wait for ever, a
device without an end, a link to another place, a file of terabytes. What is read is asked of the opened descriptor,
so that it cannot be exchanged between the question and the reading.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

_GROWTH_BYTES = 64 << 10  # of a file that grows while it is read, or that has a size only when it is read
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotRegularError(OSError):
    """The path names something that is no regular file: a link, a folder, a FIFO, a device, a socket."""

    def __init__(self, path: str | os.PathLike[str], what: str) -> None:
        super().__init__(errno.EINVAL, f"is {what}, not a regular file", os.fspath(path))


class TooLargeError(OSError):
    """The file is larger than anything that belongs there."""

    def __init__(self, path: str | os.PathLike[str], size: int, largest: int) -> None:
        message = f"is {size} bytes long, more than the {largest} that belong there"
        super().__init__(errno.EFBIG, message, os.fspath(path))


def open_regular(path: str | os.PathLike[str], *, follow_links: bool = False) -> BinaryIO:
    """Open a regular file to be read in binary. Raises OSError, NotRegularError among them.

    `follow_links`: for a path that the user typed, where a link is as good as the file; the file behind it must be
    regular all the same.

    Example: `with open_regular(folder / "search.json") as file: ...`
    """
    # Without O_NONBLOCK, opening a FIFO waits for somebody who writes.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        # Linux says ELOOP for a link that is not followed, FreeBSD EMLINK; a socket is ENXIO.
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise NotRegularError(path, "a link") from None
        if error.errno == errno.ENXIO:
            raise NotRegularError(path, "a socket or a device") from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegularError(path, kind_of(mode))
        return open(path, "rb", opener=lambda *_: descriptor)  # so that it knows its name
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str], largest: int, *, follow_links: bool = False) -> bytes:
    """The content of a regular file of at most `largest` bytes. Raises OSError, TooLargeError among them."""
    with open_regular(path, follow_links=follow_links) as file:
        return read_within(file, largest)


def read_within(file: BinaryIO, largest: int) -> bytes:
    """What an opened file holds, at most `largest` bytes. Raises TooLargeError before more than that is in memory."""
    size = os.fstat(file.fileno()).st_size
    # Python sets memory aside for as much as is asked for: no more is than the file has, or gets meanwhile.
    content = file.read(min(size + _GROWTH_BYTES, largest) + 1) if size <= largest else b""
    if max(size, len(content)) > largest:
        raise TooLargeError(file.name, max(size, len(content)), largest)
    return content


def owner_of(file: BinaryIO) -> int:
    """The number of the user whose file an opened one is."""
    return os.fstat(file.fileno()).st_uid


def is_mine_alone(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else can write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE


def kind_of(mode: int) -> str:
    """What is no regular file, by its mode, in words."""
    for is_kind, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if is_kind(mode):
            return name
    return "something else"
