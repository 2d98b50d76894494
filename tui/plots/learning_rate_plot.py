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
        self._title()

    def show(self, lines: list[RateLine]) -> None:
        """The selected combination first, pinned ones after it."""
        if lines != self.lines:
            self.lines = lines
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
        self.entitle(legend, f"{'steps' if self.in_steps else 'epochs'}, {scale}")

    def draw_content(self, width: int, height: int) -> Text:
        """Plans dotted, the used rates over them."""
        if not self.lines:
            return Text("the schedule of the selected combination is drawn here", style="dim")
        colours = [self.colour(name) for name in _COLOURS]
        background = self.colour("background")
        drawn: list[Line] = []
        end = 0.0
        for number, line in enumerate(self.lines[: len(colours)]):
            planned, faint = line.planned, faded(colours[number], background)
            unit = 1 if self.in_steps else planned.steps_per_epoch
            drawn.append(Line([step / unit for step in planned.steps], planned.rates, faint, dotted=True))
            end = max(end, (planned.steps[-1] + 1) / unit)
        for number, line in enumerate(self.lines[: len(colours)]):
            if line.used:
                steps = line.planned.steps_per_epoch
                unit = 1 if self.in_steps else steps
                # The first step's rate is the plan's; each epoch's last step is what was reported.
                x = [0.0, *(((epoch + 1) * steps - 1) / unit for epoch in range(len(line.used)))]
                drawn.append(Line(x, [line.planned.rates[0], *line.used], colours[number]))
        return draw(
            drawn,
            width,
            height,
            axis_colour=self.colour("foreground"),
            x_limits=(0.0, end),
            logarithmic=self.logarithmic,
        )
