"""A new session's folder, until all of it is written and it gets its name."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from engine.errors import CannotCreateError, UsageError
from engine.session.places import DELETED, NEW, check_identifier, make_private_folder, name_taken, new_identifier
from engine.session.record import SearchRecord
from engine.session.session import Session
from engine.system import permissions
from engine.system.process_marks import is_abandoned, new_mark
from engine.system.regular_files import open_mine
from engine.system.whole_files import as_json, remove_tree, sync_folder, write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
_NOT_FREE = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class SessionDraft:
    """A session's folder before it is one, under a name that no list shows; workers may log into it already."""

    def __init__(self, sessions: Path, identifier: str, *, group_readable: bool = False) -> None:
        """Raises UsageError if the name is taken, CannotCreateError if the place cannot be written."""
        check_identifier(identifier)
        self._target = sessions / identifier
        self.folder = sessions / f"{NEW}{identifier}.{new_mark()}"
        if self._target.exists():
            raise UsageError(name_taken(self._target))
        self._created_folders = [folder for folder in (sessions, *sessions.parents) if not folder.exists()]
        try:
            make_private_folder(sessions, group_readable=group_readable)
            _remove_left_behind(sessions)
            permissions.make_folder(self.folder, group_readable=group_readable)
            permissions.make_folder(self.folder / "control")
        except OSError as error:
            raise self._cannot_create(error) from error

    def finish(self, record: SearchRecord, folds: NDArray[np.int16] | None, *, stem: str = "") -> Session:
        """Make it a session, whole.

        `stem`: where nobody named the session, what its name begins with; the next free one is taken then.
        `folds` (repeats, rows) int16: for each repeat the fold in which a row is validated, -1 where a row is not
        part of the search; None where nobody knows, as of a script's. Raises as the constructor does.
        """
        import numpy as np

        try:
            if folds is not None:
                content = io.BytesIO()
                np.save(content, folds, allow_pickle=False)
                write_whole(self.folder / "folds.npy", content.getvalue())
            while True:
                write_whole(self.folder / "search.json", as_json(record))
                if self._took_its_name():
                    return Session(self._target, record, open_mine)
                if not stem:
                    raise UsageError(name_taken(self._target))
                self._target = self._target.with_name(new_identifier(self._target.parent, stem))
                record = structs.replace(record, id=self._target.name)
        except OSError as error:
            raise self._cannot_create(error) from error

    def _took_its_name(self) -> bool:
        """Give the folder its name; False if another session has taken the name meanwhile. Raises OSError."""
        try:
            # Renaming a folder never replaces one that holds something.
            self.folder.rename(self._target)
        except OSError as error:
            if error.errno in _NOT_FREE:
                return False
            raise
        sync_folder(self._target.parent)
        return True

    def discard(self) -> None:
        """Remove the folder, and the folders that were created to hold it unless they hold something else by now."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            for folder in self._created_folders:
                folder.rmdir()

    def _cannot_create(self, error: OSError) -> CannotCreateError:
        return CannotCreateError(f"{self._target}: cannot create the session: {error.strerror}")


def _remove_left_behind(sessions: Path) -> None:
    """Remove folders that were to become sessions, or were being deleted, when their process was killed."""
    for name in os.listdir(sessions):
        if name.startswith((NEW, DELETED)):
            place = sessions / name
            if is_abandoned(place, name.partition(".")[2].partition(".")[2]):
                remove_tree(place)
