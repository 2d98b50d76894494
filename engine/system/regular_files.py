"""Reading files that somebody else may have written: regular files only, no links, never blocking, within a bound.

A session's folder, a spec's path and a shared cache can hold anything: a FIFO on which `open` would wait for ever, a
device without an end, a link to another place, a file of terabytes. The kind and the owner of a file are those
of the opened descriptor, so that the file cannot be exchanged between the check and the reading.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

Opener: TypeAlias = Callable[[Path], BinaryIO]
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


class NotMineError(OSError):
    """The file belongs to another user, or others may write to it: anybody may have written its content."""

    def __init__(self, path: str | os.PathLike[str], status: os.stat_result) -> None:
        theirs = status.st_uid not in _trusted_users()
        reason = f"belongs to user {status.st_uid}" if theirs else "may be written by others"
        super().__init__(errno.EPERM, reason, os.fspath(path))


def open_regular(path: str | os.PathLike[str], *, follow_links: bool = False) -> BinaryIO:
    """Open a regular file to be read in binary. Raises OSError, NotRegularError among them.

    `follow_links`: for a path that the user typed, where a link is as good as the file; the file behind it must be
    regular all the same.

    Example: `with open_regular(folder / "search.json") as file: ...`
    """
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        # The error for a link that is not followed is ELOOP on Linux and EMLINK on FreeBSD; for a socket it is ENXIO.
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise NotRegularError(path, "a link") from None
        if error.errno == errno.ENXIO:
            raise NotRegularError(path, "a socket or a device") from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegularError(path, kind_of(mode))
        return open(path, "rb", opener=lambda *_: descriptor)  # so that the file has a name for messages
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
    # Python allocates as much as `read` is called with: so that is no more than the file has, or gains meanwhile.
    content = file.read(min(size + _GROWTH_BYTES, largest) + 1) if size <= largest else b""
    if max(size, len(content)) > largest:
        raise TooLargeError(file.name, max(size, len(content)), largest)
    return content


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """`length` bytes of an opened file from `offset` on; empty where the file ends before."""
    size = os.fstat(file.fileno()).st_size
    if not 0 <= offset <= offset + length <= size:
        return b""
    file.seek(offset)
    return file.read(length)


def open_mine(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file that only this user, or root, can have written; links are not followed.

    Raises OSError, NotRegularError and NotMineError among them.
    """
    file = open_regular(path)
    status = os.fstat(file.fileno())
    if status.st_uid in _trusted_users() and not status.st_mode & _OTHERS_MAY_WRITE:
        return file
    file.close()
    raise NotMineError(path, status)


def is_my_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether it is a real folder of this user, to which nobody else can write; the opened folder is checked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return is_mine_alone(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def is_there(path: Path) -> bool:
    """Whether something exists at a path, be it a link to nothing; False for a text that cannot be a path."""
    try:
        path.lstat()
    except (OSError, ValueError):
        return False
    return True


def is_regular(path: Path) -> bool:
    """Whether a path leads to a regular file, also over links; False where that cannot be determined."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder, also over links; False where that cannot be determined."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def owner_of(file: BinaryIO) -> int:
    """The number of the user to whom an opened file belongs."""
    return os.fstat(file.fileno()).st_uid


def is_mine_alone(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else can write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE


def _trusted_users() -> tuple[int, ...]:
    return (os.geteuid(), 0)


def kind_of(mode: int) -> str:
    """The kind of something that is not a regular file, by its mode, in words."""
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
