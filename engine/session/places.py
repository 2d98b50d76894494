"""Where sessions lie, and what they may be called."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from engine.errors import UsageError, shortened
from engine.system import permissions

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # a name that began with - would be an option
NEW, DELETED = ".new-", ".deleted-"  # how the names of folders begin that are not sessions yet, or no longer


def name_taken(place: Path) -> str:
    """The message where a session is to be created under a name that another one has."""
    return f"session {place.name!r} exists; continue it with: {command_of(place.parent, 'resume', place.name)}"


def check_identifier(identifier: str) -> str:
    """Returns the name itself. Raises UsageError if a session cannot have it."""
    if not IDENTIFIER.fullmatch(identifier):
        shown = shortened(repr(identifier))
        message = f"session name {shown} is not accepted; accepted: 1 to 64 of a-z, 0-9 and -, not first"
        raise UsageError(message)
    return identifier


def make_private_folder(folder: Path, *, group_readable: bool = False) -> None:
    """Create a folder that only its owner, or also its group, can enter, with its parents, which get the usual mode.

    An existing one is left as it is.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            permissions.make_folder(folder, group_readable=group_readable)


def sessions_folder(explicit: Path | None = None) -> Path:
    """Where sessions lie: `explicit`, else $FOLDWATCH_SESSIONS, else ./sessions if it exists, else the user's data."""
    if explicit is not None:
        return explicit.absolute()
    if named := os.environ.get("FOLDWATCH_SESSIONS"):
        return Path(named).absolute()
    here = Path("sessions")
    if here.is_dir():
        return here.absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("foldwatch", appauthor=False)) / "sessions"


def command_of(sessions: Path, *words: str) -> str:
    """A command line as a user would type it: `foldwatch WORDS`, with `--sessions` if that is not the usual folder."""
    unusual = [] if sessions == sessions_folder() else ["--sessions", str(sessions)]
    return shlex.join(["foldwatch", *words, *unusual])


def new_identifier(folder: Path, stem: str) -> str:
    """The first of the names stem-01, stem-02, ... that no session has."""
    number = 1
    while (folder / f"{stem}-{number:02}").exists():
        number += 1
    return f"{stem}-{number:02}"
