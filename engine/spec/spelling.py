"""Values and combinations in a few words."""

from __future__ import annotations

from typing import Any

from engine.spec.catalogue import NONE


def in_short(params: dict[str, Any]) -> str:
    """Parameters as `name=value` pairs, in order of their names."""
    return ", ".join(f"{name}={show_value(value)}" for name, value in sorted(params.items()))


def show_value(value: object) -> str:
    """A parameter's value as a spec would have it, floats to six digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return NONE
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show_value(item) for item in value) + "]"
    return str(value)
