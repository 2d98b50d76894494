"""A pane: a drawing with a border and a title; and a theme's colours, as plots and texts take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.color import Color
from textual.content import Content

from tui.parts.drawing import Drawing
from tui.parts.safe_text import safe_content

if TYPE_CHECKING:
    from textual.app import App


class Pane(Drawing, can_focus=True):
    """A drawing with a border and a title that can have the focus and the whole screen."""

    ALLOW_MAXIMIZE = True
    _titles: tuple[object, str] | None = None

    def entitle(self, title: str | list[tuple[str, str]], subtitle: str = "") -> None:
        """What the border says, which may hold text from outside; a legend is (text, style) pairs."""
        if (title, subtitle) == self._titles:
            return
        self._titles = title, subtitle
        if isinstance(title, str):
            self.border_title = safe_content(title)
        else:
            self.border_title = Content("").join([safe_content(text, style) for text, style in title])
        self.border_subtitle = safe_content(subtitle)

    def colour(self, variable: str) -> tuple[int, int, int] | int:
        """A theme's colour as plots take it: red, green and blue, or a number of the terminal's own palette."""
        return plot_colour(self.app.theme_variables.get(variable, "ansi_default"))


def faded(colour: tuple[int, int, int] | int, background: tuple[int, int, int] | int) -> tuple[int, int, int] | int:
    """Half way to the background; the terminal's own colours stay as they are."""
    if isinstance(colour, int) or isinstance(background, int):
        return colour
    red, green, blue = ((one + other) // 2 for one, other in zip(colour, background, strict=True))
    return red, green, blue


def style_of(app: App[Any], variable: str) -> str:
    """A theme's colour as a Rich style."""
    colour = plot_colour(app.theme_variables.get(variable, "ansi_default"))
    return f"color({colour})" if isinstance(colour, int) else "rgb({},{},{})".format(*colour)


def plot_colour(name: str) -> tuple[int, int, int] | int:
    """A colour's name or hexadecimal as plots take it."""
    if name.startswith("ansi_"):
        return _PALETTE.get(name, 7)
    colour = Color.parse(name.split()[0])
    return colour.r, colour.g, colour.b


_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_PALETTE = {f"ansi_{name}": number for number, name in enumerate(_NAMES)} | {
    f"ansi_bright_{name}": number + 8 for number, name in enumerate(_NAMES)
}
