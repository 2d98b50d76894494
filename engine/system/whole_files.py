"""Files that are written whole: a reader sees all of the old or all of the new content, and a failure changes nothing.

A file that is being written lies beside its target under a name that nobody can guess or plant, so that a folder
that others can write to is as safe as one's own. The name holds which process writes there, so that what a killed
process left can be removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import cannot_write
from engine.system.permissions import create_file
from engine.system.process_marks import is_abandoned, new_mark
from engine.system.regular_files import NotRegularError, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPORARY = re.compile(r"\.foldwatch-([0-9a-f]+\.[0-9]+\.[0-9a-f]+)\.[a-z]+")
_NEW = os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(path: Path, *content: bytes | memoryview, mode: int | None = None, lasting: bool = True) -> None:
    """Write a file so that readers see all of the old or of the new content; `lasting`: even after a power loss.

    `mode`: before the umask; None makes it readable for those who can read its folder. A link of that name is
    replaced, not followed. Raises OSError; NotRegularError where a FIFO, a device or a socket lies there.
    """
    check_replaceable(path)
    temporary = temporary_path(path.parent)
    descriptor = create_file(temporary, _NEW) if mode is None else os.open(temporary, _NEW | os.O_CREAT, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if lasting:
        sync_folder(path.parent)


def write_for_user(path: Path, content: str, what: str, *, mode: int | None = 0o666) -> None:
    """Write a file whose path the user gave, by default with the mode that new files have.

    `mode` as in `write_whole`. Raises CannotCreateError or InputOutputError, which name the place and `what` was to be
    written.
    """
    try:
        write_whole(path, content.encode(), mode=mode)
    except (OSError, ValueError) as error:
        raise cannot_write(path, f"the {what} cannot be written there", error) from error


def as_json(value: Any) -> bytes:
    """Indented JSON for files that people read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def check_replaceable(path: Path) -> None:
    """Raises NotRegularError where no file may take the place of what lies there: a FIFO, a device, a socket."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        # For a folder the system raises an error of its own.
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise NotRegularError(path, kind_of(mode))


def temporary_path(folder: Path, kind: str = "tmp") -> Path:
    """A new path in a folder for a file that is not finished; its length does not depend on any other name."""
    return folder / f".foldwatch-{new_mark()}.{kind}"


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder inside another that only this user can enter, removed at the end with what is still in it.

    For files that other libraries write under names of their own: nobody can plant anything there. Raises OSError.
    """
    folder = temporary_path(parent)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this user left unfinished in a folder; see `is_abandoned`."""
    # What cannot be removed, or is no longer there, does no harm.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            temporary = _TEMPORARY.fullmatch(name)
            if temporary and is_abandoned(folder / name, temporary[1]):
                remove_tree(folder / name)


def remove_tree(place: Path) -> None:
    """Remove a file, or a folder with all it holds, as far as that is possible."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink()


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of the content, however little the system takes at once. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_encode = msgspec.json.Encoder().encode
