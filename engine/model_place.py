"""Where a model may be saved: the description beside it replaces nothing that is not such a description."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_record_place(path: Path) -> None:
    """Raises UsageError where the description beside a model would replace a file that is none of ours."""
    place = path.with_suffix(".json")
    try:
        described = msgspec.json.decode(place.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError):
        described = None
    if not (isinstance(described, dict) and {"session", "combination", "model"} <= described.keys()):
        message = f"{place}: describes no model of ours, and a description would replace it; name another model"
        raise UsageError(message)
