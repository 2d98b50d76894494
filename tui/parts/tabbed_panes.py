"""The panes of a screen: the way between them, and tabs that name them where there is room for only one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Static

from tui.parts.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from textual.screen import Screen
    from textual.widget import Widget


class TabbedPanes:
    """`titles`: what the tabs call each pane, by its id; `reachable`: the ids of those that have a place now.

    The screen has a line `#tabs` and columns of the class `column`; its style sheet shows a pane alone by `-shown`.
    """

    def __init__(
        self, screen: Screen[Any], titles: Mapping[str, str], reachable: Callable[[], list[str]], gap: str = ""
    ) -> None:
        self.shown = ""
        self._screen = screen
        self._titles = titles
        self._reachable = reachable
        self._gap = gap
        for name in titles:
            screen.query_one(f"#{name}").add_class("pane")

    def show(self, name: str) -> None:
        """In the narrow layout this pane is shown alone; in the others it only has the mark in the tabs."""
        self.shown = name
        for other in self._titles:
            self._screen.query_one(f"#{other}").set_class(other == name, "-shown")
        for column in self._screen.query(".column"):
            column.set_class(self._screen.query_one(f"#{name}") in column.children, "-shown")
        tabs = safe_text(" ")
        for other, title in self._titles.items():
            tabs.append(f" {title} ", style="reverse bold" if other == name else "dim").append(self._gap)
        self._screen.query_one("#tabs", Static).update(tabs)

    def go(self, step: int) -> None:
        """Focus the pane so many places after the one that has the focus."""
        names, focused = self._reachable(), self._screen.focused
        here = focused.id if focused is not None and focused.id in names else self.shown
        name = names[((names.index(here) if here in names else 0) + step) % len(names)]
        self.show(name)
        self._screen.query_one(f"#{name}").focus()

    def note_focus(self, widget: Widget) -> None:
        """A click into a pane shows it too."""
        if widget.id is not None and widget.id in self._titles and widget.id != self.shown:
            self.show(widget.id)
