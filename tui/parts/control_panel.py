"""The two lines below a live view: the keys that mean something now, and the equivalent command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widget import Widget

from tui.parts.pane import style_of
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import RenderResult
    from textual.timer import Timer


_MESSAGE_SECONDS = 30.0  # an old message is no news, and may be true no longer


class ControlPanel(Widget):
    """Keys can be clicked. The line above them has the last request, its outcome, and its command."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._keys: list[tuple[str, str, str]] = []
        self.message = ""
        self.command = ""
        self._is_problem = False
        self._forgetting: Timer | None = None
        self._places: list[tuple[int, int, str]] = []

    def show_keys(self, keys: Sequence[tuple[str, str, str]]) -> None:
        """(key, word, action) in order; those that do not fit are left out at the end, never the last one."""
        if list(keys) != self._keys:
            self._keys = list(keys)
            self.refresh()

    def say(self, text: str, command: str = "", *, problem: bool = False) -> None:
        """Show an outcome or a problem; the command stays until another one takes its place."""
        self.message, self.command, self._is_problem = text, command or self.command, problem
        if self._forgetting is not None:
            self._forgetting.stop()
        self._forgetting = self.set_timer(_MESSAGE_SECONDS, self.forget) if text else None
        self.refresh()

    def forget(self) -> None:
        """Remove the message, which is old or true no longer; its command stays."""
        if self.message:
            self.message, self._is_problem = "", False
            self.refresh()

    def render(self) -> RenderResult:
        """Two lines."""
        width = self.size.width
        first = Text(no_wrap=True)
        if self.message:
            first.append(clean(self.message), style=self._style("error" if self._is_problem else "success"))
            first.append("   ")
        if self.command:
            first.append("$ ", style="dim").append(clean(self.command)).append("   y copies it", style="dim")
        first.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join([first, self._key_line(width)])

    def _key_line(self, width: int) -> Text:
        *keys, last = self._keys or [("q", "quit", "app.quit")]
        key_style = f"bold {self._style('warning')}"
        room = width - len(last[0]) - len(last[1]) - 1
        line = Text(no_wrap=True)
        self._places.clear()
        for key, word, action in [*keys, last]:
            is_last = action == last[2]
            if not is_last and line.cell_len + len(key) + len(word) + 3 > room:
                continue
            start = line.cell_len
            line.append(key, style=key_style).append(f" {word}")
            self._places.append((start, line.cell_len, action))
            line.append("" if is_last else "  ")
        return line

    async def on_click(self, event: events.Click) -> None:
        """A key of the lower line does what it does when pressed."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y != 1:
            return
        for start, end, action in self._places:
            if start <= offset.x < end:
                await self.app.run_action(action, self.screen)

    def _style(self, variable: str) -> str:
        return style_of(self.app, variable)
