"""What a running search shows on standard error: one live line on a terminal, a line an event elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING, TextIO

from engine.analysis.forecast.remaining import remaining_seconds
from engine.formatting.characters import fitting
from engine.formatting.safe_text import clean
from engine.formatting.times import in_words, moment_in_words
from engine.session import events
from engine.session.narration import describe
from engine.system.standard_streams import is_dumb_terminal

if TYPE_CHECKING:
    from engine.session.state import SearchState

_REDRAW_SECONDS = 0.25


class Console:
    """Narrates a search. A terminal that is gone is no reason to stop it: what cannot be written is not written."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and not is_dumb_terminal()
        self._drawn_at = 0.0
        self._line = ""

    def say(self, text: str) -> None:
        """A line of text."""
        self._erase()
        line = clean(text)
        # A terminal breaks lines inside words; what holds a command is left to it, so that it can be copied.
        if self._live and "foldwatch " not in line:
            line = textwrap.fill(line, shutil.get_terminal_size().columns, break_on_hyphens=False)
        self._write(f"{line}\n")

    def tell(self, event: events.Event, state: SearchState) -> None:
        """An event, where it is worth a line: all of them in a log, what went wrong or is new on a terminal."""
        if self._live and isinstance(event, events.FitScored) and not event.diverged:
            return
        words = describe(event, state)
        if words is not None:
            stamp = "" if self._live else time.strftime("%H:%M:%S  ", time.localtime(event.time))
            self.say(f"{stamp}{words}")

    def draw(self, state: SearchState) -> None:
        """The live line, a few times a second at the most; nothing where there is no terminal."""
        now = time.monotonic()
        if not self._live or now - self._drawn_at < _REDRAW_SECONDS or state.started is None:
            return
        self._drawn_at = now
        self._erase()
        self._line = progress_line(state, time.time())
        self._write(self._line)

    def finish(self) -> None:
        """Take the live line away."""
        self._erase()

    def _erase(self) -> None:
        if self._line:
            self._write("\r\x1b[K")
            self._line = ""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(fitting(text, self._stream))
            self._stream.flush()
        except (OSError, ValueError):
            self._live = False


def progress_line(state: SearchState, now: float) -> str:
    """Fits done of all, best so far, elapsed and remaining, in under 80 columns."""
    if state.refit is not None and state.refit.is_unfinished:
        return state.refit.in_words
    total = state.fits_total
    best = state.best
    parts = [
        f"{state.status}" if state.status.value in ("paused", "stopping") else "",
        f"{state.fits_finished}/{total} fits, {state.fits_finished / total:.0%}" if total else "no fits yet",
        f"best {best.mean(state.scoring[0])[0]:.4f}" if best else "",
        f"{state.fits_failed} failed" if state.fits_failed else "",
        in_words(state.elapsed(now)),
        _left(remaining_seconds(state, now)),
        f"by {moment_in_words(state.deadline)}" if state.deadline else "",
    ]
    return "  ".join(part for part in parts if part)


def _left(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    least, most = (in_words(seconds) for seconds in interval)
    return f"{least} to {most} left" if least != most else f"{most} left"
