"""The thread that an engine runs in, for a program that goes on meanwhile: its events, its outcome, its failure."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from engine.search.published_state import PublishedState

if TYPE_CHECKING:
    from engine.search.ending import Outcome
    from engine.search.loop import RunningSearch
    from engine.session.events import Event
    from engine.session.requests import AnyRequest

Subscriber = queue.SimpleQueue["Event | None"]


class EngineThread:
    """Runs one engine after another; hands every published event to subscribers, and to `published`, the state."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.published: PublishedState | None = None
        self._running: RunningSearch | None = None
        self._thread: threading.Thread | None = None
        self._subscribers: list[Subscriber] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    @property
    def is_alive(self) -> bool:
        """Whether an engine is at work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def only_saves(self) -> bool:
        """Whether the engine that was started last searches nothing, and saves a model."""
        return self._running is not None and self._running.only_save

    def subscribe(self) -> Subscriber:
        """A queue of the events from now on; None comes last, when the engine has ended."""
        subscriber: Subscriber = queue.SimpleQueue()
        with self._lock:
            self._subscribers.append(subscriber)
        return subscriber

    def publish(self, event: Event) -> None:
        """Hand an event on; from the engine's thread."""
        if self.published is not None:
            self.published.put(event)
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.put(event)

    def start(self, running: RunningSearch) -> None:
        """Run an engine."""
        self._running = running
        self.published = PublishedState(running.session, running.segment)
        self._thread = threading.Thread(target=self._run, args=(running,), name="engine", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """The engine's outcome; None if it is still at work after `timeout` seconds. Raises what it failed with."""
        if self._thread is None:
            return self.outcome
        self._thread.join(timeout)
        if self._thread.is_alive():
            return None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self.outcome

    def ask(self, request: AnyRequest) -> bool:
        """Leave a request; False if no engine will read it."""
        return self._running is not None and self._running.ask(request)

    def interrupt(self) -> None:
        """Have the engine end at once; also from a signal handler."""
        if self._running is not None:
            self._running.interrupt()

    def _run(self, running: RunningSearch) -> None:
        try:
            self.outcome = running.run()
        except BaseException as error:
            self._failure = error
        finally:
            with self._lock:
                subscribers, self._subscribers = self._subscribers, []
            for subscriber in subscribers:
                subscriber.put(None)
