"""Which combinations a search has, and how far each may be trained: added, dropped, restored, decided on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from engine.session import events
from engine.session.combination import FAILED, NOTHING_YET, RUNNING, WAITING, CombinationState
from engine.session.rules.fits import set_status, touch
from engine.session.rules.trainings import end_if_served

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.search_facts import SearchFacts

LOST = "its announcement was lost with a damaged line of the record"


def count_as_lost(facts: SearchFacts, known: int) -> None:
    """Keep the numbers up to `known` for combinations of which nothing is known but that they existed."""
    first = len(facts.combinations)
    facts.lost.update(range(first, known))
    _append(facts, [events.PlannedCombination(index=n, params={}, trainer="") for n in range(first, known)])
    for combination in facts.combinations[first:]:
        combination.dropped = LOST


def _on_combinations_added(facts: SearchFacts, event: events.CombinationsAdded) -> None:
    facts.begun_with = facts.begun_with or len(event.combinations)
    facts.combinations_to_come = event.to_come
    _add(facts, event.combinations)


def _add(facts: SearchFacts, combinations: list[events.PlannedCombination]) -> None:
    if combinations:
        count_as_lost(facts, combinations[0].index)
        _append(facts, combinations)


def _append(facts: SearchFacts, combinations: list[events.PlannedCombination]) -> None:
    metrics, splits = facts.scoring, facts.splits
    for planned in combinations:
        facts.combinations.append(
            CombinationState(
                index=planned.index,
                params=planned.params,
                trainer=planned.trainer,
                trainer_reason=planned.trainer_reason,
                same_as=_first_of_equals(facts, planned.same_as),
                metrics=metrics,
                fits=[NOTHING_YET] * splits,
                stage=planned.stage,
                epochs_allowed=planned.epochs_allowed,
                folds_allowed=planned.folds_allowed,
            )
        )
        touch(facts, planned.index)


def _first_of_equals(facts: SearchFacts, same_as: int | None) -> int | None:
    """The first of those of equal effect: it is the same as no other."""
    if same_as is None or facts.combinations[same_as].same_as is None:
        return same_as
    return facts.combinations[same_as].same_as


def _on_combination_dropped(facts: SearchFacts, event: events.CombinationDropped) -> None:
    _drop(facts, event.combination, event.reason, event.evidence, event.time)


def _drop(facts: SearchFacts, index: int, reason: str, evidence: str, time: float) -> None:
    combination = facts.combinations[index]
    combination.dropped, combination.evidence = reason, evidence
    touch(facts, index)
    # Its worker abandons the training without a further event, unless the training serves others too.
    for training in list(facts.trainings.values()):
        if any(fit.combination == index for fit in training.fits):
            if combination.fits[training.fold].status is RUNNING:
                set_status(facts, index, training.fold, WAITING)
            end_if_served(facts, training.training, time)


def _on_round_decided(facts: SearchFacts, event: events.RoundDecided) -> None:
    _add(facts, event.added)
    for one in event.dropped:
        _drop(facts, one.combination, event.strategy, one.evidence, event.time)
    for allowance in event.allowed:
        combination = facts.combinations[allowance.combination]
        combination.epochs_allowed, combination.folds_allowed = allowance.epochs, allowance.folds
        touch(facts, allowance.combination)
    facts.combinations_to_come = event.to_come
    facts.rounds.append(event)


def _on_steered(facts: SearchFacts, event: events.Steered) -> None:
    _add(facts, event.added)
    for index in event.dropped:
        _drop(facts, index, event.words, "", event.time)
    for index in event.restored:
        if index not in facts.lost:
            facts.combinations[index].dropped = facts.combinations[index].evidence = ""
            facts.changed.add(index)
    if not event.undoes:
        facts.steps.append(event)
    elif facts.steps:
        facts.steps.pop()


def _on_combination_restored(facts: SearchFacts, event: events.CombinationRestored) -> None:
    combination = facts.combinations[event.combination]
    combination.dropped = combination.evidence = ""
    combination.epochs_allowed = combination.folds_allowed = None
    for fold, fit in enumerate(combination.fits):
        if fit.status is FAILED:
            set_status(facts, event.combination, fold, WAITING)
    for fold, fit in enumerate(combination.fits):
        if fit.error is not None:
            combination.fits[fold] = structs.replace(fit, error=None, traceback="")
    touch(facts, event.combination)


RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    events.CombinationsAdded: _on_combinations_added,
    events.CombinationDropped: _on_combination_dropped,
    events.CombinationRestored: _on_combination_restored,
    events.RoundDecided: _on_round_decided,
    events.Steered: _on_steered,
}
