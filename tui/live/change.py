"""The prompt for changes of a running search: a line to type in, and below it what that means now."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from engine.errors import FoldwatchError
from engine.search.change_words import EXAMPLES, Change, read_change
from engine.search.changes import in_full, step_of
from tui.parts.pane import style_of
from tui.parts.safe_text import safe_content, safe_text
from tui.parts.still_input import StillInput
from tui.spec_text.completion import change_completed

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from engine.session.state import SearchState
    from tui.live.model import LiveModel

_PREVIEW_SECONDS = 0.08  # of a large grid it takes a moment: not for every letter of a word


def change_in_words(change: Change, live: LiveModel) -> str:
    """What a change would do now. Raises FoldwatchError where it cannot be made."""
    return in_full(step_of(change.request, live.session.spec, live.state), live.state)


class _ChangeSuggester(Suggester):
    def __init__(self, state: Callable[[], SearchState]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._state = state

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its last word completed."""
        return change_completed(value, self._state())


class ChangeScreen(ModalScreen[Change | None]):
    """Returns a change that can be made, None for escape. `command` gives the equivalent command."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", show=False),
        Binding("tab", "complete", "Complete the word", show=False, priority=True),
    ]

    def __init__(self, live: LiveModel, selected: int | None, command: Callable[[Change], str]) -> None:
        super().__init__()
        self._live = live
        self._selected = selected
        self._command = command
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """The line, what it means, the command, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = safe_content(f"Change {self._live.session.id}")
            yield StillInput(
                placeholder=EXAMPLES["add"], id="change", suggester=_ChangeSuggester(lambda: self._live.state)
            )
            yield Static(id="summary")
            yield Static(id="command")
            yield Static(
                Text.assemble(
                    *((" tab ", "bold reverse"), " complete   ", (" enter ", "bold reverse"), " request it   "),
                    *((" escape ", "bold reverse"), " cancel"),
                )
            )

    def on_mount(self) -> None:
        """Say what can be typed."""
        self._preview()

    @on(Input.Changed)
    def _when_typed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PREVIEW_SECONDS, self._preview)

    @on(Input.Submitted)
    def _when_entered(self) -> None:
        change = self._preview()
        if change is not None:
            self.dismiss(change)

    def _preview(self) -> Change | None:
        """Show what the line means; the change, if it means something."""
        text = self.query_one("#change", Input).value
        preview, command = self.query_one("#summary", Static), self.query_one("#command", Static)
        command.update("")
        if not text.strip():
            selected = "" if self._selected is None else f"\nfirst and clone without a number: #{self._selected}"
            preview.update(safe_text(f"{' · '.join(EXAMPLES.values())}{selected}", "dim", lines=True))
            return None
        try:
            change = read_change(text, self._selected)
            preview.update(safe_text(f"✓ {change_in_words(change, self._live)}"))
        except FoldwatchError as error:
            preview.update(safe_text(f"✗ {error}", style_of(self.app, "error")))
            return None
        command.update(safe_text(f"$ {self._command(change)}", "dim"))
        return change

    def action_complete(self) -> None:
        """Take the suggestion over."""
        box = self.query_one("#change", Input)
        box.action_end()
        box.action_cursor_right()

    def action_leave(self) -> None:
        """Nothing is changed."""
        self.dismiss(None)
