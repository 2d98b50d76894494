"""The tables that commands print: the results of a search, and the list of sessions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.analysis.varying import short_name, shown_parameter, varying
from engine.formatting.safe_text import clean
from engine.formatting.tables import fits_into, table, with_room
from engine.formatting.times import in_words
from engine.session.combination import mean_in_words

if TYPE_CHECKING:
    from engine.session.combination import CombinationState
    from engine.session.listing import SessionSummary
    from engine.session.state import SearchState


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
    if fits_into(wide_head, wide_rows, width):
        head, rows = wide_head, wide_rows
    else:
        head, rows = [*head, *further], [[*row, *more] for row, more in zip(rows, means, strict=True)]
    folds = [f"fold {split}" for split in range(state.splits)]
    scores = [
        ["" if score is None else f"{score:.4f}" for score in combination.scores_of(metric)] for _, combination in shown
    ]
    head, rows = with_room(head, rows, folds, scores, width)
    text = table(head, rows, width, right=[True] * len(head))
    left = len(ordered) - len(shown)
    return f"{text}\n{'':4}  and {left} more" if left > 0 else text


def _row(rank: int | None, combination: CombinationState, names: Sequence[str], metric: str) -> list[str]:
    return [
        str(rank or ""),
        str(combination.index),
        # A combination without a mean says instead why it has none: a column of its own would say "complete" mostly.
        mean_in_words(combination, metric) or str(combination.status),
        f"{combination.total_seconds:.1f}",
        *(clean(shown_parameter(name, combination.params)) for name in names),
    ]


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
