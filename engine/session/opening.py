"""Checks of a session's folder before any of its content is used."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import msgspec

from engine.errors import SessionNotTrustedError, SessionUnreadableError
from engine.session.record import FORMAT, SearchRecord
from engine.session.record_limits import LARGEST_RECORD, check_depth
from engine.system.regular_files import Opener, kind_of, read_within

RECORD_NAME = re.compile(
    r"search\.json|folds\.npy|control|heartbeat|(journal|curves)\.[0-9]+\.jsonl|predictions\.[0-9]+\.bin"
)


def owner_name(folder: Path) -> str:
    """The user to whom a folder belongs, by name, or by number where there is none; empty if that is this user, and
    where the folder is gone.
    """
    import pwd

    try:
        user = folder.stat().st_uid
    except OSError:
        return ""
    if user == os.geteuid():
        return ""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def check_place(place: Path, mode: int) -> None:
    """Raises SessionUnreadableError or SessionNotTrustedError for what somebody else may have put or changed here."""
    if stat.S_ISLNK(mode) or not stat.S_ISDIR(mode):
        message = f"{place}: is not a session's folder (links are not followed)"
        raise SessionUnreadableError(message)
    owners = (place.lstat().st_uid, 0)
    for path in (place, *(place / name for name in _record_names(place))):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            message = f"{path}: is a link; the record of a session holds none"
            raise SessionUnreadableError(message)
        is_folder = path in (place, place / "control")
        if not (stat.S_ISDIR if is_folder else stat.S_ISREG)(status.st_mode):
            message = f"{path}: is {kind_of(status.st_mode)}, not a {'folder' if is_folder else 'regular file'}"
            raise SessionUnreadableError(message)
        if status.st_uid not in owners:
            message = f"{path}: belongs to user {status.st_uid}, not to the session's owner"
            raise SessionNotTrustedError(message)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            message = f"{path}: others may write to it; if all of it can be trusted: chmod -R go-w {place}"
            raise SessionNotTrustedError(message)


def _record_names(place: Path) -> list[str]:
    try:
        return [name for name in os.listdir(place) if RECORD_NAME.fullmatch(name)]
    except OSError as error:
        message = f"{place}: cannot be read: {error.strerror}"
        raise SessionUnreadableError(message) from error


def read_record(place: Path, opened: Opener) -> SearchRecord:
    """`search.json`. Raises SessionUnreadableError where it cannot be read, or is not the record of a search."""
    path = place / "search.json"
    try:
        with opened(path) as file:
            content = read_within(file, LARGEST_RECORD)
        check_depth(content)
        record = msgspec.json.decode(content, type=SearchRecord)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SessionUnreadableError(message) from error
    except ValueError as error:  # msgspec's errors are among them
        message = f"{path}: is not the record of a search: {error}"
        raise SessionUnreadableError(message) from error
    if record.format > FORMAT:
        message = f"{path}: has format {record.format}; this version reads up to {FORMAT}"
        raise SessionUnreadableError(message)
    if not isinstance(record.spec.get("dataset"), str):
        message = f"{path}: is not the record of a search: its spec names no dataset"
        raise SessionUnreadableError(message)
    return record
