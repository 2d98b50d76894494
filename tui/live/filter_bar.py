"""The bar above the results table in which a filter is typed; rows follow at every letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Input

from tui.parts.still_input import StillInput

if TYPE_CHECKING:
    from tui.parts.control_panel import ControlPanel
    from tui.results.table import ResultsTable


class FilterBar(StillInput):
    """Hidden until it is opened; `connect` names the table that it filters and the panel that shows what is wrong."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            placeholder="optimizer=adam mean>0.8 status=running wide", id=id, compact=True, select_on_focus=False
        )
        self.display = False

    def connect(self, table: ResultsTable, panel: ControlPanel) -> None:
        """Before it is opened for the first time."""
        self._table = table
        self._panel = panel

    def open(self) -> None:
        """Type, beginning with the filter that holds now."""
        self.display = True
        self.value = self._table.order.filter_text
        self.cursor_position = len(self.value)
        self.focus()

    def close(self) -> None:
        """Back to the table, whose rows stay filtered."""
        self.display = False
        self._table.focus()

    def clear_filter(self) -> bool:
        """Close the bar and show all rows; False if it was closed and nothing was filtered."""
        if not self.display and not self._table.order.filter_text:
            return False
        if self.display:
            self.close()
            self._panel.say("")
        self._table.order.filter_by("")
        self._table.rearrange(by_hand=True)
        return True

    @on(Input.Changed)
    def _when_typed(self, event: Input.Changed) -> None:
        if not self.display:
            return
        problem = self._table.order.filter_as_typed(event.value)
        self._panel.say(problem, problem=bool(problem))
        self._table.rearrange(by_hand=True)

    @on(Input.Submitted)
    def _when_entered(self, event: Input.Submitted) -> None:
        # A term that is not understood is still to be corrected; escape leaves it.
        if event.value.strip() == self._table.order.filter_text:
            self.close()
