"""How to run one combination again: a Python snippet and a command, as text to copy."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

_SPEC_KEYS = ("dataset", "num_words", "subsample", "folds", "repeats", "scoring", "seed", "trainer")


def combination_space(params: dict[str, Any]) -> dict[str, Any]:
    """Flat parameters as a space of one combination: `optimizer__momentum` becomes a field of the optimizer's table."""
    space: dict[str, Any] = {}
    for name, value in sorted(params.items()):
        head, _, argument = name.partition("__")
        if not argument:
            space.setdefault(head, [value])
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


def python_snippet(spec: dict[str, Any], params: dict[str, Any]) -> str:
    """A script that runs this combination alone on the same data, folds and seed, and so finds the same scores."""
    arguments = [f"    {key}={spec[key]!r}," for key in _SPEC_KEYS if key in spec]
    space = [f"        {name!r}: {value!r}," for name, value in combination_space(params).items()]
    return "\n".join(
        [
            "from engine import Search",
            "",
            "search = Search(",
            *arguments,
            "    space={",
            *space,
            "    },",
            ")",
            "for event in search.run():",
            "    print(event)",
            "print(search.best_score_, search.cv_results_)",
        ]
    )


def rerun_command(spec: dict[str, Any], params: dict[str, Any]) -> str:
    """One line for a shell: the spec as TOML on stdin."""
    lines = [f"{key} = {_toml(spec[key])}" for key in _SPEC_KEYS if key in spec]
    lines.append("[space]")
    lines += [f"{_key(name)} = {_toml(value)}" for name, value in combination_space(params).items()]
    return f"printf '%s\\n' {' '.join(shlex.quote(line) for line in lines)} > one.toml && foldwatch run one.toml"


def _key(name: str) -> str:
    """A bare key where TOML allows one."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items() if item is not None)} }}"
    if isinstance(value, str):
        return json.dumps(value)  # a TOML basic string escapes as JSON does
    return repr(value)
