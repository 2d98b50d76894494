"""The learning rate of the selected combination, and of the pinned ones: planned over the whole training, and used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tui.parts.pane import Pane, faded
from tui.plots.chart import Line, draw
from tui.plots.data import RateLine

if TYPE_CHECKING:
    pass

_COLOURS = ("primary", "warning", "success", "secondary", "error")


class LearningRatePlot(Pane):
    """Planned is dotted, used is strong; `in_steps` and `logarithmic` are the axes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: list[RateLine] = []
        self.in_steps = False
        self.logarithmic = False
        self.without = ""
        self._title()

    def show(self, lines: list[RateLine], without: str = "") -> None:
        """The selected combination first, pinned ones after it; `without`: why there is nothing to draw."""
        if lines != self.lines or without != self.without:
            self.lines, self.without = lines, without
            self._title()
            self.changed()

    def toggle(self, *, steps: bool = False, logarithm: bool = False) -> None:
        """Turn an axis round."""
        self.in_steps ^= steps
        self.logarithmic ^= logarithm
        self._title()
        self.changed()

    def _title(self) -> None:
        legend = [("learning rate", "")]
        legend += [(f" #{line.combination}", f"${colour}") for line, colour in zip(self.lines, _COLOURS, strict=False)]
        legend.append((" planned ┄ used ━", ""))
        scale = "log" if self.logarithmic else "linear"
        counts_steps = self.in_steps and not any(line.planned is None for line in self.lines)
        self.entitle(legend, f"{'steps' if counts_steps else 'epochs'}, {scale}")

    def draw_content(self, width: int, height: int) -> Text:
        """Plans dotted, the used rates over them."""
        if not self.lines:
            return Text(self.without or "the schedule of the selected combination is drawn here", style="dim")
        colours = [self.colour(name) for name in _COLOURS]
        background = self.colour("background")
        drawn: list[Line] = []
        end = 0.0
        for number, line in enumerate(self.lines[: len(colours)]):
            x, y = line.plan_points(in_steps=self.in_steps)
            drawn.append(Line(x, y, faded(colours[number], background), dotted=True))
            end = max(end, line.end(in_steps=self.in_steps))
        for number, line in enumerate(self.lines[: len(colours)]):
            x, y = line.used_points(in_steps=self.in_steps)
            drawn.append(Line(x, y, colours[number]))
        return draw(
            drawn,
            width,
            height,
            axis_colour=self.colour("foreground"),
            x_limits=(0.0, end),
            logarithmic=self.logarithmic,
        )
