"""A function that a test names as a user's own."""

from __future__ import annotations

from typing import Any


def build(meta: Any, units: int = 8) -> Any:
    """No network: nothing calls it."""
    raise AssertionError(meta, units)
