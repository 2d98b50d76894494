"""A spec as TOML."""

from __future__ import annotations

from typing import Any

from engine.spec.catalogue import NONE


def as_item(value: Any) -> Any:
    """A table or tables of a document, or one of its values."""
    import tomlkit

    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        tables = tomlkit.aot()
        for item in value:
            tables.append(as_item(item))
        return tables
    if not isinstance(value, dict):
        return _as_value(value)
    table = tomlkit.table()
    for key, item in value.items():
        table.add(key, _as_value(item))
    return table


def _as_value(value: Any) -> Any:
    """On one line; a list that holds tables has a line for each item. TOML has no None: a word stands for it."""
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update({key: _as_value(item) for key, item in value.items()})
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend([_as_value(item) for item in value])
        return array.multiline(any(isinstance(item, dict) for item in value))
    return NONE if value is None else value
