"""The three standard streams as this process was started with them: open, closed, or without a reader."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_closed_streams() -> None:
    """Give a closed stream /dev/null: foldwatch also runs with `2>&-`.

    Its descriptor is filled too, so that no file opened later gets the number that every library writes errors to.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            _connect_to_nothing(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for as long as the process lives


def forget_stdout() -> None:
    """Redirect standard output to /dev/null after it failed: Python would report the failure again at its exit."""
    _connect_to_nothing(sys.stdout.fileno())


def is_dumb_terminal() -> bool:
    """Whether TERM names a terminal without escape sequences."""
    return os.environ.get("TERM", "") in ("dumb", "unknown")


def _connect_to_nothing(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(nothing, descriptor)
        os.close(nothing)
