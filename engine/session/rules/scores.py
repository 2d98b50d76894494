"""What fits bring: scores, at their end or on their way, or an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import structs

from engine.session import events
from engine.session.combination import DIVERGED, FAILED, SCORED, WAITING, RungRecord
from engine.session.rules.fits import set_fit, set_status
from engine.session.rules.trainings import end_if_served
from engine.spec.revisions import REVISION

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.combination import CombinationState, FitRecord
    from engine.session.search_facts import SearchFacts


def _on_rung_scored(facts: SearchFacts, event: events.RungScored) -> None:
    fits = facts.combinations[event.combination].fits
    fit = fits[event.fold]
    known = fit.rung(event.epochs)
    if known is None or known.score is None:
        rung = RungRecord(event.epochs, event.scores.get(facts.scoring[0]), event.curve, event.predictions)
        others = tuple(one for one in fit.rungs if one.epochs != event.epochs)
        fits[event.fold] = structs.replace(fit, rungs=(*others, rung), seconds=event.seconds)
    set_status(facts, event.combination, event.fold, WAITING)
    end_if_served(facts, event.training, event.time)


def _on_fit_scored(facts: SearchFacts, event: events.FitScored) -> None:
    combination = facts.combinations[event.combination]
    fit = combination.fits[event.fold]
    if fit.status is SCORED:
        end_if_served(facts, event.training, event.time)
        return  # the first score counts, even if another one follows
    scored = structs.replace(
        fit,
        status=DIVERGED if event.diverged else SCORED,
        scores=tuple([event.scores.get(metric) for metric in combination.metrics]),
        train_scores=tuple([event.train_scores.get(metric) for metric in combination.metrics])
        if event.train_scores
        else (),
        seconds=event.seconds,
        score_seconds=event.score_seconds,
        curve=event.curve,
        predictions=event.predictions,
        taken_from=event.taken_from,
        stopped_at=event.stopped_at,
        stopped_score=event.stopped_score,
        older_revision=_older_revision(facts, fit),
    )
    set_fit(facts, event.combination, event.fold, scored)
    end_if_served(facts, event.training, event.time)
    if combination.is_complete:
        _compare_with_best(facts, combination)


def _on_fit_failed(facts: SearchFacts, event: events.FitFailed) -> None:
    fits = facts.combinations[event.combination].fits
    fits[event.fold] = structs.replace(fits[event.fold], error=event.error, traceback=event.traceback)
    set_status(facts, event.combination, event.fold, FAILED)
    end_if_served(facts, event.training, event.time)


def _on_fit_retried(facts: SearchFacts, event: events.FitRetried) -> None:
    set_status(facts, event.combination, event.fold, WAITING)
    end_if_served(facts, event.training, event.time)


def _older_revision(facts: SearchFacts, fit: FitRecord) -> int | None:
    """The revision of the rules that the present engine trains by, where it is not today's."""
    if facts.started is not None and facts.started.revision != REVISION:
        return facts.started.revision
    return fit.older_revision


def _compare_with_best(facts: SearchFacts, combination: CombinationState) -> None:
    """A complete combination never changes again, so the best need not be looked for among all."""
    mean = combination.mean(facts.scoring[0])[0]
    if math.isnan(mean):  # ranks after all others
        mean = -math.inf
    key = (combination.stage, mean, -combination.index)
    if facts.best is None or key > facts.best_key:
        facts.best, facts.best_key = combination, key


RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    events.RungScored: _on_rung_scored,
    events.FitScored: _on_fit_scored,
    events.FitFailed: _on_fit_failed,
    events.FitRetried: _on_fit_retried,
}
