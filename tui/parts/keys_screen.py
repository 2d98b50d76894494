"""The help screen: keys by purpose, searched while you type."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.parts.safe_text import safe_content
from tui.parts.still_input import StillInput

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.parts.keys import Key


class KeysScreen(ModalScreen[None]):
    """Shows a table of keys; a word typed leaves those that have it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
        Binding("down", "scroll(1)", "Down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", show=False),
        Binding("pagedown", "scroll(10)", "Page down", show=False),
    ]

    def __init__(self, keys: dict[str, list[Key]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """A field to type in, and the keys."""
        with Vertical(classes="dialog reading") as box:
            box.border_title = safe_content("keys")
            box.border_subtitle = safe_content("type to search · escape goes back")
            yield StillInput(placeholder="search", id="search", compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(self._found(""), id="found")

    @on(Input.Changed)
    def _when_typed(self, event: Input.Changed) -> None:
        self.query_one("#found", Static).update(self._found(event.value))

    def _found(self, wanted: str) -> Text:
        words = wanted.lower().split()
        text = Text()
        for purpose, keys in self._keys.items():
            matching = [
                key
                for key in keys
                if all(word in f"{purpose} {key.keys} {key.what} {key.command}".lower() for word in words)
            ]
            if not matching:
                continue
            text.append(f"{purpose}\n", style="bold underline")
            for key in matching:
                text.append(f"  {key.keys:<12} ", style="bold").append(f"{key.what}\n")
                if key.command:
                    text.append(f"{'':15}$ {key.command}\n", style="dim")
            text.append("\n")
        return text if text.plain else Text("no key matches; try ctrl+p", style="dim")

    def action_scroll(self, step: int) -> None:
        """By lines, while the field keeps the focus."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)
