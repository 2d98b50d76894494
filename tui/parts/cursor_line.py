"""A table's line in its style; under the cursor it can be read in every theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.theme import Theme

_PLAIN = Style(color="bright_white")


def styled(segments: Iterable[Segment], base: Style, *, is_cursor: bool, theme: Theme) -> Iterable[Segment]:
    """Segments upon a line's style. In a terminal's own colours a cursor's line has one: red on blue is not read."""
    if is_cursor and theme.ansi:
        return Segment.apply_style(segments, post_style=base + _PLAIN)
    return Segment.apply_style(segments, base)
