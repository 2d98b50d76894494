"""What is nested too deep is refused before a decoder descends into it; what is not is let through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.session.record_limits import DEEPEST, check_depth


def _nested(levels: int, value: Any = 1) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        _nested(DEEPEST),
        [_nested(DEEPEST - 1)] * 100,
        ["[" * 1000, "}]" * 1000, '\\"[[' * 1000],
        {"\\": "[" * 1000, "[" * 1000: "\\\\"},
    ],
)
def test_what_is_flat_enough_is_let_through(value: Any) -> None:
    check_depth(json.dumps(value).encode())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(_nested(DEEPEST + 1)).encode(),
        json.dumps([1, "]" * 100, _nested(DEEPEST)]).encode(),
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'["\\\\",' + b"[" * 100 + b"]" * 101,
    ],
)
def test_what_is_nested_too_deep_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=f"nested more than {DEEPEST} deep"):
        check_depth(text)
