"""A text that is drawn anew where it differs, and lays the screen out anew only where it takes more or fewer lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from tui.parts.safe_text import safe_text

if TYPE_CHECKING:
    from rich.text import Text


class Line(Static):
    """Textual's `Static` asks for a new layout of the whole screen with every update."""

    _shown: Text | None = None

    def say(self, text: str | Text) -> None:
        """Show this; a string may come from outside."""
        shown = safe_text(text) if isinstance(text, str) else text
        before, self._shown = self._shown, shown
        if before is None or shown != before or shown.spans != before.spans:
            self.update(shown, layout=before is None or self._rows(before) != self._rows(shown))

    def _rows(self, text: Text) -> int:
        width = self.content_size.width
        return len(text.wrap(self.app.console, width)) if width and text.plain else 0
