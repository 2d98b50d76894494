"""Files that somebody asked for by name: whole or not at all, readable as the system makes files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import cannot_write
from engine.journal import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def write_for_user(path: Path, content: str, what: str, *, mode: int | None = 0o666) -> None:
    """Write it; `mode` as in `write_whole`. Raises CannotCreateError or InputOutputError, which name the place."""
    try:
        write_whole(path, content.encode(), mode=mode)
    except OSError as error:
        raise cannot_write(path, f"the {what} cannot be written there", error) from error
