"""Who may read a session: its owner, or its group as well. The mode of its folder decides it for every file in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from engine.system.regular_files import NotRegularError, kind_of


def make_folder(folder: Path, *, group_readable: bool = False) -> None:
    """Create a folder, mode 0700 or 0750 whatever the umask. Raises OSError."""
    folder.mkdir(mode=0o700)
    if group_readable:
        folder.chmod(0o750)


def is_group_readable(folder: Path) -> bool:
    """Whether the group may read what lies in a folder."""
    return bool(folder.stat().st_mode & stat.S_IRGRP)


def create_file(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file for writing, created if need be, mode 0600, or 0640 in a folder that its group may read.

    Raises OSError; NotRegularError where no regular file lies there. Links are not followed.
    """
    mode = 0o640 if is_group_readable(Path(path).parent) else 0o600
    # Without O_NONBLOCK, opening a FIFO waits for a reader.
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(path, kind_of(status.st_mode))
        # The umask may have taken the group's right away. A file of another user is left as it is.
        if mode == 0o640 and status.st_uid == os.geteuid() and not status.st_mode & stat.S_IRGRP:
            os.fchmod(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
