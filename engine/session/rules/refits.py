"""Models that are saved: the refit on all training rows, the file, the look at the test set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.activity import RefitState

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.search_facts import SearchFacts


def _on_refit_started(facts: SearchFacts, event: events.RefitStarted) -> None:
    refit = RefitState(event.combination, epochs=event.epochs, target=event.path, is_of_script=not event.path)
    facts.refit = facts.refits[event.combination, event.request] = refit


def _on_refit_epoch_ended(facts: SearchFacts, event: events.RefitEpochEnded) -> None:
    refit = _refit_of(facts, event)
    refit.epoch, refit.epochs, refit.loss, refit.target = event.epoch, event.epochs, event.loss, event.path


def _on_model_saved(facts: SearchFacts, event: events.ModelSaved) -> None:
    refit = _refit_of(facts, event)
    refit.path, refit.sha256 = event.path, event.sha256
    facts.saved.append(refit)


def _on_test_scored(facts: SearchFacts, event: events.TestScored) -> None:
    facts.looks_at_test_set[event.combination] = facts.test_looks(event.combination) + 1
    refit = _refit_of(facts, event)
    refit.test_scores, refit.test_rows = event.scores, event.rows
    del facts.refits[event.combination, event.request]


def _on_save_failed(facts: SearchFacts, event: events.SaveFailed) -> None:
    facts.refits.pop((event.combination, event.request), None)
    facts.refit = RefitState(event.combination, error=event.error)


def _refit_of(facts: SearchFacts, event: events.RefitEpochEnded | events.ModelSaved | events.TestScored) -> RefitState:
    """The refit that an event is about: the latest one now."""
    key = event.combination, event.request
    facts.refit = facts.refits.setdefault(key, RefitState(event.combination))
    return facts.refit


RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    events.RefitStarted: _on_refit_started,
    events.RefitEpochEnded: _on_refit_epoch_ended,
    events.ModelSaved: _on_model_saved,
    events.TestScored: _on_test_scored,
    events.SaveFailed: _on_save_failed,
}
