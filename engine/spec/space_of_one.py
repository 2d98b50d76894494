"""One combination as the space that has it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.spec.catalogue import MODEL_PREFIX


def combination_space(params: Mapping[str, Any]) -> dict[str, Any]:
    """Flat parameters as a space of one combination: `optimizer__momentum` becomes a field of the optimizer's table."""
    space: dict[str, Any] = {}
    for name, value in sorted(params.items()):
        head, _, argument = name.partition("__")
        if not argument:
            space.setdefault(head, [value])
            continue
        if name.startswith(MODEL_PREFIX):
            space[name] = [value]
            continue
        word = "schedule" if head == "learning_rate" else "name"
        table = space.get(head, [None])[0]
        if not isinstance(table, dict):
            table = {word: params.get(head)}
        # A list is what Keras takes here (boundaries, values): inside another list, so that it is one choice.
        table[argument] = [value] if isinstance(value, list | tuple) else value
        space[head] = [table]
    if isinstance(space.get("hidden_units", [None])[0], list | tuple):
        space.pop("hidden_layers", None)  # layers named one by one say how many there are
    schedule = space.get("learning_rate", [None])[0]
    if isinstance(schedule, str):
        space["learning_rate"] = [{"schedule": schedule}]
    return space
