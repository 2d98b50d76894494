"""A note to write: a small text editor over the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from tui.home.notes import MOST_BYTES
from tui.parts.safe_text import clean, safe_content, safe_text

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class NoteScreen(ModalScreen[str | None]):
    """Returns the text, None if it was left as it was."""

    DEFAULT_CSS = """
    NoteScreen TextArea { height: 12; border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "keep", "Save the note", show=False),
        Binding("escape", "leave", "Discard the changes", show=False),
    ]

    def __init__(self, session: str, text: str) -> None:
        super().__init__()
        self._session = session
        # A note may have been written by anything; an editor shows what it is given as it is.
        self._text = clean(text, lines=True)

    def compose(self) -> ComposeResult:
        """The editor, and how to leave it."""
        with Vertical(classes="dialog") as box:
            box.border_title = safe_content(f"note on {self._session}")
            yield TextArea(self._text, id="note", show_line_numbers=False)
            yield Static(id="note-keys")

    def on_mount(self) -> None:
        """Type at once, at the end."""
        editor = self.query_one(TextArea)
        editor.cursor_blink = False
        editor.focus()
        editor.move_cursor(editor.document.end)
        self._count()

    @on(TextArea.Changed)
    def _count(self) -> None:
        used = len(self.query_one(TextArea).text.encode(errors="replace"))
        over = f"   {used:,} of {MOST_BYTES:,} bytes" if used > MOST_BYTES // 2 else ""
        style = "bold" if used > MOST_BYTES else "dim"
        self.query_one("#note-keys", Static).update(
            safe_text(f"f2 saves it · escape discards changes · an empty note is removed{over}", style)
        )

    def action_keep(self) -> None:
        """Done, unless it is too long."""
        text = self.query_one(TextArea).text
        if len(text.strip().encode(errors="replace")) <= MOST_BYTES:
            self.dismiss(text)

    def action_leave(self) -> None:
        """Nothing is written."""
        self.dismiss(None)
