"""The scores of a script's fits: between the results of scikit-learn's `_fit_and_score` and what a session records."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

from engine.session.events import finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.search.sklearn.fits import ScriptFit
    from engine.session.events import FitScored

ONE_SCORE = "score"  # what a single score is called that has no other name


def scorer_names(scorer: Any) -> list[str] | None:
    """The names of the scores of a scorer of several; None for one of a single score, or of names not known yet."""
    scorers = getattr(scorer, "_scorers", None)
    return list(scorers) if isinstance(scorers, dict) else None


def has_known_names(scorer: Any) -> bool:
    """Whether the names of the scores are known before the first of them: a function of the user's may return any."""
    return scorer_names(scorer) is not None or type(scorer).__module__.partition(".")[0] == "sklearn"


def scoring_names(fit: ScriptFit) -> list[str]:
    """What a session calls the scores of a fit, the one that ranks first."""
    names = scorer_names(fit.keywords["scorer"])
    refit = getattr(fit.caller, "refit", None)
    if names is None:
        scoring = getattr(fit.caller, "scoring", None)
        return [scoring if isinstance(scoring, str) else ONE_SCORE]
    return sorted(names, key=lambda name: name != refit)


def recorded(scores: Any, scoring: list[str]) -> dict[str, float | None]:
    """Scores by their names, as events have them.

    Of a function that returns several, whose names nobody knew, the first ranks as the only one that was announced.
    """
    if not isinstance(scores, dict):
        return {scoring[0]: finite(float(scores))}
    values = {str(name): finite(float(value)) for name, value in scores.items()}
    if scoring[0] not in values:
        return {scoring[0]: next(iter(values.values()), None), **values}
    return values


def are_exact(fit: ScriptFit, scores: Any) -> bool:
    """Whether scores come back from a record as they are: finite floats do, under names that were known."""
    if not isinstance(scores, dict):
        return _is_exact(scores)
    return has_known_names(fit.keywords["scorer"]) and all(map(_is_exact, scores.values()))


def _is_exact(score: Any) -> bool:
    return isinstance(score, numbers.Real) and math.isfinite(score)


def known_result(fit: ScriptFit, event: FitScored) -> dict[str, Any]:
    """The result of a fit once more, from what was recorded of it."""
    result = _frame(fit, event.seconds, event.score_seconds or 0.0, event.rows)
    result.update({"fit_error": None, "test_scores": _as_returned(fit, event.scores)})
    if fit.keywords.get("return_train_score"):
        result["train_scores"] = _as_returned(fit, event.train_scores)
    return result


def failed_result(fit: ScriptFit, error: str) -> dict[str, Any]:
    """The result that `_fit_and_score` gives where fitting raised, for a fit that had no chance to."""
    value = fit.keywords["error_score"]
    names = scorer_names(fit.keywords["scorer"])
    scores = dict.fromkeys(names, value) if names is not None else value
    result = _frame(fit, 0.0, 0.0, 0)
    result.update({"fit_error": error, "test_scores": scores})
    if fit.keywords.get("return_train_score"):
        result["train_scores"] = dict(scores) if isinstance(scores, dict) else scores
    return result


def _frame(fit: ScriptFit, fit_seconds: float, score_seconds: float, rows: int) -> dict[str, Any]:
    """What a result has beside its scores, as far as the call asks for it."""
    result: dict[str, Any] = {}
    if fit.keywords.get("return_n_test_samples"):
        result["n_test_samples"] = rows or len(fit.keywords["test"])
    if fit.keywords.get("return_times"):
        result.update({"fit_time": fit_seconds, "score_time": score_seconds})
    if fit.keywords.get("return_parameters"):
        result["parameters"] = fit.keywords["parameters"]
    return result


def _as_returned(fit: ScriptFit, scores: Mapping[str, float | None]) -> Any:
    if scorer_names(fit.keywords["scorer"]) is not None:
        return dict(scores)
    return next(iter(scores.values()), math.nan)
