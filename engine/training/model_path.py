"""Where a model may be saved. This is checked before a refit, which may take minutes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from engine.errors import CannotCreateError, UsageError, cannot_write
from engine.system.regular_files import is_folder, read_regular
from engine.system.whole_files import check_replaceable

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_DESCRIPTION = 8 << 20


def check_model_place(path: Path) -> None:
    """Refuse a path that no model can be saved to.

    Raises UsageError for a name that does not end in `.keras`, or where the description beside the model would replace
    a file of another kind; CannotCreateError for a directory, for a folder that does not exist and for one that
    may not be written to.
    """
    if path.suffix != ".keras":
        message = f"{path}: a Keras model is saved to a name that ends in .keras"
        raise UsageError(message)
    if is_folder(path):
        message = f"{path}: is a directory; name the file to save to"
        raise CannotCreateError(message)
    check_folder(path)
    for place in (path, path.with_suffix(".json")):
        try:
            check_replaceable(place)
        except (OSError, ValueError) as error:
            raise cannot_write(place, "cannot be saved there", error) from error
    _check_description(path.with_suffix(".json"))


def check_folder(path: Path) -> None:
    """Raises CannotCreateError where no file can be created: there is no such folder, or it may not be written to."""
    if not is_folder(path.parent):
        message = f"{path}: there is no folder {path.parent}"
        raise CannotCreateError(message)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        message = f"{path}: the folder {path.parent} may not be written to"
        raise CannotCreateError(message)


def _check_description(place: Path) -> None:
    try:
        described = msgspec.json.decode(read_regular(place, _LARGEST_DESCRIPTION, follow_links=True))
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError, RecursionError):
        described = None
    if not (isinstance(described, dict) and {"session", "combination", "model"} <= described.keys()):
        message = f"{place}: is no description of a model, and would be replaced by one; name another model"
        raise UsageError(message)
