"""What keys of the live view change in the view alone, never in its search: filter, pins, order of rows, axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from tui.navigation import navigation_of
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.brushes import Brushes
from tui.results.row_filter import FilterError

if TYPE_CHECKING:
    from textual.binding import BindingType

    from tui.live.filter_bar import FilterBar
    from tui.live.model import LiveModel
    from tui.live.selected_plots import SelectedPlots
    from tui.parts.control_panel import ControlPanel
    from tui.results.table import ResultsTable

BINDINGS: list[BindingType] = [
    Binding("f,slash", "view('filter')", "Filter rows", show=False),
    Binding("m", "view('mark')", "Pin or unpin the row", show=False),
    Binding("z", "view('freeze')", "Freeze the order, or unfreeze it", show=False),
    Binding("u", "view('units')", "Epochs or steps", show=False),
    Binding("l", "view('logarithm')", "Linear or logarithmic", show=False),
    Binding("t", "view('trends')", "Trends of the whole grid", show=False),
]


class ViewCommands:
    """They act on the table, its filter bar and the plots; what was done stands in `panel`."""

    def __init__(
        self, live: LiveModel, table: ResultsTable, filter_bar: FilterBar, plots: SelectedPlots, panel: ControlPanel
    ) -> None:
        self._live = live
        self._table = table
        self._filter_bar = filter_bar
        self._plots = plots
        self._panel = panel
        self._brushes = Brushes()

    def filter(self) -> None:
        """Type a filter; rows follow while you type."""
        self._filter_bar.open()

    def mark(self) -> None:
        """Pin the selected combination to the top, or let it go."""
        if self._table.cursor is None:
            return
        row = self._table.cursor
        is_pinned = self._table.order.toggle_pin(row)
        self._panel.say(f"#{row} {'is pinned' if is_pinned else 'is no longer pinned'}")
        self._table.rearrange(by_hand=True)
        self._plots.draw()

    def freeze(self) -> None:
        """Rows stay where they are while results come in."""
        order = self._table.order
        order.frozen = not order.frozen
        self._panel.say("the order is frozen; z unfreezes it" if order.frozen else "the order follows the results")
        self._table.rearrange(by_hand=True)

    def units(self) -> None:
        """Epochs or steps along the learning rate's axis."""
        self._table.screen.query_one(LearningRatePlot).toggle(steps=True)

    def logarithm(self) -> None:
        """A linear or a logarithmic learning rate."""
        self._table.screen.query_one(LearningRatePlot).toggle(logarithm=True)

    def trends(self) -> None:
        """What the whole grid shows so far."""
        navigation_of(self._table).open_trends(self._live, self._table, self._brushes, self._select)

    def _select(self, filter_text: str) -> None:
        """What was brushed in the trends is the table's filter."""
        try:
            self._table.order.filter_by(filter_text)
        except FilterError as error:
            self._panel.say(str(error), problem=True)
        self._table.rearrange(by_hand=True)
        self._plots.draw()
