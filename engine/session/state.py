"""What is known of a search: `SearchState.apply(event)` is the one reducer that every reader uses.

Live view, headless output, replay after a crash and `cv_results_` are this reducer over the same events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session import event_checks, events
from engine.session.record_limits import MOST_COMBINATIONS, MOST_FITS, MOST_LOST
from engine.session.rules import combinations, engines, refits, scores, trainings
from engine.session.search_facts import SearchFacts
from engine.session.search_status import SearchStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.session.journal_reader import Damage

_MOST_MISFITS = 100

RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    **engines.RULES,
    **combinations.RULES,
    **trainings.RULES,
    **scores.RULES,
    **refits.RULES,
}


class SearchState(SearchFacts):
    """Everything a reader can know of a search, rebuilt by applying its events in order.

    Of a damaged record it also keeps the events that wait for something lost, and texts about what does not fit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._unplaced: list[events.Event] = []  # those that mention combinations which are not announced yet
        self._misfits: list[str] = []  # what cannot be of this search, since an engine last went to work on it
        self._damages: list[Damage] = []
        self._worked_on_in = 0  # the segment of the last engine that ran what was missing

    @property
    def damages(self) -> list[str]:
        """What of the record is lost and not run again yet, in words: the next engine that goes on does that."""
        damages = [str(one) for one in self._damages if one.segment >= self._worked_on_in]
        return [*damages, *self._misfits]

    @property
    def is_complete(self) -> bool:
        """Its engine completed it, and nothing of that is missing or lost: nothing is left to run."""
        is_finished = self.status is SearchStatus.COMPLETED and self.fits_finished >= self.fits_total
        return is_finished and not self.damages

    def note_damages(self, damages: Sequence[Damage]) -> None:
        """What of the record could not be read: all of it, each time that its reader reports."""
        self._damages = list(damages)

    def apply(self, event: events.Event) -> bool:
        """Take one event into account, in the order of the record; whether it counts now.

        An event about combinations that a damaged record no longer announces waits until they are announced again.
        What cannot be of this search is left out, and named among the `damages`.
        """
        misfit = event_checks.check(self, event)
        if not misfit:
            RULES[type(event)](self, event)
            if self._unplaced or isinstance(event, events.SearchStarted):
                self._mend(event)
        elif misfit == event_checks.WAITS:
            if isinstance(event, event_checks.LASTING):
                self._unplaced.append(event)
        elif misfit != event_checks.PASSED_OVER and len(self._misfits) < _MOST_MISFITS:
            self._misfits.append(f"{type(event).__name__} does not fit the search: {misfit}")
        self.clock.note(event.time)
        return not misfit

    def _mend(self, event: events.Event) -> None:
        """An engine that begins, and combinations that are announced, settle what of a damaged record still waits."""
        if isinstance(event, events.SearchStarted):
            if not event.only_save:
                # It looks at what is missing and runs that, whatever was lost before.
                self._worked_on_in = event.segment
                self._misfits.clear()
            self._place()
            if self.combinations and self._unplaced:
                self._give_up_lost()
        elif isinstance(event, events.CombinationsAdded):
            self._place()

    def _place(self) -> None:
        unplaced, self._unplaced = self._unplaced, []
        for event in unplaced:
            self.apply(event)

    def _give_up_lost(self) -> None:
        """The events left mention combinations that nothing announces any more: new ones must not get their numbers."""
        known = len(self.combinations)
        most = min(known + MOST_LOST, MOST_COMBINATIONS, MOST_FITS // self.splits)
        combinations.count_as_lost(self, min(most, 1 + max(map(event_checks.highest_combination, self._unplaced))))
        self._unplaced.clear()
