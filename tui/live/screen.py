"""The live view: a search as it runs, from a table of every fold to the learning rate of the selected combination.

It only draws and asks. Everything read or written goes through the follow thread; closing it never touches a search.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.session.events import SaveFailed, SearchFinished, TestScored
from engine.session.opening import owner_name
from tui.live import commands
from tui.live.asking import Asking
from tui.live.commands import SearchCommands
from tui.live.follow import Changed, Follow
from tui.live.header import SearchHeader
from tui.live.log import LogPane
from tui.live.model import LiveModel
from tui.live.workers import WorkersPane
from tui.navigation import WatchedSession, navigation_of
from tui.parts import numbers
from tui.parts.control_panel import ControlPanel
from tui.parts.overlay import Watching
from tui.parts.safe_text import safe_content, safe_text
from tui.parts.still_input import StillInput
from tui.plots.curves_plot import CurvesPlot
from tui.plots.data import RateLine
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.brushes import Brushes
from tui.results.means_pane import TrendsPane
from tui.results.row_filter import FilterError
from tui.results.row_order import Arrangement
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from tui.live.follow import Feed
    from tui.live.process_usage import MachineReading

REPAINT_SECONDS = 0.3
PLOT_SECONDS = 2.0
QUIET_SECONDS = 5.0  # without an event; then the clock in the header goes on by two seconds
LOW_BANDWIDTH = 15  # so many times more rarely
_SELECT_SECONDS = 0.08  # a held key moves on before plots are drawn

PANES = {
    "results": "combinations",
    "rates": "learning rate",
    "curves": "curves",
    "matters": "means",
    "workers": "workers",
    "log": "log",
}


class LiveScreen(Screen[None]):
    """One session. `read_only` refuses whatever changes it; `low_bandwidth` repaints every few seconds.

    `arrangements`: how the table of each session's folder was left, to open and to leave this one so.
    """

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares them as the instance's
        (0, "-narrow"),
        (100, "-normal"),
        (170, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.BINDINGS,
        Binding("f,slash", "filter", "Filter rows", show=False),
        Binding("m", "mark", "Pin or unpin the row", show=False),
        Binding("z", "freeze", "Freeze the order, or let it go", show=False),
        Binding("u", "units", "Epochs or steps", show=False),
        Binding("l", "logarithm", "Linear or logarithmic", show=False),
        Binding("t", "trends", "Trends of the whole grid", show=False),
        Binding("o", "maximise", "Maximise the pane, or back", show=False),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("escape", "back", "Back", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
        Binding("q", "app.quit", "Quit; the search goes on", show=False),
    ]

    def __init__(
        self,
        session: WatchedSession,
        *,
        read_only: bool = False,
        low_bandwidth: bool = False,
        now: Callable[[], float] = time.time,
        arrangements: dict[Path, Arrangement] | None = None,
    ) -> None:
        super().__init__()
        self.session = session
        self._arrangements = {} if arrangements is None else arrangements
        self._now = now
        self.read_only = read_only
        self._owner = owner_name(session.folder)
        self._slowness = LOW_BANDWIDTH if low_bandwidth else 1
        self.follow = Follow(session, self._announce, machine_seconds=2.0 * self._slowness)
        self.live = LiveModel(session, self.follow)
        self._brushes = Brushes()
        self._is_stalled = False
        self._drawn_at = 0.0
        self._framed_at = 0.0
        self._heard_at = time.monotonic()
        self._plots_drawn_at = 0.0
        self._machine_drawn: MachineReading | None = None
        self._drain_timer: Timer | None = None
        self._plot_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Header, two columns of panes, control panel."""
        yield SearchHeader(id="header")
        yield Static(id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="left", classes="column"):
                yield StillInput(
                    placeholder="optimizer=adam mean>0.8 status=running wide",
                    id="filter",
                    compact=True,
                    select_on_focus=False,
                )
                yield ResultsTable(self._arrangements.get(self.session.folder, Arrangement()), id="results")
                yield TrendsPane(id="matters")
                yield WorkersPane(id="workers")
            with Vertical(id="right", classes="column"):
                yield LearningRatePlot(id="rates")
                yield CurvesPlot(id="curves")
                yield LogPane(id="log")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Begin to follow."""
        for name in PANES:
            self.query_one(f"#{name}").add_class("pane")
        self._panel = self.query_one(ControlPanel)
        self._table = self.query_one(ResultsTable)
        asking = Asking(self.live, self.follow, self._panel, self._draw_frame, read_only=self.read_only)
        self.commands = SearchCommands(asking, self.live, self._table, self._panel)
        self.query_one("#filter", Input).display = False
        self._show_pane("results")
        self._table.focus()
        self._draw_frame()
        self.follow.start()
        self._ticker = self.set_interval(1.0 * self._slowness, self._tick, pause=True)

    def on_unmount(self) -> None:
        """Stop following; the search does not notice. Sort, pins and filter are kept for the next time."""
        self.follow.stop()
        self._arrangements[self.session.folder] = self._table.order.chosen
        app = navigation_of(self)
        app.entitle("")
        app.visited[self.session.folder] = self.live.whereabouts()

    # From the follow thread to the screen

    def _announce(self) -> None:
        """Called in the follow thread: posting does not block."""
        self.post_message(Changed())

    @on(Changed)
    def _when_changed(self) -> None:
        """Draw when it is due: at once after a quiet time, else as often as the terminal should be bothered."""
        if self._drain_timer is not None:
            return
        due = self._drawn_at + REPAINT_SECONDS * self._slowness - time.monotonic()
        if due <= 0:
            self._drain()
        else:
            self._drain_timer = self.set_timer(due, self._drain)

    def _drain(self) -> None:
        self._drain_timer = None
        self.take(self.follow.drain())
        self._drawn_at = time.monotonic()

    def take(self, feed: Feed) -> None:
        """Draw what a feed brought."""
        live = self.live
        before = live.standing
        if feed.events:
            self._heard_at = time.monotonic()
        if live.take(feed, self._now()):
            self._table.reset()
        with self.app.batch_update():
            if feed.state is not None or feed.events:
                self._table.show(live.state)
                self.query_one(LogPane).show(live.history)
            if feed.state is not None or feed.events or feed.liveness or feed.machine != self._machine_drawn:
                self._machine_drawn = feed.machine
                self._draw_workers(feed)
            self._draw_frame()
            if feed.curves or feed.planned:
                self._draw_plots()
            elif feed.events or feed.state is not None:
                self._plots_when_due()
        if live.is_alive:
            self._ticker.resume()
        else:
            self._ticker.pause()
        if live.standing != before:
            self._panel.forget()  # what was asked for has come to be, or cannot any more
        for answer in feed.answers:
            self._panel.say(answer)
        for problem in feed.problems:
            self._panel.say(problem, problem=True)
        if feed.damages and (damages := live.state.damages):
            self._panel.say(f"the record is damaged: {damages[0]}; resume runs again what is lost", problem=True)
        self._tell_of_saves(feed)
        self._ring(feed, before)
        above = self.app.screen
        if isinstance(above, Watching) and above.ready and (feed.events or feed.curves or feed.planned):
            above.search_changed()

    def _tell_of_saves(self, feed: Feed) -> None:
        """What came of a save, beside its command; the log keeps it."""
        for event in feed.events:
            if isinstance(event, SaveFailed):
                self._panel.say(f"saving #{event.combination} failed: {event.error}", problem=True)
            elif isinstance(event, TestScored) and self.live.state.saved:
                scores = ", ".join(f"{name} {numbers.score(score)}" for name, score in event.scores.items())
                saved = self.live.state.saved[-1]
                self._panel.say(
                    f"{scores} on the test set ({event.rows} rows) · saved #{saved.combination} to {saved.path}"
                )

    def _ring(self, feed: Feed, before: str) -> None:
        """The bell, once, when a search that was watched ends, well or not."""
        has_crashed = self.live.standing == "crashed" and before not in ("opening", "crashed")
        if has_crashed or any(isinstance(event, SearchFinished) for event in feed.events):
            self.app.bell()

    def _tick(self) -> None:
        """Elapsed and remaining time go on while nothing else happens; where nothing does for too long, say so."""
        now = time.monotonic()
        is_quiet = now - self._heard_at > QUIET_SECONDS
        if now - self._framed_at > (2.0 if is_quiet else 1.0) * self._slowness - 0.1:
            self._draw_frame()
        quiet = self.live.quiet_seconds(self._now())
        if quiet and not self._is_stalled:
            self.app.bell()
            since = numbers.in_words(quiet)
            self._panel.say(
                f"nothing has come for {since}, longer than trainings take",
                f"foldwatch logs {self.session.id}",
                problem=True,
            )
        self._is_stalled = bool(quiet)

    def _draw_workers(self, feed: Feed) -> None:
        pane = self.query_one(WorkersPane)
        live = self.live
        if not live.state.workers and not pane.lines_wanted:
            return
        before = pane.lines_wanted
        is_worked_on = live.liveness is None or live.is_alive
        pane.show(live.state, feed.machine, live.remote_host, is_worked_on=is_worked_on)
        if pane.lines_wanted != before or not pane.styles.height:
            pane.styles.height = pane.lines_wanted + 2

    def _draw_frame(self) -> None:
        """Header, titles, tabs and keys: each repaints only when it says something else."""
        table = self._table
        states = (("read-only", self.read_only), ("frozen", table.order.frozen), (f"of {self._owner}", self._owner))
        marks = " ".join(word for word, holds in states if holds)
        self._framed_at = time.monotonic()
        facts = self.live.header(table.model, self._now(), marks)
        self.query_one(SearchHeader).show(facts)
        navigation_of(self).entitle(
            f"{facts.share:.0%} {facts.state} · {facts.name}" if self.live.has_opened else facts.name
        )
        self._show_keys()
        order, model = table.order, table.model
        arrow = "▾" if order.descending else "▴"
        count = (
            f"{len(order.rows)} of {model.rows} · filter {order.filter_text}" if order.filter_text else f"{model.rows}"
        )
        title = f"combinations {count} · sort {order.sort_key} {arrow}"
        if self.live.state.rounds:
            title += f" · {self.live.state.rounds[-1].words}"
        hidden = table.hidden_columns
        more = f"{hidden} more column{'s' if hidden > 1 else ''} ← →" if hidden else ""
        if self.has_class("-narrow") and more:
            # Panes have no lower border there.
            title, more = f"{title} · {more}", ""
        self._entitle(title, more)
        self._fit_columns()

    def _entitle(self, title: str, subtitle: str) -> None:
        # A title set anew is laid out anew: only when it says something else.
        if (title, subtitle) != getattr(self, "_table_title", None):
            self._table_title = (title, subtitle)
            self._table.border_title = safe_content(title)
            self._table.border_subtitle = safe_content(subtitle)

    def _fit_columns(self) -> None:
        """The table's column is as wide as the table needs, within limits."""
        if self.has_class("-narrow") or self.has_class("-maximised"):
            wanted = "100%"
        else:
            least, most = self.size.width * 45 // 100, self.size.width * 65 // 100
            wanted = str(max(least, self._table.snug_width(most)))
        if wanted != getattr(self, "_left_width", ""):
            self._left_width = wanted
            self.query_one("#left").styles.width = wanted
            self.call_after_refresh(self._draw_frame)  # as many columns as are hidden then

    def on_resize(self) -> None:
        """Another size: other columns, other tabs."""
        self.call_after_refresh(self._draw_frame)

    # Plots of what is selected

    @on(ResultsTable.CursorMoved)
    def _when_cursor_moved(self) -> None:
        """Draw once the cursor rests."""
        if self._plot_timer is not None:
            self._plot_timer.stop()
        self._plot_timer = self.set_timer(_SELECT_SECONDS, self._draw_plots)

    def _plots_when_due(self) -> None:
        """Curves that grow are drawn now and then, not at every epoch."""
        if self._plot_timer is None:
            due = self._plots_drawn_at + PLOT_SECONDS * self._slowness - time.monotonic()
            self._plot_timer = self.set_timer(max(0.001, due), self._draw_plots)

    def _draw_plots(self) -> None:
        if self._plot_timer is not None:
            self._plot_timer.stop()
            self._plot_timer = None
        self._plots_drawn_at = time.monotonic()
        live, selected = self.live, self._table.cursor
        self.query_one(TrendsPane).show(self._table.model, live.state.fits_finished)
        known = len(live.state.combinations)
        if selected is None or selected >= known:
            self.query_one(CurvesPlot).show(None, "score", [])
            self.query_one(LearningRatePlot).show([])
            return
        self.query_one(CurvesPlot).show(selected, live.state.scoring[0], live.curves(selected))
        shown = [selected, *sorted(row for row in self._table.order.pinned if row != selected and row < known)]
        lines: list[RateLine] = []
        for combination in shown[:5]:
            line = live.rate_line(combination)
            if line is not None:
                lines.append(line)
        self.query_one(LearningRatePlot).show(lines)

    # Panes

    def _show_pane(self, name: str) -> None:
        """In the narrow layout one pane is shown; in the others this only moves the mark."""
        self._shown_pane = name
        for other in PANES:
            self.query_one(f"#{other}").set_class(other == name, "-shown")
        for column in ("left", "right"):
            holds = self.query_one(f"#{name}") in self.query_one(f"#{column}").children
            self.query_one(f"#{column}").set_class(holds, "-shown")
        tabs = safe_text(" ")
        for other, title in PANES.items():
            tabs.append(f" {title} ", style="reverse bold" if other == name else "dim").append(" ")
        self.query_one("#tabs", Static).update(tabs)

    def action_next_pane(self, step: int) -> None:
        """Focus the pane after this one."""
        # Means have a place beside the table only in the widest layout, and as a tab in the narrow one.
        names = [name for name in PANES if name != "matters" or not self.has_class("-normal")]
        focused = self.focused.id if self.focused is not None else None
        place = names.index(focused) if focused in names else names.index(self._shown_pane)
        name = names[(place + step) % len(names)]
        self._show_pane(name)
        self.query_one(f"#{name}").focus()

    def on_descendant_focus(self, event: Any) -> None:
        """A click into a pane is a choice too; other keys mean something in it."""
        if event.widget.id in PANES and event.widget.id != self._shown_pane:
            self._show_pane(event.widget.id)
        self._show_keys()

    def _show_keys(self) -> None:
        self._panel.show_keys(self.commands.keys_now(self.focused.id if self.focused is not None else None))

    def action_command(self, name: str) -> None:
        """Something that is asked of the search."""
        getattr(self.commands, name)()

    def action_maximise(self) -> None:
        """The pane alone between header and keys, and back."""
        # Not Textual's `maximize`, which takes the header, the filter and the keys away as well.
        self.toggle_class("-maximised")
        self._fit_columns()

    def action_back(self) -> None:
        """Out of what is open: filter, maximised pane, the view."""
        box = self.query_one("#filter", Input)
        if box.display:
            self._close_filter()
            self._table.order.filter_by("")
            self._panel.say("")
            self._rearranged()
        elif self.has_class("-maximised"):
            self.action_maximise()
        elif self._table.order.filter_text:
            self._table.order.filter_by("")
            self._rearranged()
        elif len(self.app.screen_stack) > 2:
            self.dismiss()

    # Order of the table

    def action_filter(self) -> None:
        """Type a filter; rows follow while you type."""
        self._show_pane("results")
        box = self.query_one("#filter", Input)
        box.display = True
        box.value = self._table.order.filter_text
        box.cursor_position = len(box.value)
        box.focus()

    @on(Input.Changed, "#filter")
    def _when_filter_typed(self, event: Input.Changed) -> None:
        if not event.input.display:
            return
        problem = self._table.order.filter_as_typed(event.value)
        self._panel.say(problem, problem=bool(problem))
        self._rearranged()

    @on(Input.Submitted, "#filter")
    def _when_filter_entered(self, event: Input.Submitted) -> None:
        # A term that is not understood is still to be mended; escape leaves it.
        if event.value.strip() == self._table.order.filter_text:
            self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self._table.focus()

    def action_mark(self) -> None:
        """Pin the selected combination to the top, or let it go."""
        if self._table.cursor is None:
            return
        row = self._table.cursor
        is_pinned = self._table.order.toggle_pin(row)
        self._panel.say(f"#{row} {'is pinned' if is_pinned else 'is not pinned any more'}")
        self._rearranged()
        self._draw_plots()

    def action_freeze(self) -> None:
        """Rows stay where they are while results come in."""
        order = self._table.order
        order.frozen = not order.frozen
        self._panel.say("the order is frozen; z lets it go" if order.frozen else "the order follows the results")
        self._rearranged()

    @on(ResultsTable.Arranged)
    def _when_arranged(self) -> None:
        self._draw_frame()

    def _rearranged(self) -> None:
        self._table.rearrange(by_hand=True)
        self._draw_frame()

    def action_units(self) -> None:
        """Epochs or steps along the learning rate's axis."""
        self.query_one(LearningRatePlot).toggle(steps=True)

    def action_logarithm(self) -> None:
        """A linear or a logarithmic learning rate."""
        self.query_one(LearningRatePlot).toggle(logarithm=True)

    # Other screens

    @on(ResultsTable.Chosen)
    def _when_chosen(self, event: ResultsTable.Chosen) -> None:
        from tui.live.detail import DetailScreen

        self.app.push_screen(DetailScreen(self.live, self._table.model, event.row))

    @on(LogPane.Opened)
    def _when_log_opened(self, event: LogPane.Opened) -> None:
        from tui.parts.dialogs import TextScreen

        line = event.line
        if line.combination is not None and not line.detail:
            self._table.move_to(line.combination)
        else:  # what went wrong, or the line whole, which the pane may have cut
            title = f"{line.clock}  {line.text}" if line.detail else line.clock
            self.app.push_screen(TextScreen(title, line.detail or line.text))

    def action_trends(self) -> None:
        """What the whole grid says so far."""
        navigation_of(self).open_trends(self.live, self._table, self._brushes, self._select)

    def _select(self, filter_text: str) -> None:
        """What was brushed in the trends is the table's filter."""
        try:
            self._table.order.filter_by(filter_text)
        except FilterError as error:
            self._panel.say(str(error), problem=True)
        self._rearranged()
        self._draw_plots()
