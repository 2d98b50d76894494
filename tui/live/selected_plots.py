"""Plots of the selected combination, drawn when they are due: not at every epoch, and not while a key is held."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.means_pane import MeansPane

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.timer import Timer

    from tui.live.model import LiveModel
    from tui.results.table import ResultsTable

PLOT_SECONDS = 2.0
_REST_SECONDS = 0.08  # a held key moves on before plots are drawn
_MOST_RATES = 5  # lines in one plot: that of the selected combination, then those of pinned ones


class SelectedPlots:
    """Draws curves and learning rates of the row under the cursor, and the means, `slowness` times more rarely."""

    def __init__(self, screen: Screen[None], live: LiveModel, table: ResultsTable, slowness: float) -> None:
        self._screen = screen
        self._live = live
        self._table = table
        self._slowness = slowness
        self._means = screen.query_one(MeansPane)
        self._curves = screen.query_one(CurvesPlot)
        self._rates = screen.query_one(LearningRatePlot)
        self._timer: Timer | None = None
        self._drawn_at = 0.0

    def draw_when_rested(self) -> None:
        """Soon, unless the cursor moves again before."""
        self._draw_in(_REST_SECONDS)

    def draw_when_due(self) -> None:
        """Once the last drawing is old enough."""
        if self._timer is None:
            self._draw_in(max(0.001, self._drawn_at + PLOT_SECONDS * self._slowness - time.monotonic()))

    def _draw_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._screen.set_timer(seconds, self.draw)

    def draw(self) -> None:
        """Now."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._drawn_at = time.monotonic()
        live, selected = self._live, self._table.cursor
        self._means.show(self._table.model, live.state.fits_finished)
        known = len(live.state.combinations)
        if selected is None or selected >= known:
            self._curves.show(None, "score", [])
            self._rates.show([])
            return
        without = live.without_epochs(selected)
        self._curves.show(selected, live.state.scoring[0], live.curves(selected), without)
        pinned = sorted(row for row in self._table.order.pinned if row != selected and row < known)
        lines = [live.rate_line(combination) for combination in [selected, *pinned][:_MOST_RATES]]
        self._rates.show([line for line in lines if line is not None], without)
