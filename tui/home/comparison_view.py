"""Two sessions side by side: facts of both where they differ, then every combination that both have finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tui.home.comparison import ordered
from tui.home.session_columns import shortened, state_of, took
from tui.parts import numbers
from tui.parts.boxed_pane import BoxedPane
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from tui.home.comparison import Comparison, Shared, Side

_LABEL = 17
_BAR_FROM = 100  # columns; on less the combination's name needs the room

_MOST_OF_SCREEN = 60  # percent of its height


class SidesPane(BoxedPane, can_focus=False):
    """What was asked of either session, what came of it, and its note; what differs is strong."""

    DEFAULT_CSS = f"SidesPane {{ height: auto; max-height: {_MOST_OF_SCREEN}%; }}"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._comparison: Comparison | None = None

    def show(self, comparison: Comparison) -> None:
        """Both sides."""
        self._comparison = comparison
        first, second = comparison.sides
        self.entitle(f"{first.id}  and  {second.id}")
        self.fit()
        self.changed()

    def fit(self) -> None:
        """As high as what it says at this size of the screen."""
        if self._comparison is not None:
            rows, caveats = self._rows(), len(self._comparison.caveats)
            most = self.screen.size.height * _MOST_OF_SCREEN // 100 - 2 - caveats
            shown = len(rows) if len(rows) <= most else len(_differing(rows))
            self.styles.height = shown + caveats + 2

    def _rows(self) -> list[tuple[str, str, str]]:
        assert self._comparison is not None
        first, second = self._comparison.sides
        rows = [("", first.id, second.id)]
        rows += [("state", _state(first), _state(second)), ("best", first.best or "none", second.best or "none")]
        if first.best_values or second.best_values:
            rows.append(("its values", first.best_values, second.best_values))
        rows.append(("took", took(first.summary.seconds), took(second.summary.seconds)))
        rows += [(name, one, two) for (name, one), (_, two) in zip(first.facts, second.facts, strict=True)]
        rows.append(("combinations", _count(first), _count(second)))
        rows += [(name, one, two) for (name, one), (_, two) in zip(first.values, second.values, strict=True)]
        rows.append(("note", first.note.strip() or "no note", second.note.strip() or "no note"))
        return rows

    def draw_content(self, width: int, height: int) -> Text:
        """Two columns; caveats below."""
        if self._comparison is None:
            return Text("reading both …", style="dim")
        column = max(8, (width - _LABEL - 2) // 2)  # two spaces between the sides
        rows = self._rows()
        if len(rows) + len(self._comparison.caveats) > height:
            # Where not all fits, what is the same on both sides is worth least.
            rows = _differing(rows)
        lines = []
        for label, one, two in rows:
            line = Text(shortened(label, _LABEL - 1).ljust(_LABEL), style="dim", end="")
            differs = one != two
            for number, text in enumerate((one, two)):
                cell = Text(
                    clean(text), style=_cell_style(label, differs=differs, accent=self.style("primary")), end=""
                )
                cell.truncate(column, overflow="ellipsis", pad=True)
                line = Text.assemble(line, "  " if number else "", cell)
            lines.append(line)
        caveats = [Text(f"▲ {caveat}", style=self.style("warning")) for caveat in self._comparison.caveats]
        lines = [*lines[: max(0, height - len(caveats))], *caveats]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True, end="").join(lines[:height])


def _differing(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [row for row in rows if row[1] != row[2]]


def _cell_style(label: str, *, differs: bool, accent: str) -> str:
    if not label:
        return f"bold {accent}"
    return "bold" if differs else "dim"


def _state(side: Side) -> str:
    sign, word, _ = state_of(side.summary)
    return f"{sign} {word}  {side.summary.fits_finished}/{side.summary.fits_total} fits"


def _count(side: Side) -> str:
    return f"{side.combinations:,}, {side.only_here:,} only here"


class SharedPane(BoxedPane):
    """A line a shared combination: mean of either, difference as a number and as a bar, parameters."""

    DEFAULT_CSS = "SharedPane { height: 1fr; min-height: 5; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._comparison: Comparison | None = None
        self.by_difference = True
        self._rows: list[Shared] = []
        self._top = 0

    def show(self, comparison: Comparison) -> None:
        """Both sides."""
        self._comparison = comparison
        self._sort()

    def turn(self) -> None:
        """The other order."""
        self.by_difference = not self.by_difference
        self._top = 0
        self._sort()

    def _sort(self) -> None:
        assert self._comparison is not None
        self._rows = ordered(self._comparison.shared, by_difference=self.by_difference)
        unfinished = f" · {self._comparison.unfinished} shared but not finished" if self._comparison.unfinished else ""
        order = f"{'largest difference' if self.by_difference else 'best'} first · faint: within one deviation"
        metric = f" · {self._comparison.metric}" if self._comparison.metric else ""
        self.entitle(f"{len(self._rows)} combinations in both{metric}{unfinished}", order)
        self.changed()

    def scroll_lines(self, step: int) -> None:
        """Up or down by lines."""
        most = max(0, len(self._rows) - max(1, self.size.height - 1))
        self._top = max(0, min(self._top + step, most))
        self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """A heading and as many lines as fit."""
        comparison = self._comparison
        if comparison is None:
            return Text()
        if not self._rows:
            return Text("no combination is finished in both", style="dim")
        wide = 17
        names = [shortened(side.id, wide) for side in comparison.sides]
        with_bar = width >= _BAR_FROM
        bar_heading = f"{'':13}  " if with_bar else ""
        heading = f"{names[0]:>{wide}}  {names[1]:>{wide}}  {'difference':>10}  {bar_heading}combination"
        lines = [Text(heading, style="bold")]
        largest = max(abs(row.difference) for row in self._rows) or 1.0
        for row in self._rows[self._top : self._top + height - 1]:
            better = row.difference > 0
            colour = self.style("success" if better else "error") if row.difference else "dim"
            within = abs(row.difference) <= max(row.first[1], row.second[1])
            line = Text.assemble(
                f"{numbers.with_deviation(*row.first):>{wide}}  {numbers.with_deviation(*row.second):>{wide}}  ",
                (f"{row.difference:+10.4f}", f"{colour}{'' if within else ' bold'}"),
                "  ",
                (f"{_bar(row.difference / largest)}  " if with_bar else "", colour),
                (clean(row.params), "dim" if within else ""),
            )
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return Text("\n", no_wrap=True, end="").join(lines)


def _bar(share: float) -> str:
    """A bar to the left of the middle for a loss, to the right for a gain; 13 wide."""
    length = round(abs(share) * 6)
    bar = "━" * length
    return f"{bar:>6}│{'':6}" if share < 0 else f"{'':6}│{bar:<6}"
