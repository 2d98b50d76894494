"""What the app draws where the terminal is given plain characters only: every cell holds one of ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

from engine.formatting.characters import plain_cells

if TYPE_CHECKING:
    from textual.color import Color


class PlainCells(LineFilter):
    """Replaces what has a plain form by it, cell for cell; letters that the encoding lacks by `?`."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as they were."""
        return [
            segment if segment.control else Segment(self.plain(segment.text), segment.style) for segment in segments
        ]

    def plain(self, text: str) -> str:
        """The text, as many cells wide as before."""
        text = plain_cells(text)
        if text.isascii():
            return text
        return "".join(one if self._can_hold(one) else "?" * cell_len(one) for one in text)

    def _can_hold(self, character: str) -> bool:
        try:
            character.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True
