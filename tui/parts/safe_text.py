"""The one way in for text from outside: what comes out can neither steer a terminal nor be read as markup.

`engine.formatting.safe_text.clean` makes controls visible or takes them out; `safe_text` and `safe_content` wrap the
result in values that Rich and Textual never parse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from engine.formatting.safe_text import LONGEST_LINE, LONGEST_TEXT, clean

if TYPE_CHECKING:
    from rich.style import Style
    from textual.content import Content

__all__ = ["LONGEST_LINE", "LONGEST_TEXT", "clean", "safe_content", "safe_text"]


def safe_text(text: str, style: str | Style = "", *, lines: bool = False, longest: int = LONGEST_LINE) -> Text:
    """A Rich text of what `clean` leaves, in one style."""
    return Text(clean(text, lines=lines, longest=longest), style=style, end="")


def safe_content(text: str, style: str = "", *, lines: bool = False) -> Content:
    """Text from outside as a Textual content, for labels, titles and notifications."""
    from textual.content import Content

    return Content.styled(clean(text, lines=lines), style)
