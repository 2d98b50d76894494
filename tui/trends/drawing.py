"""Draws the panes of the trends from what is complete, what of it is selected, and what a report found out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.widgets import Static

from engine.analysis.trends.effects import main_effects
from engine.analysis.trends.importance import FEWEST
from engine.analysis.trends.pairs import by_importance, telling_pair
from engine.analysis.trends.parallel import parallel_axes
from engine.analysis.trends.top import NEAR, TIED, top_combinations
from tui.parts.pane import style_of
from tui.parts.safe_text import clean, safe_content
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.complete_rows import complete_rows
from tui.results.model import short_titles
from tui.results.trend_texts import fitting_columns, heat_text, importance_text, top_text, values_text
from tui.trends.parallel_pane import ParallelPane

if TYPE_CHECKING:
    from textual.screen import Screen

    from engine.analysis.trends.complete import CompleteCombinations
    from tui.navigation import WatchedSearch
    from tui.results.brushes import Brushes
    from tui.results.table import ResultsTable
    from tui.trends.findings import ReportRequest

_TOP = 12


class TrendsDrawing:
    """The selection is the filter of `table`; `brushes` are marked on the axes of the parallel coordinates."""

    def __init__(
        self, screen: Screen[Any], live: WatchedSearch, table: ResultsTable, brushes: Brushes, report: ReportRequest
    ) -> None:
        self._screen = screen
        self._live = live
        self._table = table
        self._brushes = brushes
        self._report = report
        self._names: list[str] = []  # hyperparameters that vary, those that matter most first
        self._pair: tuple[str, str] | None = None
        self._chosen_pair: tuple[str, str] | None = None
        self._best: int | None = None  # of the combinations that are selected

    def draw(self) -> None:
        """All panes but the curves and learning rates."""
        model, order = self._table.model, self._table.order
        complete = complete_rows(model)
        metric = clean(self._live.state.scoring[0]) if self._live.state.scoring else "score"
        selected: set[int] | None = None
        chosen = complete
        if order.filter_text:
            selected = {row for row, index in enumerate(complete.indices) if order.keeps(index)}
            chosen = complete.only(sorted(selected))
        self._draw_importance(len(complete))
        self._draw_parallel(complete, selected, metric)
        self._draw_effects(complete, chosen, metric)
        self._draw_heat(chosen)
        self._draw_top(complete, chosen)

    def choose_pair(self, which: str) -> None:
        """The next hyperparameter `down` or `across` in the heat map, never the same for both."""
        names = self._names
        if len(names) < 2:
            return
        down, across = self._shown_pair or (names[0], names[1])
        present, other = (down, across) if which == "down" else (across, down)
        place = names.index(present) if present in names else 0
        following = [names[(place + step) % len(names)] for step in range(1, len(names) + 1)]
        chosen = next(name for name in following if name != other)
        self._chosen_pair = (chosen, across) if which == "down" else (down, chosen)
        self.draw()

    def draw_traces(self) -> None:
        """Rates and curves of the best combination that is selected."""
        live, best = self._live, self._best
        if best is None or best >= len(live.state.combinations):
            return
        self._screen.query_one(CurvesPlot).show(best, live.state.scoring[0], live.curves(best))
        line = live.rate_line(best)
        self._screen.query_one(LearningRatePlot).show([line] if line else [])

    def _draw_importance(self, complete: int) -> None:
        text = self._screen.query_one("#importance-text", Static)
        if complete < FEWEST:
            self._entitle("importance", "importance", "")
            text.update(self._wrapped(f"importance needs {FEWEST} complete combinations; there are {complete}"))
        elif self._report.findings is None:
            self._entitle("importance", "importance", "")
            refused = self._report.refused
            words = f"importance: {refused}" if refused else "importance is being computed …"
            text.update(self._wrapped(words))
        else:
            importances, known = self._report.findings.importances, self._report.findings.combinations
            fit = "" if importances.explained is None else f", R² {importances.explained:.2f}"
            anew = f"{complete} are complete now: i" if complete != known else "half of the R² that shuffling costs"
            self._entitle("importance", f"importance of {known} combinations{fit}", anew)
            width = self._screen.query_one("#importance").size.width - 2
            text.update(importance_text(importances, width, self._colour))

    def _wrapped(self, words: str) -> Text:
        width = max(20, self._screen.query_one("#importance").size.width - 2)
        return Text("\n".join(textwrap.wrap(clean(words), width)), style="dim")

    def _draw_parallel(self, complete: CompleteCombinations, selected: set[int] | None, metric: str) -> None:
        axes = parallel_axes(complete, metric)
        titles = short_titles([axis.name for axis in axes[:-1]])
        shown = "all" if selected is None else f"{len(selected)} of {len(complete)} selected"
        self._entitle("parallel", f"parallel coordinates · {shown}", self._table.order.filter_text)
        order = sorted(range(len(complete)), key=lambda row: (-complete.means[row], row))
        pane = self._screen.query_one(ParallelPane)
        pane.show(
            axes,
            [*(titles[axis.name] for axis in axes[:-1]), metric][: len(axes)],
            order,
            selected,
            self._brushes.ranges,
        )

    def _draw_effects(self, complete: CompleteCombinations, chosen: CompleteCombinations, metric: str) -> None:
        effects = main_effects(chosen)
        importances = self._report.findings.importances if self._report.findings is not None else None
        self._names = by_importance(effects, importances)
        self._pair = telling_pair(chosen, effects, importances)
        total = self._table.model.rows
        many = "selected" if chosen is not complete else "complete"
        self._entitle("values", f"mean {metric} by value ± 95 %", f"{len(chosen)} of {total} combinations are {many}")
        width = self._screen.query_one("#values").size.width - 2
        shown = values_text(effects, self._table.model.fixed, width, self._colour) if len(chosen) else self._nothing()
        self._screen.query_one("#values-text", Static).update(shown)

    def _draw_heat(self, chosen: CompleteCombinations) -> None:
        text, pair = self._screen.query_one("#heat-text", Static), self._shown_pair
        if pair is None:
            self._entitle("heat", "heat map", "")
            text.update(Text("needs two hyperparameters that vary together", style="dim"))
            return
        self._entitle("heat", f"{pair[0]} × {pair[1]}", "d and a choose others")
        text.update(heat_text(chosen, *pair, self._colour))

    @property
    def _shown_pair(self) -> tuple[str, str] | None:
        """The one that was chosen, as long as both vary; else the one that the report shows."""
        chosen = self._chosen_pair
        return chosen if chosen and set(chosen) <= set(self._names) else self._pair

    def _draw_top(self, complete: CompleteCombinations, chosen: CompleteCombinations) -> None:
        model, width = self._table.model, self._screen.query_one("#top").size.width - 2
        tied = self._report.tied(len(complete), chosen)
        top = top_combinations(chosen, _TOP, tied)
        columns, left_out = fitting_columns(model, top, self._names, width)
        many = f" · no room for {left_out} column{'s' if left_out > 1 else ''}" if left_out else ""
        self._entitle("top", f"top {len(top)}{many}", NEAR if tied is None else TIED)
        dropped = self._report.findings.dropped if self._report.findings is not None and tied is not None else 0
        shown = top_text(chosen, top, tied, dropped, columns, model, width) if top else self._nothing()
        self._screen.query_one("#top-text", Static).update(shown)
        ranked = sorted(range(len(chosen)), key=lambda row: (-chosen.means[row], row))
        self._best = chosen.indices[ranked[0]] if ranked else None

    def _nothing(self) -> Text:
        if self._table.order.filter_text:
            return Text("no complete combination is selected; C selects all", style="dim")
        return Text("shown once combinations are complete on every fold", style="dim")

    def _entitle(self, pane: str, title: str, subtitle: str) -> None:
        widget = self._screen.query_one(f"#{pane}")
        widget.border_title = safe_content(title)
        widget.border_subtitle = safe_content(subtitle)

    def _colour(self, variable: str) -> str:
        return style_of(self._screen.app, variable)
