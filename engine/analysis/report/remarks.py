"""What whoever reads a result should know before believing it, in whole sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.analysis.trends.levels import is_number
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from engine.analysis.trends.complete import CompleteCombinations
    from engine.session.state import SearchState

_FEWEST_VALUES = 3  # of two values one is always at the end


def remarks_on(
    state: SearchState, status: str, complete: CompleteCombinations, counts: dict[str, int], near: int | None
) -> list[str]:
    """Remarks on a search; `near`: combinations within one standard error of the best one, itself included.

    None where the resampled rows say more: which are tied, and how much the best score flatters.
    """
    remarks = []
    if state.started is not None and state.started.synthetic:
        remarks.append("The data are synthetic: scores on them say nothing about any real text.")
    if damages := state.damages:
        remarks.append(
            f"The record is damaged in {len(damages)} place{'s' if len(damages) > 1 else ''}, so scores may be missing "
            f"here; the first: {damages[0]}."
        )
    total = len(state.combinations)
    if status != "completed":
        remarks.append(f"The search is {status}: {len(complete)} of {total} combinations are complete so far.")
    left_out = [f"{count} {name}" for name, count in counts.items() if name in ("failed", "diverged", "dropped")]
    if left_out:
        remarks.append(f"Left out, because they lack scores: {', '.join(left_out)}.")
    if near is not None and near > 1:
        remarks.append(
            f"{near - 1} other combination{'s are' if near > 2 else ' is'} within one standard error of the best one, "
            "by the paired differences over these folds."
        )
    if near is not None and len(complete) > 1:
        remarks.append(
            f"The best mean is the highest of {len(complete)} on the same folds, so it flatters: expect a little less "
            "on new data."
        )
    return remarks + _at_the_edge(state, complete)


def _at_the_edge(state: SearchState, complete: CompleteCombinations) -> list[str]:
    """Numbers of the best combination beyond which nothing was searched."""
    best = state.best
    if best is None:
        return []
    remarks = []
    for name, column in complete.values.items():
        numbers = sorted({value for value in column if is_number(value)})
        value = best.params.get(name)
        if len(numbers) < _FEWEST_VALUES or value not in (numbers[0], numbers[-1]):
            continue
        which, beyond = ("highest", "above") if value == numbers[-1] else ("lowest", "below")
        remarks.append(
            f"The best combination has the {which} {name} searched, {show_value(value)}: better ones may lie {beyond}."
        )
    return remarks
