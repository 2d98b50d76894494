"""The means by value of every hyperparameter, beside the table where the terminal is large."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from engine.analysis.trends.effects import main_effects
from tui.parts.pane import Pane, style_of
from tui.results.complete_rows import complete_rows
from tui.results.trend_texts import values_text

if TYPE_CHECKING:
    from tui.results.model import ResultsModel


_REST = 30  # so many times as long as it took


class MeansPane(Pane):
    """Worked out anew only while it is in view and combinations were completed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._model: ResultsModel | None = None
        self._seen: tuple[int, int] = (0, 0)
        self._due = 0.0
        self.entitle("mean by value")

    def show(self, model: ResultsModel, finished: int) -> None:
        """The model as it is now; `finished` fits tell whether it is another one."""
        # Thousands of combinations take a tenth of a second: never more than a small share of the loop's time.
        is_due = time.monotonic() >= self._due or self._model is not model
        if is_due and (self._model is not model or self._seen != (finished, model.rows)):
            self._model, self._seen = model, (finished, model.rows)
            self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """As much as there is room for."""
        if self._model is None or not self._model.complete:
            return Text("shown once combinations are complete on every fold", style="dim")
        began = time.monotonic()
        effects = main_effects(complete_rows(self._model))
        text = values_text(effects, self._model.fixed, width, lambda variable: style_of(self.app, variable))
        self._due = time.monotonic() + _REST * (time.monotonic() - began)
        lines = list(text.split("\n"))
        if len(lines) > height:
            lines = [*lines[: height - 1], Text("… t shows all", style="dim")]
        return Text("\n", no_wrap=True).join(lines)
