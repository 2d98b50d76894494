"""How much of a search is behind it, where a strategy decides on the way what is trained at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.session.search_status import SearchStatus
from engine.spec.resolved import epochs_of

if TYPE_CHECKING:
    from engine.session.state import SearchState
    from engine.spec.spec import SearchSpec


def share_done(state: SearchState, spec: SearchSpec) -> float:
    """Between 0 and 1: of the fits where all of them are run; else of the epochs, each weighed by its stage's rows.

    What was dropped counts as far as it was trained, what a strategy has yet to add as the spec announces it: so a
    decision moves the share forwards, never back. Only what somebody adds by hand can.
    """
    if spec.choice.name in ("grid", "random") and len(spec.stages) == 1:
        return state.fits_finished / state.fits_total if state.fits_total else 0.0
    if state.status is SearchStatus.COMPLETED:
        return 1.0
    rows = spec.stage_rows
    done, planned, whole = 0, 0, 0
    for combination in state.combinations:
        epochs, weight = epochs_of(combination.params), rows[combination.stage]
        whole += epochs
        for fit in combination.fits:
            behind = epochs if fit.status.is_finished else fit.epochs_behind
            done += weight * behind
            planned += weight * (behind if combination.dropped else epochs)
    for training in state.trainings.values():
        for served in training.fits:
            combination = state.combinations[served.combination]
            fit = combination.fits[training.fold]
            if not fit.status.is_finished:
                more = min(training.epoch, served.epochs) - fit.epochs_behind
                done += rows[combination.stage] * max(0, more)
    if not state.combinations:
        return 0.0
    mean = whole / len(state.combinations)
    to_come = sum(count * rows[stage] for stage, count in _to_come(state, spec)) * state.splits * mean
    return min(1.0, done / max(1.0, planned + to_come))


def _to_come(state: SearchState, spec: SearchSpec) -> list[tuple[int, int]]:
    """Combinations that the strategy will add, as (stage, how many)."""
    newest = max(combination.stage for combination in state.combinations)
    if len(spec.stages) == 1:
        return [(0, state.combinations_to_come)]
    count, reaching = sum(combination.stage == newest for combination in state.combinations), list[tuple[int, int]]()
    for number in range(newest + 1, len(spec.stages)):
        count = min(count, spec.stages[number - 1].keep or count)
        reaching.append((number, count))
    return reaching
