"""The compare screen: two sessions side by side, read once in a thread, and a note on each to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen

from engine.errors import FoldwatchError
from tui.home.comparison import Comparison, compare
from tui.home.comparison_view import SharedPane, SidesPane
from tui.home.note_editor import NoteScreen
from tui.home.notes import write_note
from tui.navigation import navigation_of
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import Key
from tui.processes.background import Latest, in_background

REFRESH_SECONDS = 3.0
LOW_BANDWIDTH = 5  # so many times more rarely

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from engine.session.listing import SessionSummary


class CompareScreen(Screen[None]):
    """`first` stands left, `second` right; differences are second less first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "turn", "Order by difference or by score", show=False),
        Binding("1", "note(0)", "Note on the left one", show=False),
        Binding("2", "note(1)", "Note on the right one", show=False),
        Binding("enter,o", "open(0)", "Open the left one", show=False),
        Binding("O", "open(1)", "Open the right one", show=False),
        Binding("u", "read", "Read both again", show=False),
        Binding("up,k", "scroll_lines(-1)", "Up", show=False),
        Binding("down,j", "scroll_lines(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "scroll_lines(-10)", "Page up", show=False),
        Binding("pagedown,ctrl+d,space", "scroll_lines(10)", "Page down", show=False),
        Binding("escape", "back", "Back", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
        Binding("q", "app.quit", "Quit; searches continue", show=False),
    ]
    KEYS: ClassVar[dict[str, list[Key]]] = {
        "Compare": [
            Key("s", "shared combinations by difference, or by score"),
            Key("1 2", "a note on the left, on the right session"),
            Key("enter o", "open the left one", "foldwatch attach ID"),
            Key("O", "open the right one", "foldwatch attach ID"),
            Key("u", "read both again"),
            Key("up down j k", "by lines"),
            Key("page up, page down, ctrl+u, ctrl+d, space", "by pages"),
            Key("escape", "back"),
        ],
        "The app": [Key("?", "these keys; type to search"), Key("q", "quit: searches continue")],
    }

    @dataclass
    class Compared(Message):
        """Both were read."""

        comparison: Comparison

    @dataclass
    class Refused(Message):
        """Something could not be read or written."""

        why: str

    def __init__(self, first: SessionSummary, second: SessionSummary) -> None:
        super().__init__()
        self._summaries = (first, second)
        self.comparison: Comparison | None = None
        self._reading = Latest("comparing", self._fault)

    def compose(self) -> ComposeResult:
        """Both sides above, shared combinations below."""
        yield SidesPane(id="sides")
        yield SharedPane(id="shared")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Read both."""
        self._panel = self.query_one(ControlPanel)
        keys = [
            ("s", "sort", "screen.turn"),
            ("1", "note left", "screen.note(0)"),
            ("2", "note right", "screen.note(1)"),
        ]
        keys += [("o", "open left", "screen.open(0)"), ("O", "open right", "screen.open(1)")]
        self._panel.show_keys([*keys, ("esc", "back", "screen.back"), ("?", "keys", "app.keys")])
        self.query_one(SharedPane).focus()
        self.action_read()
        self.set_interval(REFRESH_SECONDS * (LOW_BANDWIDTH if navigation_of(self).low_bandwidth else 1), self._refresh)

    def _refresh(self) -> None:
        if self.comparison is not None and self.comparison.is_running:
            self.action_read()

    def action_read(self) -> None:
        """In a thread: a large record takes a second."""

        def work() -> None:
            try:
                self.post_message(self.Compared(compare(*self._summaries)))
            except (FoldwatchError, OSError) as error:
                self.post_message(self.Refused(str(error)))

        self._reading.ask(work)

    def _fault(self, why: str) -> None:
        self.post_message(self.Refused(why))

    @on(Compared)
    def _when_compared(self, message: Compared) -> None:
        self.comparison = message.comparison
        self.query_one(SidesPane).show(message.comparison)
        self.query_one(SharedPane).show(message.comparison)

    def on_resize(self) -> None:
        """Another size has room for other lines."""
        self.query_one(SidesPane).fit()

    @on(Refused)
    def _when_refused(self, message: Refused) -> None:
        self._panel.say(message.why, problem=True)

    def action_turn(self) -> None:
        """Order by difference or by score."""
        if self.comparison is not None:
            self.query_one(SharedPane).turn()

    def action_scroll_lines(self, step: int) -> None:
        """The shared combinations."""
        self.query_one(SharedPane).scroll_lines(step)

    def action_note(self, side: int) -> None:
        """Write a note on one of them."""
        if navigation_of(self).read_only:
            self._panel.say("this view is read-only: a note is refused", problem=True)
            return
        if self.comparison is None:
            return
        summary = self._summaries[side]

        def work(text: str) -> None:
            try:
                write_note(summary.folder, text)
            except FoldwatchError as error:
                self.post_message(self.Refused(str(error)))
            self.action_read()

        def written(text: str | None) -> None:
            if text is not None:
                in_background(lambda: work(text), "writing the note", self._fault)

        self.app.push_screen(NoteScreen(summary.id, self.comparison.sides[side].note), written)

    def action_open(self, side: int) -> None:
        """Watch one of them."""
        try:
            navigation_of(self).open_live(self._summaries[side].id)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)

    def action_back(self) -> None:
        """Back to the list."""
        self.dismiss(None)
