"""Whatever can be typed into has a cursor that stands still."""

from __future__ import annotations

import ast
from pathlib import Path

import tui
from tui.parts.still_input import StillInput


def test_the_cursor_does_not_blink() -> None:
    assert StillInput().cursor_blink is False


def test_every_line_to_type_in_is_such_a_one() -> None:
    sources = Path(tui.__file__).parent.rglob("*.py")
    made = {
        node.func.id
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "StillInput" in made
    assert not made & {"Input", "MaskedInput"}
