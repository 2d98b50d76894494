"""What is known of a search whose engine runs in this process: its published events, so nothing that is not on disk."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from engine.session.events import EpochEnded
from engine.session.state import SearchState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.session.events import Event
    from engine.session.session import Session


class PublishedState:
    """The state of a session when an engine opened its segment `segment`, and the events that it has published since.

    The engine's thread puts events; the thread that reads applies them, so that a state never changes while it is read.
    """

    def __init__(self, session: Session, segment: int) -> None:
        self._session, self._segment = session, segment
        # Before the first segment nothing is recorded.
        self._state: SearchState | None = SearchState() if segment == 1 else None
        self._reading = threading.RLock()
        self._putting = threading.Lock()
        self._waiting: list[Event] = []
        self._epochs: dict[int, EpochEnded] = {}  # by training: only the last one counts

    def put(self, event: Event) -> None:
        """Add an event that was published; this never waits for a thread that reads."""
        with self._putting:
            if isinstance(event, EpochEnded):
                self._epochs[event.training] = event
            else:
                self._waiting.append(event)

    @contextlib.contextmanager
    def held(self) -> Iterator[SearchState]:
        """The state with all that was published so far; it does not change while the context lasts.

        Raises what reading the record can raise.
        """
        with self._reading:
            # The record of engines before this one is read only when the state is read for the first time.
            state = self._state = self._state or self._session.state(before=self._segment)
            with self._putting:
                waiting, self._waiting = self._waiting, []
                epochs, self._epochs = self._epochs, {}
            # An epoch of a training that has ended meanwhile changes nothing.
            for event in [*waiting, *epochs.values()]:
                state.apply(event)
            yield state
