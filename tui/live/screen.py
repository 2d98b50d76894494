"""The live view: a search as it runs, from a table of every fold to the learning rate of the selected combination.

It only draws, and sends requests. Everything read or written goes through the follow thread; closing the view never
touches a search.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from engine.session.opening import owner_name
from tui.live import commands, view_commands
from tui.live.commands import SearchCommands
from tui.live.filter_bar import FilterBar
from tui.live.follow import Changed, Follow
from tui.live.frame import Frame
from tui.live.header import SearchHeader
from tui.live.log import LogPane
from tui.live.model import LiveModel
from tui.live.news import News
from tui.live.request_sender import RequestSender
from tui.live.selected_plots import SelectedPlots
from tui.live.view_commands import ViewCommands
from tui.live.workers import WorkersPane
from tui.navigation import WatchedSession, navigation_of
from tui.parts.control_panel import ControlPanel
from tui.parts.overlay import Watching
from tui.parts.tabbed_panes import TabbedPanes
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.means_pane import MeansPane
from tui.results.row_order import Arrangement
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import DescendantFocus
    from textual.timer import Timer

    from tui.live.follow import Feed
    from tui.live.process_usage import MachineReading

REPAINT_SECONDS = 0.3
QUIET_SECONDS = 5.0  # without an event; then the clock in the header goes on by two seconds
LOW_BANDWIDTH = 15  # so many times more rarely

PANES = {
    "results": "combinations",
    "rates": "learning rate",
    "curves": "curves",
    "means": "means",
    "workers": "workers",
    "log": "log",
}


class LiveScreen(Screen[None]):
    """One session. `read_only` refuses whatever changes it; `low_bandwidth` repaints every few seconds.

    `arrangements`: how the table of each session's folder was left, to open and to leave this one so.
    """

    AUTO_FOCUS = "ResultsTable"  # not the filter bar, which comes first and is hidden
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares them as the instance's
        (0, "-narrow"),
        (100, "-normal"),
        (170, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.BINDINGS,
        *view_commands.BINDINGS,
        Binding("o", "maximise", "Maximise the pane, or back", show=False),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("escape", "back", "Back", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
        Binding("q", "app.quit", "Quit; the search continues", show=False),
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
        self._drawn_at = 0.0
        self._last_event_at = time.monotonic()
        self._machine_drawn: MachineReading | None = None
        self._drain_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Header, two columns of panes, control panel."""
        yield SearchHeader(id="header")
        yield Static(id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="left", classes="column"):
                yield FilterBar(id="filter")
                yield ResultsTable(self._arrangements.get(self.session.folder, Arrangement()), id="results")
                yield MeansPane(id="means")
                yield WorkersPane(id="workers")
            with Vertical(id="right", classes="column"):
                yield LearningRatePlot(id="rates")
                yield CurvesPlot(id="curves")
                yield LogPane(id="log")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Begin to follow."""
        self._panel = self.query_one(ControlPanel)
        self._table = self.query_one(ResultsTable)
        self._filter_bar = self.query_one(FilterBar)
        self._filter_bar.connect(self._table, self._panel)
        self.panes = TabbedPanes(self, PANES, self._reachable_panes, gap=" ")
        self._news = News(self.live, self._panel)
        self._plots = SelectedPlots(self, self.live, self._table, self._slowness)
        marks = ["read-only"] if self.read_only else []
        marks += [f"of {self._owner}"] if self._owner else []
        self.frame = Frame(self, self.live, self._table, marks, self._now, self._show_keys)
        sender = RequestSender(self.live, self.follow, self._panel, self.frame.draw, read_only=self.read_only)
        self.commands = SearchCommands(sender, self.live, self._table, self._panel)
        self.view_commands = ViewCommands(self.live, self._table, self._filter_bar, self._plots, self._panel)
        self.panes.show("results")
        self._table.focus()
        self.frame.draw()
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
        """Draw the news of a feed."""
        live = self.live
        before = live.standing
        if feed.events:
            self._last_event_at = time.monotonic()
        if live.take(feed, self._now()):
            self._table.reset()
        with self.app.batch_update():
            if feed.state is not None or feed.events:
                self._table.show(live.state)
                self.query_one(LogPane).show(live.history)
            if feed.state is not None or feed.events or feed.liveness or feed.machine != self._machine_drawn:
                self._machine_drawn = feed.machine
                self._draw_workers(feed)
            self.frame.draw()
            if feed.curves or feed.planned:
                self._plots.draw()
            elif feed.events or feed.state is not None:
                self._plots.draw_when_due()
        if live.is_alive:
            self._ticker.resume()
        else:
            self._ticker.pause()
        self._news.show(feed, before)
        above = self.app.screen
        if isinstance(above, Watching) and above.ready and (feed.events or feed.curves or feed.planned):
            above.search_changed()

    def _tick(self) -> None:
        """Elapsed and remaining time go on while nothing else happens."""
        now = time.monotonic()
        is_quiet = now - self._last_event_at > QUIET_SECONDS
        if now - self.frame.drawn_at > (2.0 if is_quiet else 1.0) * self._slowness - 0.1:
            self.frame.draw()
        self._news.check_stall(self._now())

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

    def on_resize(self) -> None:
        """Another size: other columns, other tabs."""
        self.call_after_refresh(self.frame.draw)

    @on(ResultsTable.CursorMoved)
    def _when_cursor_moved(self) -> None:
        self._plots.draw_when_rested()

    @on(ResultsTable.Arranged)
    def _when_arranged(self) -> None:
        self.frame.draw()

    # Keys and panes

    def _reachable_panes(self) -> list[str]:
        """Means have a place beside the table only in the widest layout, and as a tab in the narrow one."""
        return [name for name in PANES if name != "means" or not self.has_class("-normal")]

    def action_next_pane(self, step: int) -> None:
        """Focus the pane after this one."""
        self.panes.go(step)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """A click into a pane shows it too; other keys mean something in it."""
        self.panes.note_focus(event.widget)
        self._show_keys()

    def _show_keys(self) -> None:
        self._panel.show_keys(self.commands.keys_now(self.focused.id if self.focused is not None else None))

    def action_command(self, name: str) -> None:
        """A command for the search, by its name in `SearchCommands`."""
        getattr(self.commands, name)()

    def action_view(self, name: str) -> None:
        """A command that changes the view alone, by its name in `ViewCommands`."""
        if name == "filter":
            self.panes.show("results")
        getattr(self.view_commands, name)()

    def action_maximise(self) -> None:
        """The pane alone between header and keys, and back."""
        # Not Textual's `maximize`, which takes the header, the filter and the keys away as well.
        self.toggle_class("-maximised")
        self.frame.fit_columns()

    def action_back(self) -> None:
        """Out of what is open: the filter bar, a maximised pane, the filter, the view."""
        if self._filter_bar.display:
            self._filter_bar.clear_filter()
        elif self.has_class("-maximised"):
            self.action_maximise()
        elif not self._filter_bar.clear_filter() and len(self.app.screen_stack) > 2:
            self.dismiss()

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
