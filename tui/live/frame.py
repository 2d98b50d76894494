"""What stands around the panes of the live view: header, window title, the table's title and width, the keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.containers import Vertical

from tui.live.header import SearchHeader
from tui.navigation import navigation_of
from tui.parts.safe_text import safe_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

    from tui.live.model import LiveModel
    from tui.results.table import ResultsTable


class Frame:
    """Each part repaints only when it differs. `marks`: words about this view, as `read-only`, for the header's end."""

    def __init__(
        self,
        screen: Screen[None],
        live: LiveModel,
        table: ResultsTable,
        marks: list[str],
        now: Callable[[], float],
        show_keys: Callable[[], None],
    ) -> None:
        self.drawn_at = 0.0  # by the monotonic clock
        self._screen = screen
        self._live = live
        self._table = table
        self._marks = marks
        self._now = now
        self._show_keys = show_keys
        self._header = screen.query_one(SearchHeader)
        self._left = screen.query_one("#left", Vertical)
        self._table_titles = ("", "")
        self._left_width = ""

    def draw(self) -> None:
        """All of it."""
        self.drawn_at = time.monotonic()
        marks = [*self._marks, *(["frozen"] if self._table.order.frozen else [])]
        facts = self._live.header(self._table.model, self._now(), " ".join(marks))
        self._header.show(facts)
        navigation_of(self._screen).entitle(
            f"{facts.share:.0%} {facts.state} · {facts.name}" if self._live.has_opened else facts.name
        )
        self._show_keys()
        self._entitle_table()
        self.fit_columns()

    def _entitle_table(self) -> None:
        order, rows, rounds = self._table.order, self._table.model.rows, self._live.state.rounds
        count = f"{len(order.rows)} of {rows} · filter {order.filter_text}" if order.filter_text else f"{rows}"
        title = f"combinations {count} · sort {order.sort_key} {'▾' if order.descending else '▴'}"
        if rounds:
            title += f" · {rounds[-1].words}"
        hidden = self._table.hidden_columns
        more = f"{hidden} more column{'s' if hidden > 1 else ''} ← →" if hidden else ""
        if self._screen.has_class("-narrow") and more:
            # Panes have no lower border there.
            title, more = f"{title} · {more}", ""
        # A title set anew is laid out anew: only when it differs.
        if (title, more) != self._table_titles:
            self._table_titles = (title, more)
            self._table.border_title = safe_content(title)
            self._table.border_subtitle = safe_content(more)

    def fit_columns(self) -> None:
        """The table's column is as wide as the table needs, within limits."""
        if self._screen.has_class("-narrow") or self._screen.has_class("-maximised"):
            wanted = "100%"
        else:
            least, most = self._screen.size.width * 45 // 100, self._screen.size.width * 65 // 100
            wanted = str(max(least, self._table.snug_width(most)))
        if wanted != self._left_width:
            self._left_width = wanted
            self._left.styles.width = wanted
            self._screen.call_after_refresh(self.draw)  # the title counts the columns that are hidden then
