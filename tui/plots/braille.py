"""A canvas of braille dots, two across and four down in each cell, for many lines that cross each other."""

from __future__ import annotations

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row, then column, of a cell
_BLANK = 0x2800


class BrailleCanvas:
    """Cells of a width and height; a cell takes the style of the line that was drawn there last."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]

    def line(self, x: float, y: float, to_x: float, to_y: float, style: str, *, every: int = 1) -> None:
        """A straight line between two places, in dots from the top left; `every`: only each so many dots of it."""
        steps = max(1, round(max(abs(to_x - x), abs(to_y - y))))
        for step in range(0, steps + 1, every):
            share = step / steps
            self._dot(round(x + (to_x - x) * share), round(y + (to_y - y) * share), style)

    def _dot(self, x: int, y: int, style: str) -> None:
        column, row = x // 2, y // 4
        if 0 <= column < self.width and 0 <= row < self.height:
            if self.styles[row][column] != style:  # dots of a fainter line would look like the stronger one's
                self._dots[row][column], self.styles[row][column] = 0, style
            self._dots[row][column] |= _DOTS[y % 4][x % 2]

    def rows(self) -> list[list[tuple[str, str]]]:
        """(character, style) of every cell; a blank where there is no dot."""
        return [
            [(chr(_BLANK + dots) if dots else " ", style) for dots, style in zip(line, styles, strict=True)]
            for line, styles in zip(self._dots, self.styles, strict=True)
        ]
