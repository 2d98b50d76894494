"""`key=value` on a command line."""

from __future__ import annotations

from typing import Any

from engine.errors import SpecError
from engine.spec.bounds import DEEPEST, LONGEST_ASSIGNMENT, LONGEST_NAME, check_text, check_toml, check_value


def parse_assignment(text: str, place: str) -> tuple[str, Any]:
    """`epochs=[5,10]` as name and value: the right side as TOML reads it, a bare word as text. Raises SpecError."""
    import tomllib

    check_text(text, place, LONGEST_ASSIGNMENT)
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SpecError(place, text, "key=value, such as space.epochs=[5,10]")
    check_text(name, place, LONGEST_NAME)
    check_toml(value, place)
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        read = value.strip()
    check_value(read, place)
    return name.strip(), read


def apply_override(values: dict[str, Any], override: str) -> None:
    """`space.epochs=[5,10]` in the values of a spec."""
    path, value = parse_assignment(override, "--set")
    *parents, last = path.split(".")
    if len(parents) >= DEEPEST:
        raise SpecError("--set", path, f"a name of at most {DEEPEST} parts")
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            what = "a list of them, to be given whole" if isinstance(table, list) else "none"
            raise SpecError("--set", override, f"a path of tables; {parent} is {what}")
    table[last] = value
