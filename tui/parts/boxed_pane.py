"""A pane with its own border, for the screens on which searches are made and found again."""

from __future__ import annotations

from tui.parts.pane import Pane


class BoxedPane(Pane):
    """A `Pane` in a round frame."""

    DEFAULT_CSS = """
    BoxedPane {
        border: round $foldwatch-line;
        border-title-color: $foreground;
        border-subtitle-color: $secondary;
        background: $background;
        padding: 0 1;
    }
    BoxedPane:focus { border: round $primary; border-title-color: $primary; border-title-style: bold; }
    """

    def style(self, variable: str) -> str:
        """A theme's colour as Rich takes it."""
        return rich_colour(self.colour(variable))


def rich_colour(colour: tuple[int, int, int] | int) -> str:
    """A plot's colour as Rich takes it."""
    return f"color({colour})" if isinstance(colour, int) else "rgb({},{},{})".format(*colour)
