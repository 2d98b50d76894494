"""Lines of a scrolled view, painted only where they look different: what crosses the wire is what changed."""

from __future__ import annotations

from abc import abstractmethod

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class PaintedLines(ScrollView):
    """A view by Textual's line API that knows what it has painted; who derives from it draws one line at a time."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._painted: dict[int, Strip] = {}
        self._ready: dict[int, Strip] = {}

    @property
    @abstractmethod
    def _whole_size(self) -> Size:
        """All lines and columns, the hidden ones included."""

    @abstractmethod
    def _line(self, y: int) -> Strip:
        """A line of the visible part, counted from its top."""

    @property
    def _view(self) -> Size:
        """What is visible, scrollbars left out."""
        return self.scrollable_content_region.size

    def render_line(self, y: int) -> Strip:
        """A line of the visible part."""
        strip = self._ready.pop(y, None) or self._line(y)
        self._painted[y] = strip
        return strip

    def _repaint_all(self) -> None:
        self._painted.clear()
        self._ready.clear()
        self.virtual_size = self._whole_size
        self.refresh()

    def _repaint_lines(self, *lines: int) -> None:
        """These, counted from the top of the whole."""
        for line in lines:
            self._ready.pop(line - self.scroll_offset.y, None)
            self.refresh_line(line)

    def _repaint_differences(self) -> None:
        """The visible lines that look different from what was painted, each from where it does."""
        width, height = self._view
        if not self.is_on_screen or not self._painted:
            self._painted.clear()
            self.refresh()
            return
        for y in range(height):
            strip, before = self._line(y), self._painted.get(y)
            if before != strip:
                self._ready[y] = strip
                start = _alike(before, strip) if before is not None else 0
                self.refresh(Region(start, y, width - start, 1))

    def notify_style_update(self) -> None:
        """Colours of another theme."""
        super().notify_style_update()
        self._painted.clear()
        self._ready.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Another part is visible."""
        self._ready.clear()
        super().watch_scroll_y(old_value, new_value)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Other columns are visible."""
        self._ready.clear()
        super().watch_scroll_x(old_value, new_value)


def _alike(before: Strip, after: Strip) -> int:
    """How many cells from the left look the same."""
    cells = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        cells += new.cell_length
    return cells
