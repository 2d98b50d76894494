"""The two lines above a live view: what is searched, how far it is, how long it takes, what is best so far."""

from __future__ import annotations

from rich.text import Text

from tui.live.drawn import HeaderFacts
from tui.parts import numbers
from tui.parts.drawing import Drawing
from tui.parts.pane import style_of
from tui.parts.safe_text import clean

_STATE_COLOURS = {
    "running": "success",
    "paused": "warning",
    "saving": "warning",
    "pausing": "warning",
    "stopping": "warning",
    "completed": "primary",
    "stopped": "warning",
    "stalled": "error",
    "failed": "error",
    "crashed": "error",
    "damaged": "error",
    "interrupted": "error",
}


class SearchHeader(Drawing):
    """Redrawn only when its facts differ."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.facts = HeaderFacts()

    def show(self, facts: HeaderFacts) -> None:
        """Say something new."""
        if facts != self.facts:
            self.facts = facts
            self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """Both lines."""
        facts = self.facts
        right = Text(no_wrap=True)
        if facts.marks:
            right.append(f"{facts.marks}  ", style="dim")
        right.append(
            f"{facts.state.upper()}", style=f"bold {self._style(_STATE_COLOURS.get(facts.state, 'foreground'))}"
        )
        right.append(f"  {facts.fits_finished}/{facts.fits_total} ")
        done, rest = numbers.bar(facts.share, max(8, min(40, width // 5)))
        right.append(done, style=self._style("success")).append(rest, style="dim")
        right.append(f" {facts.share:4.0%}")
        if facts.fits_failed:
            right.append(f"  {facts.fits_failed} failed", style=self._style("error"))
        left = Text(no_wrap=True)
        left.append(f"{clean(facts.name, longest=64)}", style="bold").append(f"  {clean(facts.about)}", style="dim")
        first = _both_ends(left, right, width)

        time = Text(f"{numbers.in_words(facts.elapsed)} elapsed", no_wrap=True)
        if facts.remaining is not None:
            time.append(f", {numbers.interval(*facts.remaining)} left")
        if facts.deadline:
            time.append(f", by {facts.deadline}", style=self._style("warning") if facts.is_late else "")
        best = Text(no_wrap=True)
        if facts.refit:
            best.append(clean(facts.refit), style=self._style("warning"))
        elif facts.best:
            best.append("★ ", style=self._style("warning")).append(clean(facts.best))
        else:
            best.append("no combination is complete yet", style="dim")
        return Text("\n", no_wrap=True).join([first, _both_ends(best, time, width)])

    def _style(self, variable: str) -> str:
        return style_of(self.app, variable)


def _both_ends(left: Text, right: Text, width: int) -> Text:
    """One text at each end of a line; the left one gives way."""
    room = width - right.cell_len - 2
    if left.cell_len > room:
        left.truncate(max(0, room), overflow="ellipsis")
    line = left.copy()
    line.append(" " * max(1, width - left.cell_len - right.cell_len)).append_text(right)
    line.truncate(width)
    return line
