"""A search's results as scikit-learn gives them: `cv_results_` and the table of combinations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import NoBestError
from engine.formatting.safe_text import clean
from engine.session.combination import CombinationState
from engine.session.ranking import mean_and_deviation, ranks
from engine.session.state import SearchState

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def cv_results(state: SearchState) -> dict[str, Any]:
    """The dictionary that scikit-learn's searches call `cv_results_`, for the same combinations, in their order.

    Its keys are scikit-learn's, in its order: `mean_fit_time`, `std_fit_time`, `mean_score_time`, `std_score_time` (in
    seconds), `param_<name>` in the order in which combinations name them (masked where one has none), `params`, and for
    each metric `split<k>_test_<metric>`, `mean_`, `std_` and `rank_test_<metric>` (the metric's name is "score" where
    there is only one). Scores that are missing are NaN, and rank last. Where a script asked for scores on the training
    rows, `split<k>_`, `mean_` and `std_train_<metric>` follow. Predicting the validation rows is part of the fit, which
    does it after every epoch; the score times are those of the scorers alone, NaN in sessions that did not measure
    them. Where there are stages, `stage` follows, counted from 1.
    """
    combinations = state.combinations
    results: dict[str, Any] = {}
    for key, times in (
        ("fit_time", [[fit.seconds for fit in c.fits] for c in combinations]),
        ("score_time", [[fit.score_seconds for fit in c.fits] for c in combinations]),
    ):
        results[f"mean_{key}"], results[f"std_{key}"] = _mean_and_std(_with_nan(times), state.splits)
    for name in dict.fromkeys(name for combination in combinations for name in combination.params):
        results[f"param_{name}"] = _masked([c.params.get(name, np.ma.masked) for c in combinations])
    results["params"] = [dict(combination.params) for combination in combinations]
    has_train_scores = any(combination.has_train_scores for combination in combinations)
    for metric in state.scoring:
        label = "score" if len(state.scoring) == 1 else metric
        _add_scores(results, f"test_{label}", [one.scores_of(metric) for one in combinations], state.splits)
        means = results[f"mean_test_{label}"]
        results[f"rank_test_{label}"] = np.array(ranks(list(means), [c.stage for c in combinations]), np.int32)
        if has_train_scores:
            _add_scores(results, f"train_{label}", [one.train_scores_of(metric) for one in combinations], state.splits)
    if any(combination.stage for combination in combinations):
        results["stage"] = np.array([combination.stage + 1 for combination in combinations], np.int32)
    return results


def _add_scores(results: dict[str, Any], label: str, rows: list[list[float | None]], splits: int) -> None:
    """Scores of each split, then their mean and standard deviation."""
    scores = _with_nan(rows)
    for split in range(splits):
        results[f"split{split}_{label}"] = scores[:, split] if len(scores) else scores
    results[f"mean_{label}"], results[f"std_{label}"] = _mean_and_std(scores, splits)


def _with_nan(rows: list[list[float | None]]) -> NDArray[np.float64]:
    """A row a combination, a column a split; NaN where there is none."""
    return np.array([[math.nan if value is None else value for value in row] for row in rows], float)


def _mean_and_std(values: NDArray[np.float64], splits: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Over the splits; NaN where one is missing."""
    pairs = [mean_and_deviation(list(row)) for row in values.reshape(len(values), splits)]
    array = np.array(pairs, float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _masked(values: list[Any]) -> np.ma.MaskedArray[Any, Any]:
    """An array as scikit-learn makes it: of NumPy's type for them if that is of numbers; masked where none."""
    present = [value for value in values if value is not np.ma.masked]
    try:
        numbers = np.array(present)
    except ValueError:  # lists of unlike lengths
        kind: Any = object
    else:
        kind = numbers.dtype if numbers.dtype.kind != "U" and numbers.ndim == 1 else object
    array: np.ma.MaskedArray[Any, Any] = np.ma.MaskedArray(np.empty(len(values), kind), mask=True)
    for index, value in enumerate(values):
        if value is not np.ma.masked:
            array[index] = value
    return array


def best_of(state: SearchState) -> CombinationState:
    """The best combination. Raises NoBestError if none is complete on every fold."""
    best = state.best
    if best is None:
        message = "no combination is complete on every fold, so none can be called best"
        raise NoBestError(message)
    return best


def to_frame(state: SearchState) -> pd.DataFrame:
    """A row a combination, in the order of the search: parameters, status, trainer, scores by fold, mean, rank."""
    import pandas as pd

    results = cv_results(state)
    columns = {
        "combination": [combination.index for combination in state.combinations],
        **{
            key: pd.Series(value.tolist(), dtype=object) if isinstance(value, np.ma.MaskedArray) else value
            for key, value in results.items()
            if key != "params"
        },
        **_stopped_columns(state),
        "status": [str(combination.status) for combination in state.combinations],
        "trainer": [combination.trainer for combination in state.combinations],
    }
    return pd.DataFrame(columns)


def _stopped_columns(state: SearchState) -> dict[str, Any]:
    """Where early stopping ended a training, or would have, and the score there in the latter case; none otherwise."""
    kinds: dict[str, list[Any]] = {
        "stopped_at": [combination.stopped_at for combination in state.combinations],
        "stopped_score": [combination.stopped_scores for combination in state.combinations],
    }
    return {
        f"split{split}_{kind}": np.array([math.nan if row[split] is None else row[split] for row in rows], float)
        for kind, rows in kinds.items()
        if any(value is not None for row in rows for value in row)
        for split in range(state.splits)
    }


def as_values(state: SearchState, session: str, status: str) -> dict[str, Any]:
    """Everything `show --json` prints, as plain values."""
    places: dict[int, int] = {combination.index: rank for rank, combination in state.ranked()}
    best = state.best
    return {
        "session": session,
        "state": status,
        "dataset": state.started.dataset if state.started else None,
        "synthetic": state.started.synthetic if state.started else None,
        "scoring": state.scoring,
        "combinations": [_combination(c, state, places.get(c.index)) for c in state.combinations],
        "best": _combination(best, state, 1) if best else None,
        "saved": [
            {"combination": s.combination, "path": s.path, "sha256": s.sha256, "test_scores": s.test_scores}
            for s in state.saved
        ],
        "fits": {"finished": state.fits_finished, "failed": state.fits_failed, "total": state.fits_total},
        "seconds": state.elapsed(),
        "damages": state.damages,
    }


def _combination(combination: CombinationState, state: SearchState, rank: int | None) -> dict[str, Any]:
    mean, deviation = combination.mean(state.scoring[0])
    return {
        "index": combination.index,
        "params": combination.params,
        "scores": {metric: combination.scores_of(metric) for metric in combination.metrics},
        **(
            {"train_scores": {metric: combination.train_scores_of(metric) for metric in combination.metrics}}
            if combination.has_train_scores
            else {}
        ),
        "mean": finite(mean),
        "std": finite(deviation),
        "metrics": metric_values(combination),
        "rank": rank,
        "seconds": combination.total_seconds,
        "stopped_at": combination.stopped_at,
        "stopped_scores": combination.stopped_scores,
        "status": str(combination.status),
        "trainer": combination.trainer,
        "trainer_reason": combination.trainer_reason,
        "same_as": combination.same_as,
        "stage": combination.stage + 1,
        "rungs": {str(epochs): combination.rung_scores(epochs) for epochs in combination.rung_epochs},
        "dropped": combination.dropped or None,
        "evidence": combination.evidence or None,
        "errors": {str(fold): fit.error for fold, fit in enumerate(combination.fits) if fit.error is not None},
    }


def metric_values(combination: CombinationState) -> dict[str, dict[str, float | None]]:
    """Mean and standard deviation of every metric; None where there is none."""
    means = {metric: combination.mean(metric) for metric in combination.metrics}
    return {metric: {"mean": finite(mean), "std": finite(deviation)} for metric, (mean, deviation) in means.items()}


def finite(number: float) -> float | None:
    """What JSON can hold: None for what is not a number."""
    return number if math.isfinite(number) else None


def to_csv(state: SearchState) -> str:
    """`to_frame` as CSV; text that a spreadsheet would take for a formula begins with an apostrophe."""
    frame = to_frame(state)
    texts = {str(name): frame[name].map(_not_a_formula) for name in frame.select_dtypes(exclude="number")}
    return str(frame.assign(**texts).to_csv(index=False))


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _not_a_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"'{clean(value)}" if value.startswith(_FORMULA) else clean(value)
