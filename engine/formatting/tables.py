"""Plain-text tables for a terminal of any width: nothing is cut off, rows fold where columns do not fit."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.analysis.forecast.remaining import in_words
from engine.formatting.safe_text import clean
from engine.session.narration import show_value
from engine.spec.catalogue import DEFAULT

if TYPE_CHECKING:
    from engine.session.session import SessionSummary
    from engine.session.state import CombinationState, SearchState

_ABSENT = object()  # of a parameter that a combination does not name
_SHORT = {
    "batch_size": "batch",
    "hidden_layers": "layers",
    "hidden_units": "units",
    "learning_rate": "rate",
    "initial_learning_rate": "initial",
}


def short_name(parameter: str) -> str:
    """A parameter's name for the head of a column."""
    last = parameter.rpartition("__")[2]
    return _SHORT.get(last, last)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, right: Sequence[bool]) -> str:
    """Aligned columns under a head; `right` says which are aligned to the right.

    Where the columns do not fit, the last ones go to a line of their own below each row, as `name value`.
    """
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    fitting = len(head)
    while fitting > 1 and _total(widths[:fitting]) > width:
        fitting -= 1
    lines = []
    for number, row in enumerate(cells):
        aligned = (row[i].rjust(widths[i]) if right[i] else row[i].ljust(widths[i]) for i in range(fitting))
        lines.append("  ".join(aligned).rstrip())
        rest = [f"{head[i]} {row[i]}" for i in range(fitting, len(head)) if row[i]]
        if number and rest:
            lines += _folded(rest, width)
    return "\n".join(lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _folded(pieces: Sequence[str], width: int) -> list[str]:
    indent = 5 * " "
    lines, line = [], indent
    # A path is one long word: it is broken rather than left to the terminal.
    for piece in (part for whole in pieces for part in textwrap.wrap(whole, max(20, width - len(indent)))):
        if len(line) + 2 + len(piece) > width and line.strip():
            lines.append(line)
            line = indent
        line += f"  {piece}" if line.strip() else piece
    return [*lines, line]


def varying(combinations: Sequence[CombinationState]) -> list[str]:
    """The parameters that not all combinations have in common, in order of their names.

    An argument that is the same wherever its optimizer or schedule is chosen tells nothing that its head does not.
    """
    everywhere = [combination.params for combination in combinations]
    return [name for name in sorted({name for params in everywhere for name in params}) if _varies(name, everywhere)]


def _varies(name: str, everywhere: Sequence[Mapping[str, Any]]) -> bool:
    head, _, argument = name.partition("__")
    if argument:
        chosen = {params.get(head) for params in everywhere if name in params}
        everywhere = [params for params in everywhere if params.get(head) in chosen]
    first = everywhere[0].get(name, _ABSENT)
    return any(params.get(name, _ABSENT) != first for params in everywhere)


def results_table(state: SearchState, width: int, most: int | None = None) -> str:
    """Combinations, the best first, then those without a rank; at most `most`; folds where there is room for all.

    What is not complete has its status in place of a mean. Every metric has its mean and deviation: behind the first
    one's where all columns have room, else at the end, which folds first.
    """
    metric = state.scoring[0] if state.scoring else ""
    ranked = state.ranked()
    placed = {combination.index for _, combination in ranked}
    ordered: list[tuple[int | None, CombinationState]] = [
        *ranked,
        *((None, combination) for combination in state.combinations if combination.index not in placed),
    ]
    names = varying(state.combinations)
    shown = ordered[:most]
    head = ["rank", "#", clean(metric), "seconds", *(clean(short_name(name)) for name in names)]
    rows = [_row(rank, combination, names, metric) for rank, combination in shown]
    if any(combination.stage for combination in state.combinations):
        head.insert(2, "stage")
        rows = [
            [*row[:2], str(combination.stage + 1), *row[2:]] for row, (_, combination) in zip(rows, shown, strict=True)
        ]
    if any(stopped_at for combination in state.combinations for stopped_at in combination.stopped_at):
        head.append("stopped at")
        rows = [
            [*row, " ".join(str(stopped_at or "·") for stopped_at in combination.stopped_at)]
            for row, (_, combination) in zip(rows, shown, strict=True)
        ]
    means = [[mean_in_words(combination, further) for further in state.scoring[1:]] for _, combination in shown]
    further = [clean(name) for name in state.scoring[1:]]
    at = head.index("seconds")
    wide_head = [*head[:at], *further, *head[at:]]
    wide_rows = [[*row[:at], *more, *row[at:]] for row, more in zip(rows, means, strict=True)]
    if _fits(wide_head, wide_rows, width):
        head, rows = wide_head, wide_rows
    else:
        head, rows = [*head, *further], [[*row, *more] for row, more in zip(rows, means, strict=True)]
    folds = [f"fold {split}" for split in range(state.splits)]
    scores = [
        ["" if score is None else f"{score:.4f}" for score in combination.scores[metric]] for _, combination in shown
    ]
    head, rows = with_room(head, rows, folds, scores, width)
    text = table(head, rows, width, right=[True] * len(head))
    left = len(ordered) - len(shown)
    return f"{text}\n{'':4}  and {left} more" if left > 0 else text


def with_room(
    head: list[str], rows: list[list[str]], more_head: Sequence[str], more_rows: Sequence[Sequence[str]], width: int
) -> tuple[list[str], list[list[str]]]:
    """A table with more columns behind its own, if there is room for all of them; else as it was."""
    wider, longer = [*head, *more_head], [[*row, *more] for row, more in zip(rows, more_rows, strict=True)]
    return (wider, longer) if _fits(wider, longer, width) else (head, rows)


def _fits(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    return _total([max(map(len, column)) for column in zip(head, *rows, strict=True)]) <= width


def mean_in_words(combination: CombinationState, metric: str) -> str:
    """`0.8045 ± 0.0032`; nothing while the combination is not complete; "undefined" where a fold cannot define it."""
    mean, deviation = combination.mean(metric)
    if math.isnan(mean):
        return "undefined" if combination.is_complete else ""
    return f"{mean:.4f} ± {deviation:.4f}"


def _row(rank: int | None, combination: CombinationState, names: Sequence[str], metric: str) -> list[str]:
    return [
        str(rank or ""),
        str(combination.index),
        # A combination without a mean says instead why it has none: a column of its own would say "complete" mostly.
        mean_in_words(combination, metric) or str(combination.status),
        f"{combination.total_seconds:.1f}",
        *(clean(shown_parameter(name, combination.params)) for name in names),
    ]


def shown_parameter(name: str, params: Mapping[str, Any]) -> str:
    """A value as results show it; nothing for the argument of an optimizer or a schedule that is another one."""
    if name in params:
        return show_value(params[name])
    return "" if "__" in name else DEFAULT


def sessions_table(summaries: Sequence[SessionSummary], width: int) -> str:
    """Sessions as they come, those that cannot be read with what is wrong with them."""
    head = ["session", "state", "fits", "best", "data", "started", "took", "failed"]
    right = [False, False, True, True, False, False, True, True]
    rows = []
    for one in summaries:
        if one.problem:
            rows.append([one.id, "unreadable", "", "", "", "", "", clean(one.problem)])
            continue
        rows.append(
            [
                one.id,
                one.status,
                f"{one.fits_finished}/{one.fits_total}" if one.fits_total else "",
                "" if one.best_score is None else f"{one.best_score:.4f}",
                clean(one.dataset),
                time.strftime("%m-%d %H:%M", time.localtime(one.created)),
                in_words(one.seconds),
                str(one.fits_failed or ""),
            ]
        )
    if any(one.owner for one in summaries):
        head, right = [*head, "owner"], [*right, False]
        rows = [[*row, clean(one.owner)] for row, one in zip(rows, summaries, strict=True)]
    return table(head, rows, width, right=right)


def facts(pairs: Sequence[tuple[str, Any]]) -> str:
    """Names and values, aligned; pairs without a value are left out."""
    present = [(clean(name), str(value)) for name, value in pairs if value not in (None, "")]
    widest = max((len(name) for name, _ in present), default=0)
    return "\n".join(f"{name:<{widest}}  {clean(value)}" for name, value in present)
