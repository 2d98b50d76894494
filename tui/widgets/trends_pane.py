"""The means by value of every hyperparameter, beside the table where the terminal is large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tui.trend_numbers import complete_rows
from tui.widgets.pane import Pane, style_of
from tui.widgets.trend_texts import values_text

if TYPE_CHECKING:
    from tui.results_model import ResultsModel


class TrendsPane(Pane):
    """Worked out anew only while it is in view and combinations were completed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._model: ResultsModel | None = None
        self._seen: tuple[int, int] = (0, 0)
        self.entitle("mean by value")

    def show(self, model: ResultsModel, finished: int) -> None:
        """The model as it is now; `finished` fits tell whether it is another one."""
        if self._model is not model or self._seen != (finished, model.rows):
            self._model, self._seen = model, (finished, model.rows)
            self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """As much as there is room for."""
        if self._model is None or not complete_rows(self._model):
            return Text("shown when combinations are complete on every fold", style="dim")
        text = values_text(self._model, width, lambda variable: style_of(self.app, variable))
        lines = list(text.split("\n"))
        if len(lines) > height:
            lines = [*lines[: height - 1], Text("… t shows all", style="dim")]
        return Text("\n", no_wrap=True).join(lines)
