"""Waits for the session of an engine that was started, then opens it; shows the reason if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from tui.navigation import navigation_of
from tui.parts import numbers
from tui.parts.safe_text import clean
from tui.processes.engine_command import EngineCommand, shown_command

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_POLL_SECONDS = 0.15


class StartingScreen(Screen[None]):
    """Runs an engine command that makes the session `name`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", show=False)]

    def __init__(self, arguments: list[str], name: str) -> None:
        super().__init__()
        self._arguments = arguments
        self._session_name = name
        self._polls = 0

    def compose(self) -> ComposeResult:
        """One text in the middle."""
        yield Static(id="starting")

    def on_mount(self) -> None:
        """Start the engine and look for what it makes."""
        app = navigation_of(self)
        whole = [*self._arguments, "--sessions", str(app.sessions)]
        if app.data_folder is not None and self._arguments[0] != "demo":
            whole += ["--data-dir", str(app.data_folder)]
        self._command = EngineCommand(whole, "", no_color=self.app.no_color)
        self._command.start()
        self._timer = self.set_interval(_POLL_SECONDS, self._look)
        self._look()

    def _look(self) -> None:
        app = navigation_of(self)
        self._polls += 1
        if (app.sessions / self._session_name / "search.json").exists():
            self._timer.stop()
            app.switch_to_live(self._session_name)
        elif self._command.has_ended:
            self._timer.stop()
            self._show(self._command.outcome() or "the engine ended without creating a session", problem=True)
        else:
            self._show(f"{numbers.spinner(self._polls)} the engine reads the data and plans the search")

    def _show(self, message: str, *, problem: bool = False) -> None:
        text = Text(clean(message, lines=True), style="bold" if problem else "", justify="center")
        text.append(f"\n\n$ {clean(shown_command(self._arguments))}", style="dim")
        text.append("\n\nescape goes back" if problem else "", style="dim")
        self.query_one("#starting", Static).update(text)

    def action_leave(self) -> None:
        """Back, or out where nothing lies below; an engine that was started continues."""
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()
