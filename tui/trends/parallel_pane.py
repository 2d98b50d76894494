"""Parallel coordinates in a terminal: a line a combination, an axis a hyperparameter, ranges brushed by the keyboard.

What is selected is solid, what is not is dotted and faint: it is read without colours too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from engine.analysis.trends.parallel import thinned
from tui.parts.pane import Pane, style_of
from tui.plots.braille import BrailleCanvas
from tui.results.brushes import Brush

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events
    from textual.binding import BindingType

    from engine.analysis.trends.parallel import ParallelAxis

_MOST_LINES = 150  # of each kind, so that a held key is answered at once
_LAST_AXIS = 9  # columns for what is written beside it
_NARROWEST = 7


class ParallelPane(Pane):
    """Axes from left to right, the score last. `chosen` is the number of the axis that keys act on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)", "Axis to the left", show=False),
        Binding("right", "choose(1)", "Axis to the right", show=False),
        Binding("up,k", "move(1)", "Brush a level up", show=False),
        Binding("down,j", "move(-1)", "Brush a level down", show=False),
        Binding("plus", "widen(1)", "Brush a level more", show=False),
        Binding("minus", "widen(-1)", "Brush a level fewer", show=False),
    ]

    class Brushed(Message):
        """A range of an axis is to be selected."""

        def __init__(self, axis: ParallelAxis, brush: Brush) -> None:
            self.axis, self.brush = axis, brush
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.axes: list[ParallelAxis] = []
        self.chosen = -1
        self._titles_of: list[str] = []
        self._order: list[int] = []
        self._selected: set[int] | None = None
        self._ranges: Mapping[str, Brush] = {}

    def show(
        self,
        axes: list[ParallelAxis],
        titles: list[str],
        order: list[int],
        selected: set[int] | None,
        ranges: Mapping[str, Brush],
    ) -> None:
        """Axes with a title each; rows, the best first; which of them are selected, None for all; what is brushed."""
        self.axes, self._titles_of, self._order = axes, titles, order
        self._selected, self._ranges = selected, dict(ranges)
        self.chosen = min(self.chosen, len(axes) - 1) if self.chosen >= 0 else len(axes) - 1
        self.changed()

    @property
    def axis(self) -> ParallelAxis | None:
        """The one that keys act on."""
        return self.axes[self.chosen] if self.axes else None

    def action_choose(self, step: int) -> None:
        """Another axis."""
        if self.axes:
            self.chosen = max(0, min(len(self.axes) - 1, self.chosen + step))
            self.changed()

    def action_move(self, step: int) -> None:
        """The brush by a level; the first press brushes the highest level, or the lowest."""
        if self.axis is None:
            return
        count = len(self.axis.levels)
        present = self._ranges.get(self.axis.name)
        start = Brush(count - 1, count - 1) if step > 0 else Brush(0, 0)
        self.post_message(self.Brushed(self.axis, start if present is None else present.moved(step, count)))

    def action_widen(self, step: int) -> None:
        """A level more or fewer."""
        if self.axis is None:
            return
        count = len(self.axis.levels)
        present = self._ranges.get(self.axis.name, Brush(count - 1, count - 1))
        self.post_message(self.Brushed(self.axis, present.widened(step, count)))

    def on_click(self, event: events.Click) -> None:
        """An axis is chosen where it stands; a level beside it is brushed."""
        offset = event.get_content_offset(self)
        if offset is None or not self.axes:
            return
        columns = self._columns(self.size.width)
        self.chosen = min(range(len(columns)), key=lambda number: abs(columns[number] - offset.x))
        self.changed()
        above = self._heading_lines(columns, self.size.width)
        if offset.y >= above and self.axis is not None:
            place = 1 - (offset.y - above) / max(1, self.size.height - above - 1)
            ends = self.axis.ends
            level = min(range(len(ends)), key=lambda number: abs(sum(ends[number]) / 2 - place))
            self.post_message(self.Brushed(self.axis, Brush(level, level)))

    def draw_content(self, width: int, height: int) -> Text:
        """Titles above, lines below."""
        if len(self.axes) < 2 or not self._order:
            return Text("shown once combinations of several values are complete", style="dim")
        if height < 4 or width < _NARROWEST * len(self.axes):
            return Text(f"needs {_NARROWEST * len(self.axes)} columns; o gives it the whole screen", style="dim")
        columns = self._columns(width)
        above = self._heading_lines(columns, width)
        canvas = BrailleCanvas(width, height - above)
        self._draw_lines(canvas, columns)
        cells = canvas.rows()
        for number, (axis, column) in enumerate(zip(self.axes, columns, strict=True)):
            room = (columns[number + 1] if number + 1 < len(columns) else width) - column - 2
            self._draw_axis(cells, axis, column, room, is_chosen=number == self.chosen)
        text = Text("\n", no_wrap=True, end="").join(
            self._headings(columns, width, start, above) for start in range(above)
        )
        for line in cells:
            text.append("\n")
            for character, style in line:
                text.append(character, style=style)
        return text

    def _heading_lines(self, columns: Sequence[int], width: int) -> int:
        """Two where one has no room for the titles: every other title then stands a line lower."""
        return 1 if all(self._room(columns, width, n, 1) >= len(t) for n, t in enumerate(self._titles_of)) else 2

    def _headings(self, columns: Sequence[int], width: int, start: int, step: int) -> Text:
        text = Text()
        for number in range(start, len(columns), step):
            is_chosen = number == self.chosen
            style = "bold reverse" if is_chosen and self.has_focus else "bold" if is_chosen else ""
            title = self._titles_of[number][: self._room(columns, width, number, step)]
            text.append(" " * (columns[number] - text.cell_len)).append(title, style=style)
        return text

    @staticmethod
    def _room(columns: Sequence[int], width: int, number: int, step: int) -> int:
        following = number + step
        return (columns[following] if following < len(columns) else width) - columns[number] - 1

    def on_focus(self) -> None:
        """The chosen axis is strong."""
        self.changed()

    def on_blur(self) -> None:
        """It is not."""
        self.changed()

    def _columns(self, width: int) -> list[int]:
        gaps = max(1, len(self.axes) - 1)
        return [number * (width - _LAST_AXIS) // gaps for number in range(len(self.axes))]

    def _draw_lines(self, canvas: BrailleCanvas, columns: Sequence[int]) -> None:
        """What is not selected first, then what is, the best of it last."""
        inside = [row for row in self._order if self._selected is None or row in self._selected]
        outside = [row for row in self._order if self._selected is not None and row not in self._selected]
        faint, strong = style_of(self.app, "foldwatch-faint"), style_of(self.app, "primary")
        for row in thinned(outside, _MOST_LINES):
            self._draw_row(canvas, columns, row, faint, every=3)
        for row in reversed(thinned(inside, _MOST_LINES)):
            self._draw_row(canvas, columns, row, strong)
        if inside:
            self._draw_row(canvas, columns, inside[0], f"bold {style_of(self.app, 'warning')}")

    def _draw_row(self, canvas: BrailleCanvas, columns: Sequence[int], row: int, style: str, *, every: int = 1) -> None:
        bottom = canvas.height * 4 - 1
        points = [
            (column * 2 + 1, (1 - axis.places[row]) * bottom) for axis, column in zip(self.axes, columns, strict=True)
        ]
        for (x, y), (to_x, to_y) in pairwise(points):
            canvas.line(x, y, to_x, to_y, style, every=every)

    def _draw_axis(
        self, cells: list[list[tuple[str, str]]], axis: ParallelAxis, column: int, room: int, *, is_chosen: bool
    ) -> None:
        line = style_of(self.app, "primary") if is_chosen else style_of(self.app, "secondary")
        for row in cells:
            row[column] = ("│", line)
        bottom = len(cells) - 1
        brush = self._ranges.get(axis.name)
        if brush is not None:
            last = len(axis.ends) - 1
            low, high = axis.ends[min(brush.first, last)][0], axis.ends[min(brush.last, last)][1]
            for row in cells[round((1 - high) * bottom) : round((1 - low) * bottom) + 1]:
                row[column] = ("█", f"bold {style_of(self.app, 'success')}")
        for number, text, place in _labels(axis):
            is_brushed = brush is not None and brush.first <= number <= brush.last
            style = "bold reverse" if is_brushed else "bold" if is_chosen else "dim"
            for offset, character in enumerate(f"{text} "[: max(0, room)]):
                cells[round((1 - place) * bottom)][column + 1 + offset] = (character, style)


def _labels(axis: ParallelAxis) -> list[tuple[int, str, float]]:
    """(number of the level, what is written, where): listed values, and where each range begins."""
    if not any(level.is_range for level in axis.levels):
        return [(n, level.text, ends[0]) for n, (level, ends) in enumerate(zip(axis.levels, axis.ends, strict=True))]
    labels = [
        (number, level.text if level.low is None else f"{level.low:.4g}", ends[0])
        for number, (level, ends) in enumerate(zip(axis.levels, axis.ends, strict=True))
    ]
    highest = max((n for n, level in enumerate(axis.levels) if level.low is not None), default=0)
    return [*labels, (highest, f"{axis.levels[highest].high:.4g}", axis.ends[highest][1])]
