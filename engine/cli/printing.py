"""What commands print: results on standard output, as text, data or JSON in a line; narration on standard error."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from engine.errors import OutputError
from engine.formatting.characters import fitting
from engine.formatting.safe_text import clean
from engine.system.standard_streams import forget_stdout


def print_json(value: Any) -> None:
    """For programs."""
    print_data((json.dumps(value, allow_nan=False) + "\n").encode())


def print_text(text: str) -> None:
    """For people; what came from outside is cleaned before."""
    with _written():
        sys.stdout.write(fitting(f"{text}\n", sys.stdout))


def print_data(content: bytes) -> None:
    """The bytes of a file of ours, in whatever encoding the terminal is; at once."""
    with _written():
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def flush() -> None:
    """Flush standard output, so that a closed pipe or a full disk is noticed in time."""
    with _written():
        sys.stdout.flush()


def say(text: str) -> None:
    """A line of narration, cleaned here; nothing for no text. One that cannot be written is no reason to fail."""
    if not text:
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(fitting(f"{clean(text)}\n", sys.stderr))
        sys.stderr.flush()


def terminal_width() -> int:
    """Columns; 100 where there is no terminal."""
    return shutil.get_terminal_size((100, 24)).columns


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Raises BrokenPipeError where the reader has gone, OutputError where it cannot be written for another reason.

    Nothing more is written then, not at the exit either.
    """
    try:
        yield
    except BrokenPipeError:
        forget_stdout()
        raise
    except OSError as error:
        forget_stdout()
        message = f"standard output cannot be written: {error.strerror or error}"
        raise OutputError(message) from error


def complain(text: str) -> None:
    """A line of narration that says who speaks."""
    say(f"foldwatch: {text}")
