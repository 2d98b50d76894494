"""Small questions over a screen: a choice by key, a line with the command it means, a text to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.parts.pane import style_of
from tui.parts.safe_text import safe_content, safe_text
from tui.parts.still_input import StillInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType


def whole_path(typed: str) -> Path:
    """The path that somebody means; one of a user who does not exist stays as it was typed."""
    try:
        return Path(typed).expanduser().absolute()
    except RuntimeError:
        return Path(typed).absolute()


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its key, a word, and what follows from it."""

    key: str
    word: str
    consequence: str


class ChoiceScreen(ModalScreen[str | None]):
    """Returns the key of the answer, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "answer('')", "Cancel", show=False)]

    def __init__(self, question: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._question = question
        self._choices = list(choices)

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(classes="dialog") as box:
            box.border_title = safe_content(self._question)
            for choice in self._choices:
                line = Text.assemble(
                    (f" {choice.key} ", "bold reverse"), f"  {choice.word}\n", (f"     {choice.consequence}", "dim")
                )
                yield Static(line, classes="choice")
            yield Static(Text.assemble((" escape ", "bold reverse"), "  cancel"), classes="choice")

    def on_key(self, event: events.Key) -> None:
        """A choice's own key answers."""
        if any(choice.key == event.character for choice in self._choices):
            event.stop()
            self.dismiss(event.character)

    def on_click(self, event: events.Click) -> None:
        """So does a click on its line."""
        for choice, static in zip(self._choices, self.query(".choice"), strict=False):
            if event.widget is static:
                self.dismiss(choice.key)

    def action_answer(self, key: str) -> None:
        """Nothing was chosen."""
        self.dismiss(key or None)


class PathScreen(ModalScreen[str | None]):
    """Asks for a path, or another line; shows the command that does the same. Returns None for escape.

    `refused` says why a line cannot be taken, nothing if it can: then the question stays, with what was typed.
    `warned` says what it would undo: that is taken when it is entered twice.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel", show=False)]

    def __init__(
        self,
        question: str,
        suggested: str,
        command: Callable[[str], str],
        refused: Callable[[str], str] = lambda line: "",
        warned: Callable[[str], str] = lambda line: "",
    ) -> None:
        super().__init__()
        self._warned, self._warned_of = warned, ""
        self._question = question
        self._suggested = suggested
        self._command = command
        self._refused = refused

    def compose(self) -> ComposeResult:
        """A field, why it was refused, and the command."""
        with Vertical(classes="dialog") as box:
            box.border_title = safe_content(self._question)
            yield StillInput(self._suggested, id="path")
            yield Static(id="refusal")
            yield Static(safe_text(f"$ {self._command(self._suggested)}", "dim"), id="command")
            yield Static(
                Text.assemble((" enter ", "bold reverse"), " continue   ", (" escape ", "bold reverse"), " cancel")
            )

    @on(Input.Changed)
    def _when_typed(self, event: Input.Changed) -> None:
        self.query_one("#command", Static).update(safe_text(f"$ {self._command(event.value)}", "dim"))
        self._say("")

    @on(Input.Submitted)
    def _when_entered(self, event: Input.Submitted) -> None:
        line = event.value.strip()
        why = self._refused(line) if line else ""
        if why:
            self._say(f"✗ {why}")
        elif line and line != self._warned_of and (warning := self._warned(line)):
            self._warned_of = line
            self._say(f"▲ {warning}; press enter again to continue")
        else:
            self.dismiss(line or None)

    def _say(self, why: str) -> None:
        refusal = self.query_one("#refusal", Static)
        refusal.display = bool(why)
        refusal.update(safe_text(why, style_of(self.app, "error"), lines=True))

    def action_leave(self) -> None:
        """Nothing was chosen."""
        self.dismiss(None)


class TextScreen(ModalScreen[None]):
    """A text to read, such as a traceback."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", "Back", show=False),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, title: str, text: str, leave: str = "escape goes back") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._leave = leave

    def compose(self) -> ComposeResult:
        """The text in a box that scrolls."""
        with VerticalScroll(classes="dialog reading") as box:
            box.border_title = safe_content(self._title)
            box.border_subtitle = safe_content(self._leave)
            yield Static(safe_text(self._text, lines=True))

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, step: int) -> None:
        """By lines."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)
