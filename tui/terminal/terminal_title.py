"""The name of the terminal's window: what is watched and how far it is; the name it had comes back at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

_KEEP = "\x1b[22;2t"
_GIVE_BACK = "\x1b[23;2t"
_LONGEST = 120


class TerminalTitle:
    """`write` takes escape sequences; those that a terminal does not know it leaves out."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._shown = ""
        self._is_ours = True
        write(_KEEP)

    def show(self, text: str) -> None:
        """Name the window; the text may come from outside."""
        if self._is_ours and text != self._shown:
            self._shown = text
            self._write(f"\x1b]2;{clean(text, longest=_LONGEST)}\x07")

    def give_back(self) -> None:
        """The name from before; nothing is shown after that."""
        if self._is_ours:
            self._is_ours = False
            self._write(_GIVE_BACK)
