"""Loss and score of a combination's epochs: each fold faint, the mean over the folds strong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tui.parts.pane import Pane
from tui.plots.chart import Line, draw
from tui.plots.data import FoldCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

_BESIDE = 84  # from this width on, losses and scores stand beside each other instead of on two axes


def mean_curve(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The mean over the folds at each epoch that all of them have reached."""
    length = min(map(len, curves), default=0)
    means: list[float | None] = []
    for epoch in range(length):
        values = [curve[epoch] for curve in curves]
        known = [value for value in values if value is not None]
        means.append(sum(known) / len(known) if len(known) == len(values) else None)
    return means


class CurvesPlot(Pane):
    """Training loss, validation loss and validation score of one combination."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.curves: list[FoldCurve] = []
        self.metric = "score"
        self.combination: int | None = None
        self.without = ""
        self._title()

    def show(self, combination: int | None, metric: str, curves: list[FoldCurve], without: str = "") -> None:
        """The folds that have epochs to show; `without`: why there are none."""
        if (combination, metric, curves, without) != (self.combination, self.metric, self.curves, self.without):
            self.combination, self.metric, self.curves, self.without = combination, metric, curves, without
            self._title()
            self.changed()

    def _title(self) -> None:
        which = "" if self.combination is None else f" #{self.combination}"
        folds = f"{len(self.curves)} fold{'s' if len(self.curves) != 1 else ''}" if self.curves else ""
        legend = [
            (f"{which.strip() or 'curves'} ", ""),
            ("loss ┄ ", "$secondary"),
            ("validation ━ ", "$warning"),
            (f"{self.metric} ━", "$success"),
        ]
        self.entitle(legend, folds)

    def draw_content(self, width: int, height: int) -> Text:
        """Losses on the left, the score on the right."""
        if not self.curves:
            return Text(self.without or "the curves of the selected combination are drawn here", style="dim")
        if width < _BESIDE:
            return self._draw(self._losses() + self._scores(right=True), width, height)
        half = width // 2
        left = self._draw(self._losses(), half, height).split("\n")
        right = self._draw(self._scores(right=False), width - half, height).split("\n")
        beside = Text(no_wrap=True, end="")
        for number in range(max(len(left), len(right))):
            first = left[number] if number < len(left) else Text()
            first.pad_right(half - first.cell_len)
            beside.append_text(first)
            if number < len(right):
                beside.append_text(right[number])
            beside.append("\n")
        return beside

    def _draw(self, lines: list[Line], width: int, height: int) -> Text:
        epochs = max((len(curve.loss) for curve in self.curves), default=1)
        return draw(lines, width, height, axis_colour=self.colour("foreground"), x_limits=(1.0, float(max(2, epochs))))

    def _losses(self) -> list[Line]:
        train, validation = self.colour("secondary"), self.colour("warning")
        faint = self.colour("foldwatch-faint")
        lines = [_line(curve.validation_loss, faint) for curve in self.curves] if len(self.curves) > 1 else []
        lines.append(_line(mean_curve([curve.loss for curve in self.curves]), train, dotted=True))
        lines.append(_line(mean_curve([curve.validation_loss for curve in self.curves]), validation))
        return lines

    def _scores(self, *, right: bool) -> list[Line]:
        faint = self.colour("foldwatch-faint")
        scores = [curve.validation_score for curve in self.curves]
        lines = [_line(curve, faint, right=right) for curve in scores] if len(scores) > 1 else []
        return [*lines, _line(mean_curve(scores), self.colour("success"), right=right)]


def _line(
    values: Sequence[float | None],
    colour: tuple[int, int, int] | int,
    *,
    dotted: bool = False,
    right: bool = False,
) -> Line:
    known = [(float(epoch), value) for epoch, value in enumerate(values, start=1) if value is not None]
    return Line([x for x, _ in known], [y for _, y in known], colour, dotted, right)
