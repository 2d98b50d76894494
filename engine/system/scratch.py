"""A folder that the workers of a search share: created when one needs it, removed at the end of the search.

It lies in the system's temporary folder, where anybody may write: so its name cannot be guessed, and it is used only
while it is this user's alone. The engine that named it removes it at its end; where that was killed, its last worker
does; and where all were killed at once, the next process that creates such a folder does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from engine.system.regular_files import is_my_folder

VARIABLE = "FOLDWATCH_SCRATCH"  # the environment variable from which a worker reads the folder's path
_PREFIX = "foldwatch-scratch-"
_IN_USE = "in-use.lock"

# Locks of this process, shared with all others that use the same folder.
_in_use: dict[Path, int] = {}


def new_name(parent: Path | None = None) -> Path:
    """The path of a folder that does not exist yet, in another folder than the system's temporary one if need be."""
    return (parent or Path(tempfile.gettempdir())) / f"{_PREFIX}{secrets.token_hex(8)}"


def use(folder: Path) -> Path:
    """Create the folder with mode 0700 if it does not exist, and keep it in use until this process leaves it or ends.

    Folders of this user whose users have all been killed are removed. Raises OSError, also where the folder is
    somebody else's.
    """
    if folder in _in_use:
        return folder
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if other != folder:
            _remove_unused(other)
    folder.mkdir(mode=0o700, exist_ok=True)
    if not is_my_folder(folder):
        message = f"{folder} belongs to somebody else, or others can write to it"
        raise PermissionError(message)
    descriptor = os.open(folder / _IN_USE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with contextlib.suppress(OSError):  # where there are no locks, it never counts as unused
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    _in_use[folder] = descriptor
    return folder


def leave(folder: Path) -> None:
    """Use the folder no longer; remove it if nobody else does."""
    descriptor = _in_use.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)
        _remove_unused(folder)


def leave_all() -> None:
    """Use no folder any longer, for a process that is about to end."""
    for folder in list(_in_use):
        leave(folder)


def remove(folder: Path) -> None:
    """Remove the folder if it exists, even if another process uses it."""
    if is_my_folder(folder) and folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unused(folder: Path) -> None:
    if not is_my_folder(folder):
        return
    try:
        descriptor = os.open(folder / _IN_USE, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # it has just been created, or removed
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # in use
        return
    else:
        remove(folder)
    finally:
        os.close(descriptor)
