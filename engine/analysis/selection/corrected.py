"""The best score with what qualifies it, and the combinations that would serve as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.analysis.selection.candidates import candidates
from engine.analysis.selection.choices import CorrectedBest
from engine.analysis.selection.resampling import DRAWS, resample
from engine.analysis.selection.ties import CONFIDENCE, may_be_best
from engine.plan.cost import expected_seconds
from engine.session.combination import CombinationStatus
from engine.spec.resolved import resolved_params_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.session.session import Session
    from engine.session.state import SearchState
    from engine.spec.spec import SearchSpec


def corrected_best(session: Session, state: SearchState) -> CorrectedBest:
    """What may be believed of a search's best score, so far.

    Raises as `engine.analysis.selection.candidates.candidates`.
    """
    compared = candidates(session, state)
    best = state.best
    assert best is not None
    metric, place = state.scoring[0], compared.indices.index(best.index)
    spec = session.spec
    resampled = resample(compared.row_scores, spec.seed, best=place)
    costs = [_cost(spec, state, index) for index in compared.indices]
    of_best = resampled.scores[:, place]
    score, error = best.mean(metric)[0], float(np.std(of_best))
    # What leads after a few epochs need not lead in the end, nor what trails then trail.
    in_full = ~compared.early
    tied = np.zeros(len(costs), bool)
    tied[in_full] = may_be_best(resampled.only(in_full), looks=state.splits if compared.in_part.any() else 1)
    tied[place] = True
    complete = in_full & ~compared.in_part
    others = [one for one in _cheapest_first(tied, costs) if one != place]
    near = resampled.estimates >= resampled.estimates[place] - error
    return CorrectedBest(
        metric=metric,
        combination=best.index,
        score=score,
        interval=_interval(of_best),
        standard_error=error,
        corrected=score - resampled.flattery,
        corrected_interval=_interval(resampled.left_out),
        candidates=len(compared.indices),
        dropped_in_part=int(compared.in_part.sum()),
        dropped_early=int(compared.early.sum()),
        without_predictions=compared.without_predictions,
        chosen_before=_chosen_before(state, best.stage, compared.indices),
        draws=DRAWS,
        tied=tuple(compared.indices[one] for one in (place, *others)),
        cheapest_tied=compared.indices[_cheapest_first(tied & complete, costs)[0]],
        one_standard_error=compared.indices[_cheapest_first(near & complete, costs)[0]],
    )


def _chosen_before(state: SearchState, stage: int, candidates: Sequence[int]) -> int:
    """Combinations that were dropped or left behind, each counted once, and are not among the candidates."""
    here = {msgspec.json.encode(one.params) for one in state.combinations if one.stage == stage}
    judged = set(candidates)
    left_behind: set[bytes] = set()
    dropped = 0
    for one in state.combinations:
        if one.stage == stage:
            dropped += one.status is CombinationStatus.DROPPED and one.index not in judged
        elif one.status in (CombinationStatus.COMPLETE, CombinationStatus.DROPPED):
            left_behind.add(msgspec.json.encode(one.params))
    return dropped + len(left_behind - here)


def _interval(scores: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _cost(spec: SearchSpec, state: SearchState, index: int) -> float:
    """Expected seconds of one of its fits: unlike measured ones, the same on every machine."""
    combination = state.combinations[index]
    rows = spec.rows - -(-spec.rows // spec.folds)
    return expected_seconds(resolved_params_of(combination.params), combination.trainer, rows, spec.num_words)


def _cheapest_first(which: NDArray[np.bool_], costs: Sequence[float]) -> list[int]:
    return sorted((int(one) for one in np.flatnonzero(which)), key=lambda one: (costs[one], one))
