"""The results table: draws only the visible rows of a permutation, so that 10,000 combinations stay smooth.

Sorting, filtering and pinning change the permutation alone; an update repaints the lines that look different, and
nothing else. The cursor is on a combination, not on a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui.parts.cursor_line import styled
from tui.results.cells import STYLES, Cells
from tui.results.model import ResultsModel
from tui.results.painted_lines import PaintedLines
from tui.results.row_order import Arrangement, RowOrder

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from engine.session.state import SearchState
    from tui.results.model import Column

_FRAME = 3


class ResultsTable(PaintedLines, can_focus=True):
    """Rows are combinations; `cursor` is the combination under the cursor, None in an empty table."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"results--{name}" for name in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
        Binding("left", "sideways(-1)", "Columns left", show=False),
        Binding("right", "sideways(1)", "Columns right", show=False),
        Binding("enter", "choose", "Detail", show=False),
        Binding("less_than_sign", "sort_next(-1)", "Sort by column left", show=False),
        Binding("greater_than_sign", "sort_next(1)", "Sort by column right", show=False),
        Binding("v", "reverse", "Reverse the sort order", show=False),
    ]

    class CursorMoved(Message):
        """The cursor came to rest on another combination."""

        def __init__(self, row: int | None) -> None:
            self.row = row
            super().__init__()

    class Chosen(Message):
        """Somebody wants to see a combination in detail."""

        def __init__(self, row: int) -> None:
            self.row = row
            super().__init__()

    class Arranged(Message):
        """Sort, filter, pins or frozen order changed by hand."""

    def __init__(self, chosen: Arrangement, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model = ResultsModel()
        self.order = RowOrder(self.model, chosen)
        self.cursor: int | None = None
        self._follows_first = True  # until somebody moves: then the cursor stays where it was put
        self._cells = Cells(self.model, self.order)

    # What changed

    def reset(self) -> None:
        """Forget all rows, for a record that was read anew; order and pins stay as somebody chose them."""
        self.model = ResultsModel()
        self.order = RowOrder(self.model, self.order.chosen)
        self._cells = Cells(self.model, self.order)
        self._repaint_all()

    def show(self, state: SearchState) -> None:
        """Take over what changed in the state, and repaint the lines that look different."""
        rows_before = self.model.rows
        changed = self.model.update(state)
        state.changed.clear()
        if self.model.rows != rows_before:
            # The columns are known only now: how close they stand must not depend on whether the size was known before.
            self._cells.fit(self._view.width)
            self.rearrange()
            self._repaint_all()
        elif changed:
            place = self.order.place(self.cursor)
            if self.order.follow(changed):
                self._hold_cursor(place)
            self._repaint_differences()

    def rearrange(self, *, by_hand: bool = False) -> None:
        """Order all rows anew; the cursor's combination keeps its line on the screen."""
        place = self.order.place(self.cursor)
        self.order.arrange(whatever_frozen=by_hand)
        self._hold_cursor(place)
        if by_hand:
            self._keep_cursor_visible()
            self._repaint_all()
            self.post_message(self.Arranged())

    def _hold_cursor(self, before: int | None) -> None:
        """Keep its combination, which was at this place, on its line; without one it goes to the first row."""
        rows, place = self.order.rows, self.order.place(self.cursor)
        if self._whole_size != self.virtual_size:
            self.virtual_size = self._whole_size
        if self._follows_first or place is None:
            first = rows[0] if rows else None
            if first != self.cursor:
                self.cursor = first
                self.post_message(self.CursorMoved(first))
        elif before is not None and before != place:
            self.scroll_to(y=self.scroll_offset.y + place - before, animate=False, force=True)
            self._keep_cursor_visible()

    def notify_style_update(self) -> None:
        """Colours of another theme."""
        super().notify_style_update()
        self._cells.styles.clear()

    # Drawing

    @property
    def _whole_size(self) -> Size:
        return Size(self._cells.width, len(self.order.rows) + 1)

    def _line(self, y: int) -> Strip:
        if not self._cells.styles:
            self._cells.styles = {
                name: self.get_component_rich_style(f"results--{name}", partial=name != "row") for name in STYLES
            }
        width = self._view.width
        place = self.scroll_offset.y + y - 1
        if y == 0:
            segments, frozen, style = self._cells.heading(), self._cells.frozen, "heading"
        elif 0 <= place < len(self.order.rows):
            row = self.order.rows[place]
            style = "row"
            if row == self.cursor:
                style = "cursor" if self.has_focus else "cursor-away"
            segments, frozen = self._cells.row(row), self._cells.frozen
        elif y == 1 and self.model.rows:
            segments, frozen, style = [Segment("no combination passes the filter; escape clears it")], 0, "dim"
        else:
            return Strip.blank(width, self._cells.styles["row"])
        base = self._cells.styles["row"] + self._cells.styles[style]
        # Neighbours of one style are one piece: each piece costs the terminal a line of escape codes.
        strip = Strip(styled(segments, base, is_cursor=style == "cursor", theme=self.app.current_theme)).simplify()
        left = self.scroll_offset.x
        if left:
            strip = Strip.join([strip.crop(0, frozen), strip.crop(frozen + left)])
        whole = self._cells.whole_width(width, left)
        return strip.crop(0, whole).adjust_cell_length(width, base)

    def on_resize(self) -> None:
        """Lines have another width."""
        self._cells.fit(self._view.width)
        self._repaint_all()
        self._keep_cursor_visible()

    def on_focus(self) -> None:
        """The cursor's line is strong."""
        self._repaint_all()

    def on_blur(self) -> None:
        """The cursor's line is faint."""
        self._repaint_all()

    def snug_width(self, most: int) -> int:
        """The widest that ends where a column ends, its border and scrollbar included."""
        return self._cells.snug(most - _FRAME) + _FRAME

    @property
    def hidden_columns(self) -> int:
        """Columns that are not, or not wholly, in view."""
        return self._cells.hidden(self._view.width, self.scroll_offset.x)

    # Moving

    def move_to(self, row: int) -> None:
        """Put the cursor on a combination, if it is shown."""
        place = self.order.place(row)
        if place is not None:
            self._go_to(place)

    def action_move(self, step: int) -> None:
        """By lines."""
        self._go_to(self._place + step)

    def action_page(self, step: int) -> None:
        """By screens."""
        self._go_to(self._place + step * max(1, self._view.height - 2))

    def action_edge(self, step: int) -> None:
        """To the first or the last row."""
        self._go_to(0 if step < 0 else len(self.order.rows) - 1)

    def action_sideways(self, step: int) -> None:
        """By columns; the first one stays."""
        self.scroll_to(x=self._cells.column_edge(self.scroll_offset.x, step), animate=False, force=True)

    def action_choose(self) -> None:
        """The combination under the cursor."""
        if self.cursor is not None:
            self.post_message(self.Chosen(self.cursor))

    def action_sort_next(self, step: int) -> None:
        """Sort by the neighbouring column."""
        keys = [column.key for column in self._cells.columns]
        if keys:
            place = keys.index(self.order.sort_key) if self.order.sort_key in keys else 0
            key = keys[(place + step) % len(keys)]
            self._bring_into_view(key)
            self.sort_by(key)

    def _bring_into_view(self, key: str) -> None:
        left, width = self.scroll_offset.x, self._view.width
        if self._cells.shows(key, width, left):
            return
        left = 0
        while not self._cells.shows(key, width, left) and (following := self._cells.column_edge(left, 1)) != left:
            left = following
        self.scroll_to(x=left, animate=False, force=True)

    def action_reverse(self) -> None:
        """Same column, other direction."""
        self.sort_by(self.order.sort_key)

    def sort_by(self, key: str) -> None:
        """Sort by a column, or turn its order round."""
        self.order.sort_by(key)
        self.rearrange(by_hand=True)

    @property
    def _place(self) -> int:
        return self.order.place(self.cursor) or 0

    def _go_to(self, place: int) -> None:
        rows = self.order.rows
        if not rows:
            return
        self._follows_first = False
        before, place = self._place, max(0, min(place, len(rows) - 1))
        if rows[place] == self.cursor:
            return
        self.cursor = rows[place]
        self._repaint_lines(before + 1, place + 1)
        self._keep_cursor_visible()
        self.post_message(self.CursorMoved(self.cursor))

    def _keep_cursor_visible(self) -> None:
        place, top, shown = self._place, self.scroll_offset.y, self._view.height - 1
        if shown <= 0 or top <= place < top + shown:
            return
        self.scroll_to(y=place if place < top else place - shown + 1, animate=False, force=True)

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row takes the cursor, twice opens it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            column: Column | None = self._cells.column_at(offset.x, self.scroll_offset.x)
            if column is not None:
                self.sort_by(column.key)
            return
        place = self.scroll_offset.y + offset.y - 1
        if 0 <= place < len(self.order.rows):
            self._go_to(place)
            if event.chain == 2:
                self.action_choose()
