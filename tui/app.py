"""The Textual app: one factory for `foldwatch` and for tests; closing it, even by a lost connection, ends no search."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding

from engine.formatting.characters import encoding_of
from engine.session.places import sessions_folder
from engine.session.session import open_session
from tui.parts.garbage import collect_closed
from tui.terminal.farewell import Whereabouts
from tui.terminal.leaving import Leaving
from tui.terminal.ordered_keys import OrderedKeysApp
from tui.terminal.plain_screen import PlainCells
from tui.terminal.terminal_title import TerminalTitle
from tui.terminal.themes import DEFAULTS, SHORT_NAMES, THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from textual.binding import BindingType
    from textual.filter import LineFilter
    from textual.screen import Screen

    from tui.live.screen import LiveScreen
    from tui.navigation import WatchedSearch, WatchedSession
    from tui.results.brushes import Brushes
    from tui.results.row_order import Arrangement
    from tui.results.table import ResultsTable
    from tui.spec_text.form import Form

_COLLECT_SECONDS = (0.5, 4.0)  # after a view was closed: what is below it is drawn by then


def import_first_screen(*, is_home: bool) -> None:
    """Import what is drawn first, home or a search, before the app runs."""
    if is_home:
        import tui.home.screen
    else:
        import tui.live.screen  # noqa: F401


class FoldwatchApp(OrderedKeysApp):
    """Opens on `session` (an object or a name), on a demo, or at home.

    `sessions`: the folder that was asked for by name, None for the usual one; `data_folder` likewise.
    `is_plain`: ASCII in place of symbols, borders and braille dots.
    """

    CSS_PATH = "app.tcss"
    TITLE = "foldwatch"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", "Keys", show=False),
        Binding("q", "quit", "Quit; searches continue", show=False),
        Binding("ctrl+q,ctrl+c", "quit", "Quit; searches continue", show=False, priority=True),
    ]

    def __init__(
        self,
        *,
        session: WatchedSession | str | None = None,
        sessions: Path | None = None,
        data_folder: Path | None = None,
        read_only: bool = False,
        low_bandwidth: bool = False,
        demo: bool = False,
        theme: str | None = None,
        is_plain: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._plain = PlainCells(encoding_of(sys.stderr)) if is_plain else None
        super().__init__()
        self.explicit_sessions = sessions
        self.sessions = sessions_folder(sessions)
        self.data_folder = data_folder
        self.read_only = read_only
        self.low_bandwidth = low_bandwidth
        self.now = now
        self._session = session
        self._demo = demo
        self._arrangements: dict[Path, Arrangement] = {}
        self.visited: dict[Path, Whereabouts] = {}  # what was watched or listed, as it was seen last
        for known in THEMES:
            self.register_theme(known)
        wanted = theme or os.environ.get("FOLDWATCH_THEME", "dark")
        self.theme = SHORT_NAMES.get(wanted, SHORT_NAMES["dark"])

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Plain cells last, where they are wanted."""
        filters = super().get_line_filters()
        return [*filters, self._plain] if self._plain else filters

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that are not ours."""
        return DEFAULTS

    def on_mount(self) -> None:
        """Leave cleanly when the terminal goes away, and show the first screen."""
        self._leaving = Leaving(self.exit)
        self._window = TerminalTitle(self._to_terminal)
        self.entitle("")
        if self._demo:
            self.start_demo()
        elif self._session is None:
            from tui.home.screen import HomeScreen

            self.push_screen(HomeScreen())
        else:
            self.open_live(self._session)

    def on_unmount(self) -> None:
        """Signals and the window's name are somebody else's again."""
        self._leaving.forget()
        self._window.give_back()

    def entitle(self, text: str) -> None:
        """Put what is watched into the title of the terminal's window; empty for the app alone."""
        self._window.show(f"{text} · foldwatch" if text else "foldwatch")

    def _to_terminal(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(self._plain.plain(sequence) if self._plain else sequence)

    def open_live(self, session: WatchedSession | str) -> None:
        """Watch a session, by name or as an object. Raises FoldwatchError if it cannot be opened."""
        self.push_screen(self._live_screen(session), self._collect_soon)

    def switch_to_live(self, name: str) -> None:
        """Watch a session in place of the screen on top. Raises FoldwatchError if it cannot be opened."""
        self.switch_screen(self._live_screen(name))

    def _live_screen(self, session: WatchedSession | str) -> LiveScreen:
        from tui.live.screen import LiveScreen

        return LiveScreen(
            open_session(session, self.sessions) if isinstance(session, str) else session,
            read_only=self.read_only,
            low_bandwidth=self.low_bandwidth,
            now=self.now,
            arrangements=self._arrangements,
        )

    def _collect_soon(self, _: object) -> None:
        # What still read for the view when it closed lets go of it a moment later.
        for seconds in _COLLECT_SECONDS:
            self.set_timer(seconds, collect_closed)

    def open_starting(self, arguments: list[str], name: str) -> None:
        """Run an engine command that makes the session `name`, and watch that once it is there."""
        from tui.home.starting import StartingScreen

        self.push_screen(StartingScreen(arguments, name))

    def start_demo(self) -> None:
        """Run the built-in sample search and watch it."""
        from engine.session.places import new_identifier

        # The engine picks its demo's name by the same rule.
        self.open_starting(["demo", "--headless"], new_identifier(self.sessions, "demo"))

    def open_new_search(self, form: Form | None, left: Callable[[Form | None], None]) -> None:
        """The form of a new search. `left` gets what it held when it was left without starting, else None."""
        from tui.new_search.screen import NewSearchScreen

        self.push_screen(NewSearchScreen(form), left)

    def open_zoom(
        self, session: WatchedSession, failed: Callable[[str], None], left: Callable[[Form | None], None]
    ) -> None:
        """Show what a zoom proposes in the form of a new search, and above it what was done to the search before."""
        from tui.new_search.zoom_proposal import propose_zoom
        from tui.parts.dialogs import TextScreen

        asking = self.screen

        def show(form: Form, text: str) -> None:
            if asking.is_current:  # somebody may have gone elsewhere meanwhile
                self.open_new_search(form, left)
                title = f"zoom into {session.id}: proposed, nothing runs yet"
                self.push_screen(TextScreen(title, text, "escape continues to the form"))

        propose_zoom(asking, session, show, failed)

    def open_trends(
        self, search: WatchedSearch, table: ResultsTable, brushes: Brushes, select: Callable[[str], None]
    ) -> None:
        """The trends of the whole grid; `select` puts a filter on `table`, which is the live view's own."""
        from tui.trends.screen import TrendsScreen

        self.push_screen(TrendsScreen(search, table, brushes, select))

    def action_keys(self) -> None:
        """Keys by purpose; a screen may have its own in `KEYS`."""
        from tui.parts.keys import LIVE
        from tui.parts.keys_screen import KeysScreen

        if not isinstance(self.screen, KeysScreen):
            self.push_screen(KeysScreen(getattr(self.screen, "KEYS", LIVE)))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: themes by name, and what the screen on top can do."""
        for short, name in SHORT_NAMES.items():
            yield SystemCommand(f"Theme: {short}", f"Colours: {short}", lambda name=name: setattr(self, "theme", name))
        seen: set[str] = set()
        for _, binding in screen._bindings:
            if binding.action in seen or not binding.description:
                continue
            seen.add(binding.action)
            yield SystemCommand(
                binding.description,
                f"key {binding.key}",
                lambda action=binding.action: self.call_later(self.run_action, action, screen),
            )
        yield SystemCommand("Keys", "All keys by purpose", self.action_keys)
        yield SystemCommand("Quit", "Leave; searches continue", self.action_quit)
