"""Engines that work on the search one after another: how each begins, pauses, stops and ends, and by when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.rules.trainings import release
from engine.session.search_status import SearchStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.search_facts import SearchFacts


def _on_search_started(facts: SearchFacts, event: events.SearchStarted) -> None:
    is_lost = facts.started is not None and not facts.status.is_finished
    facts.lost_at = facts.last_time if is_lost else None
    facts.clock.begin(event.time, only_saves=event.only_save)
    facts.started = event
    facts.changed_versions += [change for change in event.changed if change not in facts.changed_versions]
    if not event.only_save:
        facts.status, facts.message = SearchStatus.RUNNING, ""
    facts.deadline = facts.delay = None
    facts.workers.clear()
    facts.refits.clear()
    for training in list(facts.trainings):
        release(facts, training)
    facts.longest_training = 0.0
    facts.ended.clear()
    facts.engines += 1


def _on_search_paused(facts: SearchFacts, event: events.SearchPaused) -> None:
    facts.status = SearchStatus.PAUSED
    facts.clock.pause(event.time)


def _on_search_stopping(facts: SearchFacts, event: events.SearchStopping) -> None:
    _end_pause(facts, event.time)
    facts.status = SearchStatus.STOPPING


def _on_search_resumed(facts: SearchFacts, event: events.SearchResumed) -> None:
    facts.status = SearchStatus.RUNNING
    _end_pause(facts, event.time)


def _end_pause(facts: SearchFacts, time: float) -> None:
    """Trainings are judged as if they had begun, and ended their last epoch, later by the length of the pause."""
    paused = facts.clock.end_pause(time)
    for training in facts.trainings.values():
        training.started += paused
        training.epoch_ended += paused


def _on_deadline_set(facts: SearchFacts, event: events.DeadlineSet) -> None:
    facts.deadline, facts.delay = event.at, None


def _on_delay_foreseen(facts: SearchFacts, event: events.DelayForeseen) -> None:
    facts.delay = event


def _on_search_finished(facts: SearchFacts, event: events.SearchFinished) -> None:
    facts.status, facts.message = SearchStatus(event.outcome), event.message
    if facts.refit is not None and facts.refit.is_of_script:
        facts.refit = None
        facts.refits.clear()
    for training in list(facts.trainings):
        release(facts, training)
    for worker in facts.workers.values():
        worker.alive, worker.training = False, None


RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    events.SearchStarted: _on_search_started,
    events.SearchPaused: _on_search_paused,
    events.SearchStopping: _on_search_stopping,
    events.SearchResumed: _on_search_resumed,
    events.DeadlineSet: _on_deadline_set,
    events.DelayForeseen: _on_delay_foreseen,
    events.SearchFinished: _on_search_finished,
}
