"""What commands print: text, or JSON in a line, on standard output; notes on standard error."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any


def print_json(value: Any) -> None:
    """For programs."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """For people; what came from outside is cleaned before."""
    sys.stdout.write(text + "\n")


def print_note(text: str) -> None:
    """For people, beside what is printed; nothing for no text."""
    if text:
        sys.stderr.write(text + "\n")


def terminal_width() -> int:
    """Columns; 100 where there is no terminal."""
    return shutil.get_terminal_size((100, 24)).columns
