"""The home screen: every session, newest first, live ones as they go; the place from which all others are reached."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.errors import FoldwatchError
from tui.home import commands
from tui.home.about_pane import AboutPane
from tui.home.about_session import About, about
from tui.home.commands import SessionCommands
from tui.home.sessions_reader import SessionsReader
from tui.home.sessions_table import SessionsTable
from tui.navigation import navigation_of
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import Key
from tui.parts.safe_text import clean, safe_content
from tui.parts.still_input import StillInput
from tui.processes.background import Latest, in_background
from tui.terminal.farewell import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from engine.session.listing import SessionSummary

REFRESH_SECONDS = 1.0
LOW_BANDWIDTH = 5


class HomeScreen(Screen[None]):
    """All sessions of the app's folder."""

    DEFAULT_CSS = """
    HomeScreen #home-title { height: 1; padding: 0 1; }
    HomeScreen #home-filter { height: 1; padding: 0 1; background: $panel; }
    HomeScreen #home-body { height: 1fr; layout: vertical; }
    HomeScreen #about { height: 40%; min-height: 10; }
    HomeScreen.-short #about { height: 6; }
    HomeScreen.-wide #home-body { layout: horizontal; }
    HomeScreen.-wide SessionsTable { width: 2fr; height: 100%; }
    HomeScreen.-wide #about { width: 1fr; height: 100%; }
    HomeScreen #welcome { display: none; height: 1fr; content-align: center middle; text-align: center; }
    HomeScreen.-empty #home-body { display: none; }
    HomeScreen.-empty #welcome { display: block; }
    """
    AUTO_FOCUS = "SessionsTable"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (170, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.BINDINGS,
        Binding("f,slash", "filter", "Filter as you type", show=False),
        Binding("escape", "back", "Clear filter and marks", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
        Binding("q", "app.quit", "Quit; searches continue", show=False),
    ]
    KEYS: ClassVar[dict[str, list[Key]]] = {
        "Sessions": [
            Key("enter o", "open: watch it, or look at its results", "foldwatch attach ID"),
            Key(
                "n",
                "new search; an unfinished form is kept until you quit",
                "foldwatch run SPEC.toml",
            ),
            Key("d", "duplicate: a new search with the same settings"),
            Key("Z", "zoom: a new search with finer values around the best ones", "foldwatch zoom ID --to SPEC.toml"),
            Key(
                "r",
                "resume: continue after a pause, or start an engine for the fits that are missing",
                "foldwatch resume ID",
            ),
            Key("x", "delete it with all its results (asks first)", "foldwatch delete ID"),
            Key("e", "note: write down its purpose; f2 saves it, escape discards changes"),
            Key("D", "the demo: a small search on synthetic newswires (asks first)", "foldwatch demo"),
        ],
        "The list": [
            Key("f /", "filter as you type: part of a name, data, state or host"),
            Key("m", "mark, to compare"),
            Key("c", "compare two marked sessions, or the marked one with the one under the cursor"),
            Key("y", "copy the command shown last (over SSH and in tmux too)"),
            Key("up down j k", "by lines"),
            Key("page up, page down, ctrl+u, ctrl+d, space", "by pages"),
            Key("home end g G", "first and last"),
            Key("escape", "clear the filter, then the marks"),
        ],
        "The app": [
            Key("?", "these keys; type to search"),
            Key("ctrl+p", "command palette: themes and everything else by name"),
            Key("q", "quit: searches continue"),
        ],
    }

    @dataclass
    class SessionsRead(Message):
        """The folder was read."""

        summaries: list[SessionSummary]

    @dataclass
    class AboutRead(Message):
        """One session was read."""

        about: About

    @dataclass
    class Outcome(Message):
        """Work in the background is done, or failed."""

        text: str
        problem: bool = False

    def compose(self) -> ComposeResult:
        """Title, filter, table, the session under the cursor, keys."""
        yield Static(id="home-title")
        yield StillInput(placeholder="part of a name, data, state or host", id="home-filter", compact=True)
        with Container(id="home-body"):
            yield SessionsTable(id="sessions")
            yield AboutPane(id="about")
        yield Static(id="welcome")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Read at once, then about once a second while the screen is on top."""
        app = navigation_of(self)
        self._panel = self.query_one(ControlPanel)
        self._table = self.query_one(SessionsTable)
        self._reader = SessionsReader(app.sessions)
        self._reading = Latest("reading the sessions", self._fault)
        self._about_reading = Latest("reading a session", self._fault)
        self.commands = SessionCommands(self._table, self._panel, self._in_background, self._draw_frame)
        self._has_read = False
        self._show_filter(shown=False)
        self.query_one("#welcome", Static).update(_welcome(read_only=app.read_only))
        self._draw_frame()
        self._table.focus()
        self.set_interval(REFRESH_SECONDS * (LOW_BANDWIDTH if app.low_bandwidth else 1), self._refresh)
        self._refresh()

    def on_screen_resume(self) -> None:
        """Whatever was done on another screen shows at once."""
        if self.is_mounted:
            self._refresh()

    # Reading, in a thread

    def _refresh(self) -> None:
        self.commands.check_engines()
        if self.is_current:
            self._reading.ask(self._read)

    def _read(self) -> None:
        try:
            self.post_message(self.SessionsRead(self._reader.read()))
        except OSError as error:
            self.post_message(self.Outcome(f"{self._reader.folder}: cannot be read: {error.strerror}", problem=True))

    @on(SessionsRead)
    def _when_read(self, message: SessionsRead) -> None:
        if self._has_read and message.summaries == self._table.summaries:
            return
        self._has_read = True
        self._remember_running(message.summaries)
        self._table.show(message.summaries)
        self._ask_about()
        self.set_class(not message.summaries, "-empty")
        self._draw_frame()
        if self.is_current and self.focused is None and message.summaries:
            # An empty home has nothing to focus; keys go to the table once there is one.
            self.call_after_refresh(self.set_focus, self._table)

    def _remember_running(self, summaries: list[SessionSummary]) -> None:
        """For when the app is left: what runs, and what has ended of that since."""
        app = navigation_of(self)
        for one in summaries:
            if one.alive or one.folder in app.visited:
                app.visited[one.folder] = Whereabouts(
                    one.folder, one.status, one.fits_finished, one.fits_total, is_worked_on=one.alive
                )

    @on(SessionsTable.CursorMoved)
    def _when_moved(self) -> None:
        self._ask_about()
        self._panel.show_keys(self.commands.keys_now())

    def _ask_about(self) -> None:
        summary = self._table.cursor
        if summary is None:
            self.query_one(AboutPane).show(None)
            return

        def read() -> None:
            self.post_message(self.AboutRead(about(summary)))

        self._about_reading.ask(read)

    @on(SessionsTable.Opened)
    def _when_opened(self) -> None:
        self.commands.open()

    @on(AboutRead)
    def _when_about_read(self, message: AboutRead) -> None:
        if self._table.cursor is not None and self._table.cursor.id == message.about.id:
            self.query_one(AboutPane).show(message.about)

    @on(Outcome)
    def _when_done(self, message: Outcome) -> None:
        self._panel.say(message.text, problem=message.problem)
        self._refresh()
        self._ask_about()

    # Drawing

    def _draw_frame(self) -> None:
        table = self._table
        running = sum(
            summary.alive and summary.status in ("running", "paused", "stopping") for summary in table.summaries
        )
        count = f"{len(table.summaries)} session{'s' if len(table.summaries) != 1 else ''}"
        title = Text(no_wrap=True, overflow="ellipsis", end="")
        title.append(" foldwatch ", style="bold reverse").append("  ")
        title.append(count if self._has_read else "reading …", style="bold")
        if running:
            title.append(f" · {running} running", style="bold")
        if navigation_of(self).read_only:
            title.append(" · read-only", style="bold")
        title.append(f"   {clean(str(self._reader.folder))}", style="dim")
        self.query_one("#home-title", Static).update(title)
        filtered = f" · {len(table.shown)} with {clean(table.filter_text)!r}" if table.filter_text else ""
        marked = f" · {len(table.marked)} marked" if table.marked else ""
        table.border_title = safe_content(f"sessions · newest first{filtered}")
        table.border_subtitle = safe_content(marked.removeprefix(" · "))
        self._panel.show_keys(self.commands.keys_now())

    def action_command(self, name: str) -> None:
        """A command for the session under the cursor, by its name in `SessionCommands`."""
        getattr(self.commands, name)()

    # The filter

    def action_filter(self) -> None:
        """Type a filter; lines follow while you type."""
        self.set_focus(self._show_filter(shown=True))

    @on(Input.Changed, "#home-filter")
    def _when_typed(self, event: Input.Changed) -> None:
        self._table.filter_by(event.value)
        self._draw_frame()

    @on(Input.Submitted, "#home-filter")
    def _when_entered(self) -> None:
        self._close_filter()

    def _show_filter(self, *, shown: bool) -> Input:
        box = self.query_one("#home-filter", Input)
        # Disabled as well: Textual gives the focus of a table that goes away to whatever comes first.
        box.display, box.disabled = shown, not shown
        return box

    def _close_filter(self) -> None:
        self._show_filter(shown=bool(self.query_one("#home-filter", Input).value))
        self.set_focus(self._table)

    def action_back(self) -> None:
        """Out of the filter, then of the marks."""
        box = self.query_one("#home-filter", Input)
        if box.display:
            box.value = ""
            self._close_filter()
        else:
            self._table.clear_marks()
        self._draw_frame()

    def _in_background(self, work: Callable[[], None], done: str) -> None:
        """Work on the disk in a thread; its outcome is shown."""

        def run() -> None:
            try:
                work()
            except FoldwatchError as error:
                self.post_message(self.Outcome(str(error), problem=True))
            else:
                self.post_message(self.Outcome(done))

        in_background(run, done, self._fault)

    def _fault(self, why: str) -> None:
        self.post_message(self.Outcome(why, problem=True))


@functools.cache
def _welcome(*, read_only: bool) -> Text:
    """The text of an empty home screen."""
    text = Text(justify="center")
    text.append("No searches here yet.\n\n", style="bold")
    if read_only:
        return text.append("Searches appear here when somebody starts them.", style="dim")
    text.append("Press ").append(" D ", style="bold reverse").append(" to watch a small one on synthetic newswires:\n")
    text.append("it takes under a minute, downloads nothing, and ends with a saved model.\n\n", style="dim")
    text.append("Press ").append(" n ", style="bold reverse").append(" to set up your own.\n")
    return text.append(
        "A search continues when you close this terminal; you find it here when you come back.", style="dim"
    )
