"""Errors of other people's code as a message can have them."""

from __future__ import annotations

_LONGEST_TEXT = 500


def in_one_line(error: Exception) -> str:
    """The kind of an error and the beginning of its text, on one line."""
    text = " ".join(str(error).split())[:_LONGEST_TEXT]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
