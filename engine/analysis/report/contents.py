"""What a report says of a search, worked out once; text, values and page only write it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.report.remarks import remarks_on
from engine.analysis.selection.choices import CorrectedBest
from engine.analysis.selection.wording import find_corrected
from engine.analysis.trends.complete import CompleteCombinations, complete_combinations, counts_by_status
from engine.analysis.trends.effects import MainEffect, main_effects
from engine.analysis.trends.importance import Importances, importances
from engine.analysis.trends.levels import is_number
from engine.analysis.trends.pairs import HeatMap, heat_map, telling_pair
from engine.analysis.trends.parallel import ParallelAxis, parallel_axes
from engine.analysis.trends.top import NEAR, TIED, TopCombination, count_near, top_combinations
from engine.errors import UsageError, shortened
from engine.spec.catalogue import head_of, is_argument
from engine.spec.rate_curve import PlannedRates, planned_rates, rates_by_epoch
from engine.spec.schedules import steps_per_epoch

if TYPE_CHECKING:
    from engine.analysis.selection.wording import CorrectedResult
    from engine.session.combination import CombinationState
    from engine.session.record import SearchRecord
    from engine.session.segments import Curve
    from engine.session.session import Session
    from engine.session.state import SearchState

TOP = 15
_TRACED = 3  # combinations whose schedules and curves are shown


@dataclass(frozen=True, slots=True)
class Trace:
    """How a combination was trained: the rates that its schedule planned, and each fold's epochs, as far as recorded.

    `rates` is None where the schedule cannot be worked out from the record.
    """

    combination: CombinationState
    rates: PlannedRates | None
    curves: list[Curve]


@dataclass(frozen=True)
class Report:
    """A search as it stands; means, ranks and importances are of the first metric, `metric`.

    `heat_map` is of the two hyperparameters that were asked for, else of the two that matter most; None where no two
    occur together. `corrected_best`: what may be believed of the best score, and which combinations are tied with it.
    """

    source: Session
    status: str
    state: SearchState
    metric: str
    searched: dict[str, list[Any]]
    counts: dict[str, int]
    complete: CompleteCombinations
    effects: list[MainEffect]
    importances: Importances
    heat_map: HeatMap | None
    top: list[TopCombination]
    axes: list[ParallelAxis]
    traces: list[Trace]
    corrected_best: CorrectedResult
    remarks: list[str]

    @property
    def marks(self) -> str:
        """What the mark beside a combination of the top claims."""
        return TIED if isinstance(self.corrected_best, CorrectedBest) else NEAR

    @property
    def further(self) -> list[str]:
        """The metrics after the first, which rank nothing."""
        return self.state.scoring[1:]

    @property
    def record(self) -> SearchRecord:
        """What was asked for, and where and when it was begun."""
        return self.source.record

    def as_values(self) -> dict[str, Any]:
        """Plain values, as `foldwatch report --format json` prints them."""
        from engine.analysis.report.values import as_values

        return as_values(self)

    def to_text(self, width: int = 100) -> str:
        """For a terminal that is `width` columns wide."""
        from engine.analysis.report.text import to_text

        return to_text(self, width)

    def to_html(self) -> str:
        """One page that holds all it needs and runs no scripts."""
        from engine.analysis.report.page import to_html

        return to_html(self)


def make_report(session: Session, pair: tuple[str, str] | None = None, state: SearchState | None = None) -> Report:
    """The report on a session as it stands; `pair`: the hyperparameters down and across the heat map.

    `state`: what is known of the search, where somebody has that already.

    Raises UsageError for a pair that is not of two hyperparameters with several values, and what reading the session
    can raise.
    """
    state = state or session.state()
    status = session.status(state)
    complete = complete_combinations(state)
    effects = main_effects(complete)
    importance = importances(complete)
    down_across = _checked(pair, effects) if pair else telling_pair(complete, effects, importance)
    counts = counts_by_status(state)
    corrected_best = find_corrected(session, state)
    tied = corrected_best.tied if isinstance(corrected_best, CorrectedBest) else None
    return Report(
        source=session,
        status=status,
        state=state,
        metric=state.scoring[0] if state.scoring else "score",
        searched=_searched(state),
        counts=counts,
        complete=complete,
        effects=effects,
        importances=importance,
        heat_map=heat_map(complete, *down_across) if down_across else None,
        top=top_combinations(complete, TOP, tied),
        axes=parallel_axes(complete, state.scoring[0] if state.scoring else "score"),
        traces=[_trace(session, state, combination) for _, combination in state.ranked()[:_TRACED]],
        corrected_best=corrected_best,
        remarks=remarks_on(state, status, complete, counts, count_near(complete) if tied is None else None),
    )


def _checked(pair: tuple[str, str], effects: list[MainEffect]) -> tuple[str, str]:
    known = sorted(effect.name for effect in effects)
    for name in pair:
        if name not in known:
            shown = shortened(repr(name))
            message = f"--pair: {shown} is not accepted; accepted: two of {', '.join(known) or 'none, nothing varies'}"
            raise UsageError(message)
    if pair[0] == pair[1]:
        message = f"--pair: {pair[0]!r} twice is not accepted; accepted: two of {', '.join(known)}"
        raise UsageError(message)
    return pair


def _searched(state: SearchState) -> dict[str, list[Any]]:
    """Every hyperparameter with its values, in order of their first use; numbers and words each sorted."""
    values: dict[str, dict[str, Any]] = {}
    for combination in state.combinations:
        for name, value in combination.params.items():
            values.setdefault(name, {}).setdefault(repr(value), value)
    heads_first = sorted(values, key=lambda name: (head_of(name), is_argument(name), name))
    return {name: sorted(values[name].values(), key=_place) for name in heads_first}


def _place(value: Any) -> tuple[int, float, str]:
    return (0, float(value), "") if is_number(value) else (1, 0.0, str(value))


def _trace(session: Session, state: SearchState, combination: CombinationState) -> Trace:
    read = (session.curve(fit.curve) for fit in combination.fits if fit.curve is not None)
    curves = [curve for curve in read if curve is not None]
    if session.is_of_script:
        ends = next((curve.planned_rates for curve in curves if curve.planned_rates), [])
        return Trace(combination, rates_by_epoch(ends) if ends else None, curves)
    rows = state.started.rows if state.started else session.record.data.rows
    try:
        folds, batch_size = int(session.record.spec.get("folds", 3)), int(combination.params.get("batch_size", 128))
        rates = planned_rates(combination.params, steps_per_epoch(rows * (folds - 1) // folds, batch_size))
    except (KeyError, ValueError, TypeError, ArithmeticError):  # a record that another version wrote
        rates = None
    return Trace(combination, rates, curves)
