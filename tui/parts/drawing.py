"""A widget that shows a drawn text, and repaints only the part of each line that looks different.

Over a slow connection every byte counts: a progress bar that grew by one is a few bytes, its pane a few hundred.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.geometry import Region
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.app import RenderResult


class Drawing(Widget):
    """Shows what `draw_content` returns; `changed` asks for a new drawing."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._drawn: Text | None = None
        self._drawn_size = (0, 0)

    def draw_content(self, width: int, height: int) -> Text:
        """The content at a size; for subclasses."""
        raise NotImplementedError

    def changed(self) -> None:
        """Its data are others now."""
        before, size = self._drawn, (self.size.width, self.size.height)
        if not self.is_on_screen or before is None or size != self._drawn_size:
            self._drawn = None
            self.refresh()
            return
        self._drawn = self.draw_content(*size)
        regions = differing(before, self._drawn, size[0])
        if regions:
            self.refresh(*regions)

    def render(self) -> RenderResult:
        """The last drawing while it holds."""
        size = (self.size.width, self.size.height)
        if self._drawn is None or size != self._drawn_size:
            self._drawn = self.draw_content(*size) if min(size) > 0 else Text()
            self._drawn_size = size
        return self._drawn

    def notify_style_update(self) -> None:
        """Colours of another theme."""
        super().notify_style_update()
        self._drawn = None


def differing(before: Text, after: Text, width: int) -> list[Region]:
    """Where two drawings of one size differ, at most one part of each line."""
    regions: list[Region] = []
    for y, (old, new) in enumerate(zip_longest(before.split("\n"), after.split("\n"), fillvalue=Text())):
        if old == new and old.spans == new.spans:
            continue
        start = _alike(old, new)
        end = width
        if len(old.plain) == len(new.plain):
            # The same from behind, where that is as many letters in.
            behind = 0
            limit = len(new.plain) - start
            while behind < limit and old.plain[-1 - behind] == new.plain[-1 - behind]:
                behind += 1
            cut = len(new.plain) - behind
            if behind and old[cut:].spans == new[cut:].spans:
                end = cell_len(new.plain[:cut])
        x = cell_len(new.plain[:start])
        regions.append(Region(x, y, max(1, end - x), 1))
    return regions


def _alike(old: Text, new: Text) -> int:
    """How many letters from the left look the same; equal ones in other colours do not."""
    same = 0
    for one, other in zip(old.plain, new.plain, strict=False):
        if one != other:
            break
        same += 1
    while same and old[:same].spans != new[:same].spans:
        same //= 2
    return same
