"""The table of sessions: a line each, the cursor on a session and not on a line, repainted only where it changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.home.session_columns import STYLES, Column, Context, fitted, matches
from tui.parts.cursor_line import styled
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.binding import BindingType

    from engine.session.listing import SessionSummary


class SessionsTable(ScrollView, can_focus=True):
    """Shows sessions as they are given, filtered by words; `cursor` is the session under the cursor."""

    DEFAULT_CSS = """
    SessionsTable {
        height: 1fr;
        border: round $foldwatch-line;
        border-title-color: $foreground;
        border-subtitle-color: $secondary;
        background: $background;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-color: $foldwatch-line;
    }
    SessionsTable:focus { border: round $primary; border-title-color: $primary; border-title-style: bold; }
    SessionsTable > .sessions--row { color: $foreground; }
    SessionsTable > .sessions--heading { color: $foreground; text-style: bold; }
    SessionsTable > .sessions--cursor { background: $foldwatch-cursor; text-style: bold; }
    SessionsTable > .sessions--cursor-away { background: $panel; text-style: underline; }
    SessionsTable > .sessions--dim { text-style: dim; }
    SessionsTable > .sessions--mark { color: $secondary; text-style: bold; }
    SessionsTable > .sessions--running { color: $success; text-style: bold; }
    SessionsTable > .sessions--done { color: $success; }
    SessionsTable > .sessions--warning { color: $warning; }
    SessionsTable > .sessions--failed { color: $error; text-style: bold; }
    SessionsTable > .sessions--best { color: $warning; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"sessions--{name}" for name in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
    ]

    class CursorMoved(Message):
        """The cursor came to another session, or to none."""

    class Opened(Message):
        """Somebody clicked twice on the session under the cursor."""

    def __init__(self, *, id: str | None = None, clock: Callable[[], float] = time.time) -> None:  # noqa: A002
        super().__init__(id=id)
        self.summaries: list[SessionSummary] = []
        self.shown: list[SessionSummary] = []
        self.marked: set[str] = set()
        self.filter_text = ""
        self._clock = clock
        self._cursor_id: str | None = None
        self._place = 0
        self._columns: list[tuple[Column, int]] = []
        self._styles: dict[str, Style] = {}
        self._base = Style()
        self._painted: dict[int, Strip] = {}

    # What is shown

    @property
    def cursor(self) -> SessionSummary | None:
        """The session under the cursor."""
        return self.shown[self._place] if 0 <= self._place < len(self.shown) else None

    def show(self, summaries: Sequence[SessionSummary]) -> None:
        """Take over a new list; the cursor stays on its session, or on the line where that was."""
        self.summaries = list(summaries)
        self.marked &= {summary.id for summary in summaries}
        self._arrange()

    def filter_by(self, text: str) -> None:
        """Show only sessions that have every word."""
        self.filter_text = text
        self._arrange()

    def mark(self) -> None:
        """Mark the session under the cursor, or take its mark away."""
        if self.cursor is not None:
            self.marked ^= {self.cursor.id}
            self._repaint()

    def clear_marks(self) -> None:
        """Mark none."""
        self.marked.clear()
        self._repaint()

    def move_to(self, identifier: str) -> None:
        """Put the cursor on a session, if it is shown."""
        places = [place for place, summary in enumerate(self.shown) if summary.id == identifier]
        if places:
            self._go_to(places[0])

    def _arrange(self) -> None:
        before = self.cursor
        self.shown = [summary for summary in self.summaries if matches(summary, self.filter_text)]
        places = {summary.id: place for place, summary in enumerate(self.shown)}
        kept = places.get(self._cursor_id or "")
        self._place = kept if kept is not None else max(0, min(self._place, len(self.shown) - 1))
        self._cursor_id = self.cursor.id if self.cursor else None
        self._columns = fitted(self.size.width, [summary.id for summary in self.shown])
        self.virtual_size = Size(self.size.width, len(self.shown) + 1)
        self._repaint()
        self._keep_cursor_visible()
        if self.cursor != before:
            self.post_message(self.CursorMoved())

    def _repaint(self) -> None:
        """Only lines that look different."""
        if not self.size or not self._painted:
            self.refresh()
            return
        for y in range(self.size.height):
            if self._painted.get(y) != self._line(y):
                self.refresh_line(y + self.scroll_offset.y)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """A line of the visible part: the heading, then sessions."""
        strip = self._line(y)
        self._painted[y] = strip
        return strip

    def _line(self, y: int) -> Strip:
        if not self._styles:
            # Partial: a cell's colour stands on whatever the line's background is.
            self._styles = {name: self.get_component_rich_style(f"sessions--{name}", partial=True) for name in STYLES}
            self._base = self.get_component_rich_style("sessions--row")
        width = self.size.width
        place = self.scroll_offset.y + y - 1
        base = self._base
        if y == 0:
            segments = self._cells(lambda column, _: [(column.heading, "heading")])
        elif 0 <= place < len(self.shown):
            summary, context = self.shown[place], Context(self._clock(), frozenset(self.marked))
            segments = self._cells(lambda column, wide: column.cell(summary, wide, context))
            if summary.problem:
                segments = self._problem(summary, context)
            if place == self._place:
                base = base + self._styles["cursor" if self.has_focus else "cursor-away"]
        else:
            return Strip.blank(width, base)
        is_cursor = place == self._place and self.has_focus
        line = styled(segments, base, is_cursor=is_cursor, theme=self.app.current_theme)
        return Strip(line).adjust_cell_length(width, base)

    def _cells(self, cell: Callable[[Column, int], list[tuple[str, str]]]) -> list[Segment]:
        segments: list[Segment] = []
        for number, (column, width) in enumerate(self._columns):
            if number:
                segments.append(Segment("  "))
            pieces = [Segment(text, self._styles[style]) for text, style in cell(column, width) if text]
            strip = Strip(pieces)
            if column.to_right and strip.cell_length < width:
                segments.append(Segment(" " * (width - strip.cell_length)))
                segments += pieces
            else:
                segments += list(strip.adjust_cell_length(width))
        return segments

    def _problem(self, summary: SessionSummary, context: Context) -> list[Segment]:
        """A session that cannot be read has its problem where others have numbers."""
        segments: list[Segment] = []
        for column, width in self._columns[:3]:
            pieces = [Segment(text, self._styles[style]) for text, style in column.cell(summary, width, context)]
            segments += [*Strip(pieces).adjust_cell_length(width), Segment("  ")]
        problem = clean(summary.problem).removeprefix(f"{summary.folder}/")
        return [*segments, Segment(problem, self._styles["failed"])]

    def notify_style_update(self) -> None:
        """Colours of another theme."""
        super().notify_style_update()
        self._styles.clear()
        self._painted.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Another part is visible."""
        self._painted.clear()
        super().watch_scroll_y(old_value, new_value)

    def on_resize(self) -> None:
        """Other columns fit."""
        self._painted.clear()
        self._arrange()

    def on_focus(self) -> None:
        """The cursor's line is strong."""
        self._repaint()

    def on_blur(self) -> None:
        """The cursor's line is faint."""
        self._repaint()

    # Moving

    def action_move(self, step: int) -> None:
        """By lines."""
        self._go_to(self._place + step)

    def action_page(self, step: int) -> None:
        """By screens."""
        self._go_to(self._place + step * max(1, self.size.height - 2))

    def action_edge(self, step: int) -> None:
        """To the first or the last session."""
        self._go_to(0 if step < 0 else len(self.shown) - 1)

    def _go_to(self, place: int) -> None:
        place = max(0, min(place, len(self.shown) - 1))
        if place == self._place or not self.shown:
            return
        self._place = place
        self._cursor_id = self.shown[place].id
        self._repaint()
        self._keep_cursor_visible()
        self.post_message(self.CursorMoved())

    def _keep_cursor_visible(self) -> None:
        top, shown = self.scroll_offset.y, self.size.height - 1
        if shown <= 0 or top <= self._place < top + shown:
            return
        self.scroll_to(y=self._place if self._place < top else self._place - shown + 1, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """A line takes the cursor; twice opens it."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y == 0:
            return
        place = self.scroll_offset.y + offset.y - 1
        if place < len(self.shown):
            self._go_to(place)
            if event.chain == 2:
                self.post_message(self.Opened())
