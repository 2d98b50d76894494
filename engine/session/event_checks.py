"""Whether an event can be of a search, as far as the search is known: asked before the event is applied.

A damaged or forged record may mention combinations that nothing announces, or splits that the search does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.record_limits import MOST_COMBINATIONS, MOST_FITS, MOST_LOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.session.search_facts import SearchFacts

# Results of the checks; any other but "" is a text about why the event does not fit the search.
WAITS = "it mentions combinations that are not announced yet"
PASSED_OVER = "it mentions combinations whose announcement is lost"

# What still holds when it is applied late; that a training began does not.
LASTING = (
    events.CombinationsAdded
    | events.CombinationDropped
    | events.CombinationRestored
    | events.RoundDecided
    | events.Steered
    | events.RungScored
    | events.FitScored
    | events.FitFailed
)


def check(facts: SearchFacts, event: events.Event) -> str:
    """Empty if the event can be applied now, else WAITS, PASSED_OVER, or why it does not fit the search."""
    check_of_kind = _CHECKS.get(type(event))
    return check_of_kind(facts, event) if check_of_kind is not None else ""


def highest_combination(event: events.Event) -> int:
    """The highest number of a combination that a lasting event mentions; -1 if there is none."""
    match event:
        case events.CombinationsAdded():
            numbers = [one.index for one in event.combinations]
        case events.RoundDecided():
            mentioned = [one.combination for one in event.dropped] + [one.combination for one in event.allowed]
            numbers = [*mentioned, *(one.index for one in event.added)]
        case events.Steered():
            numbers = [*event.dropped, *event.restored, *event.first, *(one.index for one in event.added)]
        case _:
            numbers = [getattr(event, "combination", -1)]
    return max(numbers, default=-1)


def _check_search_started(facts: SearchFacts, event: events.SearchStarted) -> str:
    if facts.started is not None and event.splits != facts.splits:
        return f"it has {facts.splits} splits, not {event.splits}"
    if facts.started is not None and event.scoring != facts.scoring:
        return f"it is scored by {', '.join(facts.scoring)}, not {', '.join(event.scoring)}"
    return ""


def _check_combination(facts: SearchFacts, event: events.CombinationDropped | events.CombinationRestored) -> str:
    return _check_all(facts, [event.combination])


def _check_fit(
    facts: SearchFacts, event: events.FitScored | events.RungScored | events.FitFailed | events.FitRetried
) -> str:
    if event.combination >= len(facts.combinations):
        return WAITS
    if event.fold >= facts.splits:
        return f"split {event.fold} of {facts.splits}"
    return PASSED_OVER if event.combination in facts.lost else ""


def _check_training(facts: SearchFacts, event: events.TrainingStarted) -> str:
    if event.fold >= facts.splits and facts.started is not None:
        return f"split {event.fold} of {facts.splits}"
    return _check_all(facts, (fit.combination for fit in event.fits))


def _check_all(facts: SearchFacts, combinations: Iterable[int]) -> str:
    known, lost = len(facts.combinations), facts.lost
    result = ""
    for combination in combinations:
        if combination >= known:
            return WAITS
        result = PASSED_OVER if combination in lost else result
    return result


def _check_added(facts: SearchFacts, event: events.CombinationsAdded) -> str:
    return _check_announced(facts, event.combinations)


def _check_round(facts: SearchFacts, event: events.RoundDecided) -> str:
    mentioned = {one.combination for one in event.dropped} | {one.combination for one in event.allowed}
    return _check_change(facts, mentioned, event.added)


def _check_steered(facts: SearchFacts, event: events.Steered) -> str:
    return _check_change(facts, {*event.dropped, *event.restored, *event.first}, event.added)


def _check_change(facts: SearchFacts, mentioned: set[int], added: list[events.PlannedCombination]) -> str:
    """The whole of a change waits for the combinations that it mentions, some of which it may add itself."""
    known = added[-1].index + 1 if added else len(facts.combinations)
    if max(mentioned, default=-1) >= known or (added and not facts.combinations):
        return WAITS
    return _check_announced(facts, added)


def _check_announced(facts: SearchFacts, planned: list[events.PlannedCombination]) -> str:
    if facts.started is None:
        return WAITS
    if not planned:
        return ""
    first, known = planned[0].index, len(facts.combinations)
    if first < known:
        return f"combination {first} is announced twice"
    if first > known == 0:
        return WAITS
    if any(one.index != index for index, one in enumerate(planned, start=first)):
        return f"its combinations are not numbered one after the other from {first}"
    if any(one.same_as is not None and one.same_as >= one.index for one in planned):
        return "a combination is announced as equal to one that comes later"
    if first > known + MOST_LOST:
        return f"combination {first} is announced after combination {known - 1}"
    count = first + len(planned)
    if count > MOST_COMBINATIONS or count * facts.splits > MOST_FITS:
        most = f"{MOST_COMBINATIONS} combinations or {MOST_FITS} fits"
        return f"{count} combinations of {facts.splits} splits each are more than {most}"
    return ""


_CHECKS: dict[type[events.Event], Callable[[SearchFacts, Any], str]] = {
    events.SearchStarted: _check_search_started,
    events.CombinationsAdded: _check_added,
    events.CombinationDropped: _check_combination,
    events.CombinationRestored: _check_combination,
    events.RoundDecided: _check_round,
    events.Steered: _check_steered,
    events.TrainingStarted: _check_training,
    events.RungScored: _check_fit,
    events.FitScored: _check_fit,
    events.FitFailed: _check_fit,
    events.FitRetried: _check_fit,
}
