"""The log: what happened, in plain words with times; enter opens what lies behind a line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.parts.safe_text import safe_content

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from tui.live.history import History, LogLine

_STYLES = ("line", "time", "best", "failed", "diverged", "saved", "state", "cursor")


class LogPane(ScrollView, can_focus=True):
    """The newest line last; it stays in view until somebody moves up."""

    DEFAULT_CSS = "LogPane .log--diverged { color: $error; text-style: italic; }"  # as in the results table
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log--{name}" for name in _STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "move(-10)", "Page up", show=False),
        Binding("pagedown,ctrl+d", "move(10)", "Page down", show=False),
        Binding("home,g", "move(-100000)", "First", show=False),
        Binding("end,G", "move(100000)", "Last", show=False),
        Binding("enter", "open", "Details of the line", show=False),
    ]

    class Opened(Message):
        """Somebody wants to see what lies behind a line."""

        def __init__(self, line: LogLine) -> None:
            self.line = line
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: list[LogLine] = []
        self._seen = -1
        self.cursor: int | None = None  # None: at the end, whatever comes
        self.border_title = safe_content("log")

    @property
    def _view(self) -> Size:
        """What is visible, scrollbars left out."""
        return self.scrollable_content_region.size

    def show(self, history: History) -> None:
        """Take over new lines."""
        if history.lines_ever == self._seen:
            return
        dropped = 0
        if self._lines and history.log and self.cursor is not None:
            # Old lines fall out at the top: the cursor stays on its line.
            dropped = max(0, history.lines_ever - self._seen - (len(history.log) - len(self._lines)))
        self._seen = history.lines_ever
        self._lines = list(history.log)
        if self.cursor is not None:
            self.cursor = max(0, min(self.cursor - dropped, len(self._lines) - 1))
        counts = Counter(line.kind for line in self._lines)
        parts = [f"{counts[kind]} {kind}" for kind in ("failed", "diverged") if counts[kind]]
        self.border_subtitle = safe_content(", ".join(parts))
        self.virtual_size = Size(self._view.width, len(self._lines))
        if self.cursor is None:
            self._to_end()
        self.refresh()

    def _to_end(self) -> None:
        self.scroll_to(y=max(0, len(self._lines) - self._view.height), animate=False, force=True)

    def on_resize(self) -> None:
        """Another width, perhaps another height."""
        self.virtual_size = Size(self._view.width, len(self._lines))
        if self.cursor is None:
            self._to_end()

    def on_focus(self) -> None:
        """The cursor shows."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor hides."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A visible line."""
        width, number = self._view.width, self.scroll_offset.y + y
        styles = {name: self.get_component_rich_style(f"log--{name}", partial=name != "line") for name in _STYLES}
        base = styles["line"]
        if number >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[number]
        cursor = len(self._lines) - 1 if self.cursor is None else self.cursor
        if number == cursor and self.has_focus:
            base = base + styles["cursor"]
        mark = "▸" if line.detail and line.kind == "failed" else " "
        segments = [
            Segment(f"{line.clock} ", base + styles["time"]),
            Segment(f"{mark} ", base + styles["failed"]),
            Segment(line.text, base + styles.get(line.kind, base)),
        ]
        strip = Strip(segments)
        if strip.cell_length > width:
            strip = Strip.join([strip.crop(0, width - 1), Strip([Segment("…", base)])])
        return strip.adjust_cell_length(width, base)

    def action_move(self, step: int) -> None:
        """By lines; past the last one it follows what comes again."""
        if not self._lines:
            return
        last = len(self._lines) - 1
        wanted = (last if self.cursor is None else self.cursor) + step
        self.cursor = None if wanted > last else max(0, wanted)
        if self.cursor is None:
            self._to_end()
        elif self.cursor < self.scroll_offset.y:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= self.scroll_offset.y + self._view.height:
            self.scroll_to(y=self.cursor - self._view.height + 1, animate=False, force=True)
        self.refresh()

    def action_open(self) -> None:
        """The line under the cursor."""
        if self._lines:
            self.post_message(self.Opened(self._lines[-1 if self.cursor is None else self.cursor]))

    def on_click(self, event: events.Click) -> None:
        """A click takes the cursor, twice opens."""
        offset = event.get_content_offset(self)
        number = self.scroll_offset.y + offset.y if offset is not None else len(self._lines)
        if number < len(self._lines):
            self.cursor = number
            self.refresh()
            if event.chain == 2:
                self.action_open()
