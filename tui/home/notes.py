"""The note that somebody keeps on a session: `note.txt` in its folder, written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputOutputError, UsageError
from engine.system.regular_files import open_regular
from engine.system.whole_files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 10_000
_NAME = "note.txt"


def read_note(folder: Path) -> str:
    """The note; empty where there is none. Raises InputOutputError if it cannot be read."""
    try:
        with open_regular(folder / _NAME) as file:
            return file.read(MOST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        message = f"{folder / _NAME}: cannot be read: {error.strerror}"
        raise InputOutputError(message) from error


def write_note(folder: Path, text: str) -> None:
    """Keep a note; an empty one removes it. Raises UsageError if it is too long, InputOutputError if it cannot be."""
    content = text.strip().encode(errors="replace")
    if len(content) > MOST_BYTES:
        message = f"a note has {len(content):,} bytes; accepted: up to {MOST_BYTES:,}"
        raise UsageError(message)
    try:
        if content:
            write_whole(folder / _NAME, content + b"\n")
        else:
            (folder / _NAME).unlink(missing_ok=True)
    except OSError as error:
        message = f"{folder / _NAME}: the note cannot be written: {error.strerror}"
        raise InputOutputError(message) from error
