"""The trends of the whole grid so far: importance, means by value, parallel coordinates, a heat map, the top, curves.

One selection links them all, and the results table below: its filter. Brushing an axis changes it; leaving keeps it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from engine.analysis.trends.importance import FEWEST
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import TRENDS
from tui.parts.overlay import Watching
from tui.parts.tabbed_panes import TabbedPanes
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.brushes import SCORE
from tui.results.complete_rows import complete_rows
from tui.trends.drawing import TrendsDrawing
from tui.trends.findings import ReportRequest
from tui.trends.parallel_pane import ParallelPane

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import DescendantFocus
    from textual.timer import Timer

    from tui.navigation import WatchedSearch
    from tui.parts.keys import Key
    from tui.results.brushes import Brushes
    from tui.results.table import ResultsTable

_REST = 10  # so many times as long as drawing took, while results come in
PANES = {
    "values": "means",
    "importance": "importance",
    "parallel": "parallel",
    "heat": "heat map",
    "top": "top",
    "rates": "learning rate",
    "curves": "curves",
}


class TrendsScreen(Watching):
    """Redrawn as results land. `select` puts a filter on `table`, which is the live view's own."""

    KEYS: ClassVar[dict[str, list[Key]]] = TRENDS
    AUTO_FOCUS = ""  # which pane comes first depends on the layout
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares them as the instance's
        (0, "-narrow"),
        (100, "-normal"),
        (170, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,t", "leave", "Back", show=False),
        Binding("d", "pair('down')", "Another hyperparameter down", show=False),
        Binding("a", "pair('across')", "Another hyperparameter across", show=False),
        Binding("c", "clear", "Clear the brush of the axis", show=False),
        Binding("C", "clear_all", "Clear the whole selection", show=False),
        Binding("v", "traces", "Curves in place of means, or back", show=False),
        Binding("i", "importance", "Compute importance again", show=False),
        Binding("o", "maximise", "Maximise the pane, or back", show=False),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("j", "scroll_pane(1)", "Down", show=False),
        Binding("k", "scroll_pane(-1)", "Up", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
    ]

    def __init__(
        self, live: WatchedSearch, table: ResultsTable, brushes: Brushes, select: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._live = live
        self._table = table
        self._brushes = brushes
        self._select = select
        self._drawn: tuple[Any, ...] = ()
        self._due = 0.0
        self._timer: Timer | None = None
        self.report = ReportRequest(self, live.session.folder, self._draw_anew)
        self._drawing = TrendsDrawing(self, live, table, brushes, self.report)

    def compose(self) -> ComposeResult:
        """Means on the left, lines, heat map and top in the middle, curves on the right where there is room."""
        yield Static(id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="effects", classes="column"):
                with VerticalScroll(id="importance", classes="pane"):
                    yield Static(id="importance-text")
                with VerticalScroll(id="values", classes="pane"):
                    yield Static(id="values-text")
            with Vertical(id="plots", classes="column"):
                yield ParallelPane(id="parallel")
                with VerticalScroll(id="heat", classes="pane"):
                    yield Static(id="heat-text")
                with VerticalScroll(id="top", classes="pane"):
                    yield Static(id="top-text")
            with Vertical(id="traces", classes="column"):
                yield LearningRatePlot(id="rates")
                yield CurvesPlot(id="curves")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Draw; importance is requested once there is enough to draw."""
        self.ready = True
        self._brushes.take_over(self._table.order.filter_text)
        self.panes = TabbedPanes(self, PANES, self._reachable_panes)
        self.query_one(ControlPanel).show_keys(
            [
                ("← →", "axis", "screen.axis"),
                ("↑ ↓", "brush", "screen.brush"),
                ("+ -", "wider", "screen.widen"),
                ("c", "clear", "screen.clear"),
                ("d", "down", "screen.pair('down')"),
                ("a", "across", "screen.pair('across')"),
                ("v", "curves", "screen.traces"),
                ("tab", "pane", "screen.next_pane(1)"),
                ("?", "keys", "app.keys"),
                ("i", "importance again", "screen.importance"),
                ("o", "maximise", "screen.maximise"),
                ("escape", "back", "screen.leave"),
            ]
        )
        self.panes.show("values" if self.app.size.width < 100 else "parallel")
        self.panes.go(0)
        self.call_after_refresh(self.search_changed)

    def on_unmount(self) -> None:
        """Nobody waits for the helper process any more."""
        self.report.stop()

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._draw)

    # What is drawn

    def search_changed(self) -> None:
        """Draw what is new, but only so often that time is left for everything else."""
        model, order = self._table.model, self._table.order
        state = (id(model), len(model.complete), order.filter_text, self.report.findings, self.report.refused)
        due = self._due - time.monotonic()
        if state != self._drawn and due <= 0:
            self._draw()
            self._drawn = state
        elif state != self._drawn and self._timer is None:
            self._timer = self.set_timer(due, self._when_due)
        self._drawing.draw_traces()

    def _when_due(self) -> None:
        self._timer = None
        self.search_changed()

    def _draw(self) -> None:
        began = time.monotonic()
        if not self.report.was_sent and len(complete_rows(self._table.model)) >= FEWEST:
            self.action_importance()
        self._drawing.draw()
        self._due = time.monotonic() + _REST * (time.monotonic() - began)

    def _draw_anew(self) -> None:
        self._due = 0.0
        self.search_changed()

    # The selection

    @on(ParallelPane.Brushed)
    def _when_brushed(self, event: ParallelPane.Brushed) -> None:
        axes = self.query_one(ParallelPane).axes
        self._brushes.put(event.axis, event.brush, SCORE if event.axis is axes[-1] else event.axis.name)
        self._apply()

    def _apply(self) -> None:
        """The table's filter is the selection."""
        self._select(self._brushes.text)
        self._draw_anew()

    def action_axis(self) -> None:
        """The next axis, the first after the last."""
        pane = self.query_one(ParallelPane)
        if pane.axes:
            pane.action_choose(1 if pane.chosen < len(pane.axes) - 1 else -len(pane.axes))

    def action_brush(self) -> None:
        """A level down."""
        self.query_one(ParallelPane).action_move(-1)

    def action_widen(self) -> None:
        """A level more."""
        self.query_one(ParallelPane).action_widen(1)

    def action_clear(self) -> None:
        """Of the chosen axis."""
        axis = self.query_one(ParallelPane).axis
        if axis is not None:
            self._brushes.clear(axis.name)
            self._apply()

    def action_clear_all(self) -> None:
        """Of all axes, and what was typed as a filter."""
        self._brushes.clear()
        self._apply()

    # Importance, and the pair of the heat map

    def action_importance(self) -> None:
        """Request it from a helper process, in a thread."""
        self.report.send()
        self.search_changed()

    def action_pair(self, which: str) -> None:
        """Another hyperparameter `down` or `across` in the heat map."""
        self._drawing.choose_pair(which)

    # Panes

    def action_traces(self) -> None:
        """Where there is no room for both: curves in place of importance and means, and back."""
        self.toggle_class("-curves")
        self.action_next_pane(0)
        self.call_after_refresh(self._drawing.draw_traces)

    def _reachable_panes(self) -> list[str]:
        """Those that have a place; where there is no room for all, curves lie in the place of means."""
        hidden: tuple[str, ...] = ()
        if self.has_class("-normal"):
            hidden = ("values", "importance") if self.has_class("-curves") else ("rates", "curves")
        return [name for name in PANES if name not in hidden]

    def action_next_pane(self, step: int) -> None:
        """Focus the pane after this one, of those that have a place."""
        self.panes.go(step)
        if self.has_class("-narrow") or self.has_class("-maximised"):
            self.call_after_refresh(self._draw)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """A click into a pane shows it too."""
        self.panes.note_focus(event.widget)

    def action_maximise(self) -> None:
        """The pane alone above the keys, and back."""
        self.toggle_class("-maximised")
        self.call_after_refresh(self._draw)

    def action_scroll_pane(self, step: int) -> None:
        """By lines, in the pane that has the focus."""
        if self.focused is not None:
            self.focused.scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Out of a maximised pane, else back to the table, which keeps the selection as its filter."""
        if self.has_class("-maximised"):
            self.action_maximise()
        else:
            self.dismiss(None)
