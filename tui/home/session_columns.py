"""The columns of the list of sessions: what each says of a session, and which of them fit into a width."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from tui.parts import numbers
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from engine.session.listing import SessionSummary

Piece = tuple[str, str]  # text and the name of its style
STYLES = ("row", "heading", "cursor", "cursor-away", "dim", "mark", "running", "done", "warning", "failed", "best")

_STATES: dict[str, tuple[str, str]] = {
    "new": ("○", "dim"),
    "running": ("●", "running"),
    "paused": ("‖", "warning"),
    "stopping": ("■", "warning"),
    "completed": ("✓", "done"),
    "stopped": ("■", "warning"),
    "interrupted": ("■", "warning"),
    "failed": ("✗", "failed"),
    "crashed": ("✗", "failed"),
    "damaged": ("✗", "failed"),
    "unreadable": ("?", "failed"),
}


@dataclass(frozen=True)
class Context:
    """What the cells need beside the session: the time, and which sessions are marked or have the best score."""

    now: float
    marked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Column:
    """A column; of those that do not fit the last by `rank` go first. `most`: how wide it may grow."""

    key: str
    heading: str
    least: int
    most: int
    rank: int
    cell: Callable[[SessionSummary, int, Context], list[Piece]]
    to_right: bool = False


def shortened(text: str, width: int) -> str:
    """Safe text in at most `width` cells, with a sign where something was cut off."""
    safe = clean(text)
    if cell_len(safe) <= width:
        return safe
    return f"{set_cell_size(safe, max(0, width - 1))}…" if width > 0 else ""


def _name(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    marked = summary.id in context.marked
    name = shortened(summary.id, width - 2)
    return [("◆ " if marked else "  ", "mark"), (name, "mark" if marked else "row")]


def _data(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    data = shortened(summary.dataset, width)
    if not summary.synthetic:
        return [(data, "row")]
    return [(data, "row"), (" synthetic" if width >= len(data) + 10 else " (syn)", "warning")]


def state_of(summary: SessionSummary) -> tuple[str, str, str]:
    """(sign, word, style) of a session's state."""
    word = "unreadable" if summary.problem else summary.status
    sign, style = _STATES.get(word, ("?", "failed"))
    return sign, word, style


def _state(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    sign, word, style = state_of(summary)
    return [(f"{sign} {clean(word)}", style)]


def _progress(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    if not summary.fits_total:
        return []
    count = f"{summary.fits_finished}/{summary.fits_total}"
    if summary.fits_failed:
        count += f" ✗{summary.fits_failed}"
    room = width - len(count) - 1
    if room < 4:
        return [(count, "row")]
    done, rest = numbers.bar(summary.fits_finished / summary.fits_total, min(room, 30))
    style = "running" if summary.alive else "done" if summary.status == "completed" else "dim"
    counted = (f" {count}", "failed" if summary.fits_failed else "row")
    return [(done, style), (rest, "dim"), counted]


def _best(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    return [(numbers.score(summary.best_score, width), "best")]


def _combinations(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    if not summary.combinations:
        return []
    return [(f"{shortened(summary.strategy, 8)} ", "dim"), (f"{summary.combinations:,}", "row")]


def when(moment: float, now: float) -> str:
    """`12:01` of today, `Tue 12:01` of the last days, else `12 Nov 2026`; in this machine's time."""
    if moment <= 0:
        return ""
    then, today = time.localtime(moment), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    if 0 < now - moment < 6 * 86_400:
        return time.strftime("%a %H:%M", then)
    return time.strftime("%d %b %Y" if then.tm_year != today.tm_year else "%d %b %H:%M", then)


def _started(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    return [(when(summary.created, context.now), "row")]


def took(seconds: float) -> str:
    """How long engines worked, as every view says it; nothing for nothing."""
    return numbers.in_words(seconds) if seconds else ""


def _took(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    return [(took(summary.seconds), "row")]


def _host(summary: SessionSummary, width: int, context: Context) -> list[Piece]:
    return [(shortened(summary.host, width), "dim")]


COLUMNS = (
    Column("name", "  name", 12, 40, 0, _name),
    Column("data", "data", 12, 17, 3, _data),
    Column("state", "state", 13, 13, 1, _state),
    Column("progress", "progress", 15, 36, 2, _progress),
    Column("best", "best", 6, 6, 4, _best, to_right=True),
    Column("combinations", "search", 10, 14, 7, _combinations, to_right=True),
    Column("started", "started", 11, 12, 5, _started, to_right=True),
    Column("took", "took", 7, 8, 6, _took, to_right=True),
    Column("host", "host", 8, 20, 8, _host),
)
_NAME_ROOM = 20  # a name takes this much before other columns are shown
_GAP = 2


def fitted(width: int, names: Sequence[str]) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths: names as wide as the longest, what is left goes to the others."""
    longest = max((len(name) for name in names), default=0) + 2
    widths: dict[str, int] = {}
    used = -_GAP
    by_rank = sorted(COLUMNS, key=lambda one: one.rank)
    for column in by_rank:
        least = max(column.least, min(longest, _NAME_ROOM)) if column.key == "name" else column.least
        if used + _GAP + least > width and widths:
            break
        used += _GAP + least
        widths[column.key] = least
    left = width - used
    for column in by_rank:
        if column.key not in widths:
            break
        most = min(column.most, longest) if column.key == "name" else column.most
        grown = max(0, min(left, most - widths[column.key]))
        widths[column.key] += grown
        left -= grown
    return [(column, widths[column.key]) for column in COLUMNS if column.key in widths]


def matches(summary: SessionSummary, wanted: str) -> bool:
    """Whether every word typed stands in what the list says of the session."""
    synthetic = "synthetic" if summary.synthetic else ""
    text = f"{summary.id} {summary.dataset} {synthetic} {state_of(summary)[1]} {summary.strategy} {summary.host}"
    return all(word in text.lower() for word in wanted.lower().split())
