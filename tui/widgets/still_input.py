"""A line to type in whose cursor stands still: over SSH, one that blinks costs a repaint every half second."""

from __future__ import annotations

from textual.reactive import reactive
from textual.widgets import Input


class StillInput(Input):
    """Textual's `Input` otherwise."""

    cursor_blink = reactive(False, init=False)
