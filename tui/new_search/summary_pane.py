"""What the form means, always in view: combinations x folds, trainings after sharing, time, notes, what is wrong.

The pane is as high as its text, within what the screen allows; a text that is cut all the same ends with the key
that shows it whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from engine.analysis.forecast.remaining import planned_interval
from tui.parts.boxed_pane import BoxedPane
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from tui.new_search.spec_summary import SpecSummary


_CUT = "… f10"  # the key that shows it whole
_LEAST = 5
_FRAME = 2
_WIDE = 1000


class SummaryPane(BoxedPane, can_focus=False):
    """Draws a `SpecSummary`; the last one faint while fields are wrong."""

    DEFAULT_CSS = "SummaryPane { height: 7; min-height: 5; max-height: 50%; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._summary: SpecSummary | None = None
        self._problems = 0
        self._machine = ""
        self._is_working = True
        self.entitle("what it means")

    def working(self) -> None:
        """The form changed; the new summary is on its way."""
        if not self._is_working:
            self._is_working = True
            self.entitle("what it means", "…")

    def show(self, summary: SpecSummary | None, problems: int, machine: str) -> None:
        """A new summary, or the number of fields that are wrong; `machine`: the devices in a few words."""
        self._is_working = False
        self._summary, self._problems, self._machine = summary or self._summary, problems, machine
        wrong = f"{problems} field{'s' if problems != 1 else ''} to correct" if problems else ""
        self.entitle("what it meant before the mistake" if wrong and self._summary else "what it means", wrong)
        self._fit()
        self.changed()

    @property
    def words(self) -> str:
        """All that it says, a line a thought."""
        return self._text(_WIDE).plain

    def on_resize(self) -> None:
        """Another width needs other lines."""
        self._fit()

    def _fit(self) -> None:
        if self.size.width:
            self.styles.height = max(_LEAST, len(self._lines(self.size.width))) + _FRAME

    def draw_content(self, width: int, height: int) -> Text:
        """The sum first, then time, sharing, notes."""
        lines = self._lines(width)
        if len(lines) > height:
            lines = lines[:height]
            lines[-1].truncate(max(0, width - len(_CUT)), overflow="crop")
            lines[-1].append(_CUT, style="bold")
        return Text("\n", no_wrap=True, end="").join(lines)

    def _lines(self, width: int) -> list[Text]:
        return list(self._text(width).wrap(self.app.console, width))

    def _text(self, width: int) -> Text:
        summary = self._summary
        if summary is None:
            words = "shown here once that is corrected" if self._problems else "computing what the form means …"
            return Text(words, style="dim")
        about = "" if summary.is_exact else "about "
        strong, faint = "bold", "dim"
        if self._problems:
            strong = faint = "dim"
        lines = [
            Text.assemble(
                (f"{summary.combinations:,}", strong),
                (" combinations x ", faint),
                (f"{summary.splits}", strong),
                (" folds = ", faint),
                (f"{summary.fits:,} fits", f"{strong} {self.style('primary')}" if not self._problems else strong),
                (" in ", faint),
                (f"{about}{summary.trainings:,} trainings", strong),
            ),
            Text.assemble(
                (
                    _guess(summary.seconds),
                    f"{strong} {self.style('success')}" if not self._problems else strong,
                ),
                (f" on {summary.workers} worker{'s' if summary.workers != 1 else ''}", faint),
                (f" · {self._machine}" if self._machine else "", "dim"),
            ),
        ]
        if summary.epochs < summary.unshared_epochs:
            saved = 1 - summary.epochs / summary.unshared_epochs
            lines.append(
                Text(
                    f"sharing: {summary.epochs:,} epochs instead of {summary.unshared_epochs:,}, {saved:.0%} less work",
                    style=faint,
                )
            )
        else:
            lines.append(Text(f"{summary.epochs:,} epochs", style=faint))
        text = Text("\n", no_wrap=True, end="").join(lines)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        for note in summary.notes:
            text.append(f"\n• {clean(note)}", style=self.style("warning"))
        text.no_wrap = False
        return text


def _guess(seconds: float) -> str:
    """`4 s to 17 s`: what the plan is worth before anything has run."""
    least, most = (time_in_words(bound) for bound in planned_interval(seconds))
    return f"{least} to {most}" if least != most else most


def time_in_words(seconds: float) -> str:
    """`8 s`, `4 min`, `2.5 h`, `3 days`: no finer than a guess is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"
