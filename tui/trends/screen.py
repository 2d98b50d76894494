"""What the whole grid says so far: importance, means by value, parallel coordinates, a heat map, the top, curves.

One selection links them all, and the results table below: its filter. Brushing an axis changes it; leaving keeps it.
"""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from engine.analysis.trends.effects import main_effects
from engine.analysis.trends.importance import FEWEST
from engine.analysis.trends.pairs import by_importance, telling_pair
from engine.analysis.trends.parallel import parallel_axes
from engine.analysis.trends.top import NEAR, TIED, top_combinations
from engine.errors import InputOutputError
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import TRENDS
from tui.parts.overlay import Watching
from tui.parts.pane import style_of
from tui.parts.safe_text import clean, safe_content, safe_text
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.processes.background import in_background
from tui.results.brushes import SCORE
from tui.results.complete_rows import complete_rows
from tui.results.model import short_titles
from tui.results.trend_texts import fitting_columns, heat_text, importance_text, top_text, values_text
from tui.trends.parallel_pane import ParallelPane
from tui.trends.report_process import ReportProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from engine.analysis.trends.complete import CompleteCombinations
    from tui.navigation import WatchedSearch
    from tui.parts.keys import Key
    from tui.results.brushes import Brushes
    from tui.results.table import ResultsTable
    from tui.trends.report_process import Findings

_TOP = 12
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
        Binding("i", "importance", "Work importance out anew", show=False),
        Binding("o", "maximise", "Maximise the pane, or back", show=False),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("j", "scroll_pane(1)", "Down", show=False),
        Binding("k", "scroll_pane(-1)", "Up", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
    ]

    @dataclass
    class Found(Message):
        """The helper process has told importances and ties."""

        findings: Findings

    @dataclass
    class Refused(Message):
        """It could not."""

        why: str

    def __init__(
        self, live: WatchedSearch, table: ResultsTable, brushes: Brushes, select: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._live = live
        self._table = table
        self._brushes = brushes
        self._select = select
        self._names: list[str] = []  # hyperparameters that vary, those that matter most first
        self._pair: tuple[str, str] | None = None
        self._chosen_pair: tuple[str, str] | None = None
        self._best: int | None = None
        self._drawn: tuple[Any, ...] = ()
        self._due = 0.0
        self._timer: Timer | None = None
        self._process: ReportProcess | None = None
        self.findings: Findings | None = None  # what the helper process told
        self.refused = ""  # why it could not
        self._shown_pane = ""

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
        """Draw, and begin to work importance out."""
        self.ready = True
        self._brushes.take_over(self._table.order.filter_text)
        for name in ("parallel", "rates", "curves"):
            self.query_one(f"#{name}").add_class("pane")
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
                ("i", "importance anew", "screen.importance"),
                ("o", "maximise", "screen.maximise"),
                ("escape", "back", "screen.leave"),
            ]
        )
        self._show_pane("values" if self.app.size.width < 100 else "parallel")
        self.query_one(f"#{self._shown_pane}").focus()
        self.call_after_refresh(self.search_changed)

    def on_unmount(self) -> None:
        """Nobody waits for the helper process any more."""
        if self._process is not None:
            self._process.stop()

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._draw)

    # What is drawn

    def search_changed(self) -> None:
        """Draw what has landed, not more often than that leaves time for anything else."""
        model, order = self._table.model, self._table.order
        state = (id(model), len(model.complete), order.filter_text, self.findings, self.refused)
        due = self._due - time.monotonic()
        if state != self._drawn and due <= 0:
            self._draw()
            self._drawn = state
        elif state != self._drawn and self._timer is None:
            self._timer = self.set_timer(due, self._when_due)
        self._draw_traces()

    def _when_due(self) -> None:
        self._timer = None
        self.search_changed()

    def _draw(self) -> None:
        began = time.monotonic()
        model, order = self._table.model, self._table.order
        complete = complete_rows(model)
        metric = clean(self._live.state.scoring[0]) if self._live.state.scoring else "score"
        selected: set[int] | None = None
        chosen = complete
        if order.filter_text:
            selected = {row for row, index in enumerate(complete.indices) if order.keeps(index)}
            chosen = complete.only(sorted(selected))
        if self._process is None and len(complete) >= FEWEST:
            self.action_importance()
        self._draw_importance(len(complete))
        self._draw_parallel(complete, selected, metric)
        self._draw_effects(complete, chosen, metric)
        self._draw_heat(chosen)
        self._draw_top(complete, chosen)
        self._due = time.monotonic() + _REST * (time.monotonic() - began)

    def _draw_importance(self, complete: int) -> None:
        text = self.query_one("#importance-text", Static)
        if complete < FEWEST:
            self._entitle("importance", "importance", "")
            text.update(self._wrapped(f"importance needs {FEWEST} complete combinations; there are {complete}"))
        elif self.findings is None:
            self._entitle("importance", "importance", "")
            what = f"importance: {self.refused}" if self.refused else "importance is being worked out …"
            text.update(self._wrapped(what))
        else:
            found, known = self.findings.importances, self.findings.combinations
            share = f"of {known} combinations" + ("" if found.explained is None else f", R² {found.explained:.2f}")
            anew = f"{complete} are complete now: i" if complete != known else "half of the R² lost"
            self._entitle("importance", f"importance {share}", anew)
            width = self.query_one("#importance").size.width - 2
            text.update(importance_text(found, width, self._colour))

    def _wrapped(self, words: str) -> Text:
        width = max(20, self.query_one("#importance").size.width - 2)
        return Text("\n".join(textwrap.wrap(clean(words), width)), style="dim")

    def _draw_parallel(self, complete: CompleteCombinations, selected: set[int] | None, metric: str) -> None:
        axes = parallel_axes(complete, metric)
        titles = short_titles([axis.name for axis in axes[:-1]])
        shown = "all" if selected is None else f"{len(selected)} of {len(complete)} selected"
        self._entitle("parallel", f"parallel coordinates · {shown}", self._table.order.filter_text)
        order = sorted(range(len(complete)), key=lambda row: (-complete.means[row], row))
        pane = self.query_one(ParallelPane)
        pane.show(
            axes,
            [*(titles[axis.name] for axis in axes[:-1]), metric][: len(axes)],
            order,
            selected,
            self._brushes.ranges,
        )

    def _draw_effects(self, complete: CompleteCombinations, chosen: CompleteCombinations, metric: str) -> None:
        effects = main_effects(chosen)
        found = self.findings.importances if self.findings is not None else None
        self._names = by_importance(effects, found)
        self._pair = telling_pair(chosen, effects, found)
        total = self._table.model.rows
        many = "selected" if chosen is not complete else "complete"
        self._entitle("values", f"mean {metric} by value ± 95 %", f"{len(chosen)} of {total} combinations are {many}")
        width = self.query_one("#values").size.width - 2
        shown = values_text(effects, self._table.model.fixed, width, self._colour) if len(chosen) else self._nothing()
        self.query_one("#values-text", Static).update(shown)

    def _draw_heat(self, chosen: CompleteCombinations) -> None:
        text, pair = self.query_one("#heat-text", Static), self._shown_pair
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
        model, width = self._table.model, self.query_one("#top").size.width - 2
        tied = self._tied(complete, chosen)
        top = top_combinations(chosen, _TOP, tied)
        columns, left_out = fitting_columns(model, top, self._names, width)
        many = f" · no room for {left_out} column{'s' if left_out > 1 else ''}" if left_out else ""
        self._entitle("top", f"top {len(top)}{many}", NEAR if tied is None else TIED)
        dropped = self.findings.dropped if self.findings is not None and tied is not None else 0
        shown = top_text(chosen, top, tied, dropped, columns, model, width) if top else self._nothing()
        self.query_one("#top-text", Static).update(shown)
        ranked = sorted(range(len(chosen)), key=lambda row: (-chosen.means[row], row))
        self._best = chosen.indices[ranked[0]] if ranked else None

    def _tied(self, complete: CompleteCombinations, chosen: CompleteCombinations) -> tuple[int, ...] | None:
        """The combinations tied with the best; None unless that was told of those complete now, the best selected."""
        found = self.findings
        if found is None or found.tied is None or found.combinations != len(complete):
            return None
        return found.tied if found.tied[0] in chosen.indices else None

    def _draw_traces(self) -> None:
        """Rates and curves of the best combination that is selected."""
        live, best = self._live, self._best
        if best is None or best >= len(live.state.combinations):
            return
        self.query_one(CurvesPlot).show(best, live.state.scoring[0], live.curves(best))
        line = live.rate_line(best)
        self.query_one(LearningRatePlot).show([line] if line else [])

    def _nothing(self) -> Text:
        if self._table.order.filter_text:
            return Text("nothing complete is selected; C selects all", style="dim")
        return Text("shown when combinations are complete on every fold", style="dim")

    def _entitle(self, pane: str, title: str, subtitle: str) -> None:
        widget = self.query_one(f"#{pane}")
        widget.border_title = safe_content(title)
        widget.border_subtitle = safe_content(subtitle)

    def _colour(self, variable: str) -> str:
        return style_of(self.app, variable)

    # The selection

    @on(ParallelPane.Brushed)
    def _when_brushed(self, event: ParallelPane.Brushed) -> None:
        axes = self.query_one(ParallelPane).axes
        self._brushes.put(event.axis, event.brush, SCORE if event.axis is axes[-1] else event.axis.name)
        self._apply()

    def _apply(self) -> None:
        """The table's filter is the selection."""
        self._select(self._brushes.text)
        self._due = 0.0
        self.search_changed()

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

    # Importance and ties

    def action_importance(self) -> None:
        """Ask a helper process, in a thread."""
        if self._process is not None and self.findings is None and not self.refused:
            return  # it is at work
        self.findings, self.refused = None, ""
        process = self._process = ReportProcess(self._live.session.folder)

        def work() -> None:
            try:
                self.post_message(self.Found(process.findings()))
            except InputOutputError as error:
                self.post_message(self.Refused(str(error)))

        in_background(work, "importance", lambda why: self.post_message(self.Refused(why)))
        self.search_changed()

    @on(Found)
    def _when_found(self, message: Found) -> None:
        self.findings = message.findings
        self._due = 0.0
        self.search_changed()

    @on(Refused)
    def _when_refused(self, message: Refused) -> None:
        self.refused = message.why
        self._due = 0.0
        self.search_changed()

    # Panes

    def action_pair(self, which: str) -> None:
        """The next hyperparameter down or across, never the same for both."""
        names = self._names
        if len(names) < 2:
            return
        down, across = self._shown_pair or (names[0], names[1])
        present, other = (down, across) if which == "down" else (across, down)
        place = names.index(present) if present in names else 0
        following = [names[(place + step) % len(names)] for step in range(1, len(names) + 1)]
        chosen = next(name for name in following if name != other)
        self._chosen_pair = (chosen, across) if which == "down" else (down, chosen)
        self._draw()

    def action_traces(self) -> None:
        """Where there is no room for both: curves in place of importance and means, and back."""
        self.toggle_class("-curves")
        self.action_next_pane(0)
        self.call_after_refresh(self._draw_traces)

    def _show_pane(self, name: str) -> None:
        """In the narrow layout one pane is shown; in the others this only moves the mark."""
        self._shown_pane = name
        for other in PANES:
            self.query_one(f"#{other}").set_class(other == name, "-shown")
        for column in self.query(".column"):
            column.set_class(self.query_one(f"#{name}") in column.children, "-shown")
        tabs = safe_text(" ")
        for other, title in PANES.items():
            tabs.append(f" {title} ", style="reverse bold" if other == name else "dim")
        self.query_one("#tabs", Static).update(tabs)

    def action_next_pane(self, step: int) -> None:
        """Focus the pane after this one, of those that have a place."""
        names = list(PANES)
        if self.has_class("-normal"):
            hidden = ("values", "importance") if self.has_class("-curves") else ("rates", "curves")
            names = [name for name in names if name not in hidden]
        place = names.index(self._shown_pane) if self._shown_pane in names else 0
        name = names[(place + step) % len(names)]
        self._show_pane(name)
        self.query_one(f"#{name}").focus()
        if self.has_class("-narrow") or self.has_class("-maximised"):
            self.call_after_refresh(self._draw)

    def on_descendant_focus(self, event: Any) -> None:
        """A click into a pane is a choice too."""
        if event.widget.id in PANES and event.widget.id != self._shown_pane:
            self._show_pane(event.widget.id)

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
