"""What a running search does with requests: it reads them, obeys each one, or notes why it does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.analysis.forecast.deadline import Deadline
from engine.errors import FoldwatchError, UsageError
from engine.search import changes
from engine.search.inbox import Inbox
from engine.search.refits import TOO_LATE
from engine.session import events, requests
from engine.session.search_status import SearchStatus
from engine.system.permissions import create_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.analysis.forecast.deadline import DeadlineWatch
    from engine.search.controller import Controller
    from engine.search.ending import Ending
    from engine.search.recorder import Recorder
    from engine.search.refits import Refits
    from engine.search.running_trainings import RunningTrainings
    from engine.session.session import Session
    from engine.session.state import SearchState

_READ_SECONDS = 0.2


class RequestHandler:
    """Takes requests of other threads (`put`) and of other processes (the session's folder), oldest first.

    `only_save`: nothing is searched, so that there is nothing to stop.
    """

    def __init__(
        self,
        session: Session,
        state: SearchState,
        record: Recorder,
        controller: Controller,
        trainings: RunningTrainings,
        refits: Refits,
        deadline: DeadlineWatch,
        ending: Ending,
        clock: Callable[[], float],
        *,
        only_save: bool,
    ) -> None:
        self._session, self._state, self._record, self._controller = session, state, record, controller
        self._trainings, self._refits, self._deadline = trainings, refits, deadline
        self._ending, self._clock, self._only_save = ending, clock, only_save
        self._inbox = Inbox()
        self._read_at = 0.0

    def put(self, request: requests.AnyRequest) -> bool:
        """Leave a request, from any thread; False if nobody will read it."""
        return self._inbox.put(request)

    @property
    def seconds_until_read(self) -> float:
        """Seconds until the folder is to be read again."""
        return self._read_at + _READ_SECONDS - time.monotonic()

    def read(self) -> None:
        """Obey what waits; the folder is looked at a few times a second. Raises InputOutputError if it is gone."""
        for request in self._inbox.take():
            self._obey(request)
        now = time.monotonic()
        if now - self._read_at < _READ_SECONDS:
            return
        self._read_at = now
        # Before anything is taken from the folder: requests there may be for another engine by now.
        self._record.check_in_place()
        if self._record.journal.overtaken:
            self._ending.fail("another engine took this session over")
        if self._ending.at_once:
            return
        waiting, refused = requests.take_requests(self._session.folder)
        for request in waiting:
            self._obey(request)
        for reason in refused:
            self._note_refused(reason)

    def close_if_empty(self) -> bool:
        """Take nothing in any more, unless something waits; whether it is closed."""
        return self._inbox.close_if_empty()

    def close(self) -> None:
        """Take nothing in any more."""
        self._inbox.close()

    def refuse_the_rest(self) -> None:
        """Answer the requests that came too late: nobody else will read them."""
        self._inbox.close()
        waiting = self._inbox.take()
        if not self._record.journal.overtaken:
            waiting += requests.take_requests(self._session.folder)[0]
        for request in waiting:
            self._note_refused(f"{request} came when the search had ended")
            if isinstance(request, requests.Save):
                self._refits.refuse(request, TOO_LATE)

    def _note_refused(self, reason: str) -> None:
        with open(self._session.folder / "engine.log", "a", opener=create_file) as log:
            log.write(f"request refused: {reason}\n")

    def _obey(self, request: requests.AnyRequest) -> None:
        known = range(len(self._state.combinations))
        match request:
            case requests.Pause() if self._state.status is SearchStatus.RUNNING:
                self._trainings.pause()
            case requests.Resume() if self._state.status is SearchStatus.PAUSED:
                self._trainings.resume()
            case requests.Stop():
                self._stop(at_once=request.at_once)
            case requests.Skip() if request.combination in known:
                self._controller.skip(request.combination)
                self._trainings.abandon_dropped()
            case requests.Retry() if request.combination in known:
                self._retry(request)
            case requests.Save():
                self._refits.add(request)
            case requests.SetDeadline():
                self._record.emit(self._deadline.set(Deadline.of(request)))
            case (
                requests.AddValues() | requests.DropValues() | requests.PutFirst() | requests.Clone() | requests.Undo()
            ):
                self._change(request)
            case _:
                self._note_refused(f"{request} does not fit a search that is {self._state.status}")

    def _stop(self, *, at_once: bool) -> None:
        """End when what runs is finished. What is paused may have hours to go: it is left with its checkpoint."""
        is_paused = self._state.status is SearchStatus.PAUSED
        at_once = at_once or is_paused
        if not self._only_save and (self._state.status is not SearchStatus.STOPPING or at_once):
            self._record.emit(events.SearchStopping(time=self._clock(), at_once=at_once))
        self._ending.stop("what was paused is kept" if is_paused else "", at_once=at_once)

    def _change(self, request: changes.Request) -> None:
        try:
            self._controller.change(request)
        except FoldwatchError as error:
            self._note_refused(f"{request}: {error}")
        else:
            self._trainings.abandon_dropped()

    def _retry(self, request: requests.Retry) -> None:
        try:
            changes.check_retry(request.combination, self._state)
        except UsageError as error:
            self._note_refused(f"{request}: {error}")
        else:
            self._controller.restore(request.combination)
            self._deadline.refused = False
