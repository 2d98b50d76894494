"""The follow thread: everything of a session that has to be read or written, so that the loop only draws.

It polls the session's events into a bounded queue and posts messages that mean "changed", which replace each other;
whoever draws drains the queue when it is due. A first reading, or one anew after the record was re-read, is replayed
here and handed over as a whole state. Curves, the machine's readings and requests to the engine go through it too:
a home folder on a stalled file server must not freeze the screen.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine.errors import FoldwatchError
from engine.session.events import SearchFinished, SearchStarted
from engine.session.state import SearchState
from tui.live.history import LOG_LINES, History, LogLine
from tui.live.printed import PrintedLines
from tui.live.process_usage import MachineReader, MachineReading
from tui.navigation import FollowedEvents, WatchedSession
from tui.parts.garbage import uncollected

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.events import AnyEvent, CurvePlace
    from engine.session.journal_reader import Damage
    from engine.session.liveness import Liveness
    from engine.session.requests import Request
    from engine.session.segments import Curve
    from engine.spec.rate_curve import PlannedRates
    from tui.processes.engine_command import EngineCommand

QUEUE_EVENTS = 20_000
BATCH_EVENTS = 2_000
# Polls in a row that brought nothing, and how many times as long it is then to the next one: an event is still on the
# screen within half a second of the record, and a search that nobody works on has none.
_QUIET = ((25, 4), (10, 3))
_NO_ENGINE = 10


class Changed(Message):
    """Something waits in the feed."""

    def can_replace(self, message: Message) -> bool:
        """One waiting message is enough, however much has changed."""
        return isinstance(message, Changed)


@dataclass
class Feed:
    """What waits to be drawn; `state` and `history` are given once for each generation, complete up to then.

    `printed`: lines that a script's fits printed; `damages`: all places of the record that could not be read, where
    there are others than before.
    """

    state: SearchState | None = None
    history: History | None = None
    events: list[AnyEvent] = field(default_factory=list)
    damages: list[Damage] | None = None
    liveness: Liveness | None = None
    machine: MachineReading | None = None
    curves: dict[CurvePlace, Curve | None] = field(default_factory=dict)
    planned: dict[int, PlannedRates | None] = field(default_factory=dict)
    printed: list[LogLine] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Follow(threading.Thread):
    """Follows one session until it is stopped; `changed` is called from this thread and must not block."""

    def __init__(
        self,
        session: WatchedSession,
        changed: Callable[[], None],
        *,
        poll_seconds: float = 0.1,
        liveness_seconds: float = 2.0,
        machine_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=f"follow {session.id}", daemon=True)
        self._session = session
        self._changed = changed
        self._poll_seconds = poll_seconds
        self._liveness_seconds, self._machine_seconds = liveness_seconds, machine_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._feed = Feed()
        self._work: deque[Callable[[Feed], None]] = deque()
        self._pids: list[int] = []
        self._backlog: deque[AnyEvent] = deque()
        self._commands: list[EngineCommand] = []
        self._last_problem = ""

    # What the drawing loop calls; none of it waits

    def drain(self) -> Feed:
        """Everything that waits, at most one batch of events; more is announced again."""
        with self._lock:
            feed, self._feed = self._feed, Feed()
            if len(feed.events) > BATCH_EVENTS:
                self._feed.events = feed.events[BATCH_EVENTS:]
                feed.events = feed.events[:BATCH_EVENTS]
                again = True
            else:
                again = False
        if again:
            self._changed()
        if self._backlog:
            self._wake.set()  # there is room for more
        return feed

    def want_curves(self, places: list[CurvePlace]) -> None:
        """Read these curves; they come with a later feed."""

        def read(feed: Feed) -> None:
            for place in places:
                feed.curves[place] = self._session.curve(place)

        self._add_work(read)

    def want_plan(self, combination: int, params: dict[str, Any], steps_per_epoch: int) -> None:
        """Work the planned learning rates out; they come with a later feed, None where the plan cannot be read."""

        def plan(feed: Feed) -> None:
            from engine.spec.rate_curve import planned_rates

            try:
                feed.planned[combination] = planned_rates(params, steps_per_epoch)
            except (KeyError, ValueError, TypeError, ArithmeticError) as error:
                feed.planned[combination] = None
                feed.problems.append(f"the learning rate of combination {combination} cannot be drawn: {error!r}")

        self._add_work(plan)

    def run_command(self, command: EngineCommand) -> None:
        """Start an engine command; its outcome comes with a later feed when it has ended."""

        def start(feed: Feed) -> None:
            command.start()
            self._commands.append(command)

        self._add_work(start)

    def send(self, requests: list[Request], done: str) -> None:
        """Write requests for the engine; `done`, or the error, comes with a later feed."""

        def write(feed: Feed) -> None:
            for request in requests:
                self._session.request(request)
            feed.answers.append(done)

        self._add_work(write)

    def watch_processes(self, pids: list[int]) -> None:
        """Whose memory and processor to read; none of another host's."""
        self._pids = pids

    def stop(self) -> None:
        """End soon, and never call `changed` again; does not wait for a read that hangs."""
        self._changed = _nobody_listens  # what it was called for is gone, whatever this thread still does
        self._stopping.set()
        self._wake.set()

    # The thread

    def run(self) -> None:
        """Poll until stopped; an error is handed over and the next poll tries again."""
        try:
            self._follow()
        except Exception as error:  # nobody sees a thread's own traceback
            new = Feed()
            self._report(new, RuntimeError(f"following {self._session.id}: internal error: {error!r}"))
            self._hand_over(new)
            self._changed()

    def _follow(self) -> None:
        follower: FollowedEvents | None = None
        generation = -1
        reader = MachineReader()
        liveness_due = machine_due = 0.0
        liveness: Liveness | None = None
        reading: MachineReading | None = None
        quiet_polls = damages_known = 0
        printed = PrintedLines(self._session.folder)
        while not self._stopping.is_set():
            new = Feed()
            try:
                if follower is None:
                    follower = self._session.follow()
                with uncollected() if generation < 0 else contextlib.nullcontext():
                    events = follower.poll()
                    if follower.generation != generation:
                        self._backlog.clear()
                        printed = PrintedLines(self._session.folder)
                        new.state, new.history = replay(events)
                        generation, damages_known = follower.generation, 0
                    else:
                        self._backlog.extend(events)
                if len(follower.damages) != damages_known:
                    damages_known = len(follower.damages)
                    new.damages = list(follower.damages)
                quiet_polls = 0 if events else quiet_polls + 1
                if any(isinstance(event, SearchStarted | SearchFinished) for event in events):
                    liveness_due = 0.0  # an engine came or went
                self._last_problem = ""
            except (FoldwatchError, OSError) as error:
                self._report(new, error)
            while self._work:
                try:
                    self._work.popleft()(new)
                except (FoldwatchError, OSError) as error:
                    new.problems.append(str(error))
            for command in [command for command in self._commands if command.has_ended]:
                self._commands.remove(command)
                (new.answers if command.succeeded else new.problems).append(command.outcome())
            try:
                if self._clock() >= liveness_due:
                    liveness_due = self._clock() + self._liveness_seconds
                    before, liveness = liveness, self._session.liveness()
                    new.liveness = liveness if liveness != before else None
                    if self._session.record.script is not None:
                        new.printed = printed.read()
                if self._clock() >= machine_due and (self._pids or reading is None or reading.gpus or reading.workers):
                    is_quiet = quiet_polls > _QUIET[0][0]
                    machine_due = self._clock() + self._machine_seconds * (2 if is_quiet else 1)
                    read_before, reading = reading, reader.read(self._pids)
                    # Without workers the same is read again and again.
                    new.machine = reading if reading.workers or reading != read_before else None
            except (FoldwatchError, OSError) as error:
                self._report(new, error)
            if self._hand_over(new):
                self._changed()
            is_worked_on = liveness is None or liveness.alive or bool(self._commands)
            self._wake.wait(self._poll_seconds * _times_as_long(quiet_polls, is_worked_on=is_worked_on))
            self._wake.clear()

    def _add_work(self, work: Callable[[Feed], None]) -> None:
        self._work.append(work)
        self._wake.set()

    def _report(self, feed: Feed, error: Exception) -> None:
        """A problem that lasts is reported once, not at every poll."""
        if str(error) != self._last_problem:
            self._last_problem = str(error)
            feed.problems.append(str(error))

    def _hand_over(self, new: Feed) -> bool:
        """Append a feed to the one that waits; events only as far as the queue has room, the rest stays here."""
        with self._lock:
            feed = self._feed
            if new.state is not None:
                # Events of the generation before no longer count.
                feed.state, feed.history, feed.events, feed.damages = new.state, new.history, [], None
                feed.printed = []
            room = QUEUE_EVENTS - len(feed.events)
            moved = min(room, len(self._backlog))
            feed.events.extend(self._backlog.popleft() for _ in range(moved))
            feed.damages = feed.damages if new.damages is None else new.damages
            feed.liveness = new.liveness or feed.liveness
            feed.machine = new.machine or feed.machine
            feed.curves.update(new.curves)
            feed.planned.update(new.planned)
            feed.printed = [*feed.printed, *new.printed][-LOG_LINES:]
            feed.answers += new.answers
            feed.problems += new.problems
        return bool(
            moved
            or new.state
            or new.damages
            or new.liveness
            or new.machine
            or new.curves
            or new.planned
            or new.printed
            or new.answers
            or new.problems
        )


def _nobody_listens() -> None:
    """Nobody listens any more."""


def _times_as_long(quiet_polls: int, *, is_worked_on: bool) -> int:
    """How many times the least pause there is before the next poll."""
    if not is_worked_on and quiet_polls > _QUIET[-1][0]:
        return _NO_ENGINE
    return next((times for polls, times in _QUIET if quiet_polls > polls), 1)


def replay(events: list[AnyEvent]) -> tuple[SearchState, History]:
    """A state and its history from the beginning."""
    state, history = SearchState(), History()
    for event in events:
        if state.apply(event):
            history.take(event, state)
    return state, history
