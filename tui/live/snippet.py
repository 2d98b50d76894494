"""How to run one combination again: a Python snippet and a command, as text to copy."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from engine.spec.catalogue import NONE
from engine.spec.space_of_one import combination_space

_SPEC_KEYS = ("dataset", "num_words", "subsample", "folds", "repeats", "scoring", "seed", "trainer", "early_stopping")


def python_snippet(spec: dict[str, Any], params: dict[str, Any]) -> str:
    """A script that runs this combination alone on the same data, folds and seed, and so finds the same scores."""
    arguments = [f"    {key}={value!r}," for key, value in _said(spec)]
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
    lines = [f"{key} = {_toml(value)}" for key, value in _said(spec)]
    lines.append("[space]")
    lines += [f"{_key(name)} = {_toml(value)}" for name, value in combination_space(params).items()]
    return f"printf '%s\\n' {' '.join(shlex.quote(line) for line in lines)} > one.toml && foldwatch run one.toml"


def _said(spec: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, spec[key]) for key in _SPEC_KEYS if spec.get(key) is not None]


def _key(name: str) -> str:
    """A bare key where TOML allows one."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if value is None:
        value = NONE
    if isinstance(value, str):
        return json.dumps(value)  # a TOML basic string escapes as JSON does
    return repr(value)
