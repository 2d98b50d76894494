"""A line to type in that costs what changes: its cursor stands still, and a character lays no screen out anew.

Over SSH a cursor that blinks costs a repaint every half second. A layout of the whole screen takes longer than all else
that a character asks for; Textual wants one, because another input might be as wide as its text.
"""

from __future__ import annotations

from textual.geometry import Size
from textual.reactive import reactive
from textual.widgets import Input


class StillInput(Input):
    """Textual's `Input` otherwise."""

    cursor_blink = reactive(False, init=False)
    virtual_size = reactive(Size(0, 0), layout=False)
