"""The trainings that workers hold: what starts next, what their messages mean, and what happens when one fails."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from engine.plan.sharing import is_served
from engine.search.worker_events import Work, epoch_ended, fits_scored, training_started
from engine.session import events
from engine.session.search_status import SearchStatus
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.analysis.forecast.deadline import DeadlineWatch
    from engine.plan.plan import Training
    from engine.search.controller import Controller
    from engine.search.recorder import Recorder
    from engine.search.supervisor import Supervisor
    from engine.session.state import SearchState
    from engine.workers.pool import WorkerDeath

_TOO_LONG = "its training took too long"


class RunningTrainings:
    """Gives trainings to idle workers and records what comes of them; a training that fails is tried once more.

    `time_limit`: seconds that each may take; None: as long as it needs.
    """

    def __init__(
        self,
        state: SearchState,
        record: Recorder,
        controller: Controller,
        supervisor: Supervisor,
        deadline: DeadlineWatch,
        time_limit: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._state, self._record, self._controller = state, record, controller
        self._supervisor, self._deadline, self._clock = supervisor, deadline, clock
        self._time_limit = time_limit
        self._work: dict[int, Work] = {}  # by worker
        self._last_of: dict[int, Training] = {}
        self._paused_since = 0.0
        self._waits_for_room = False

    def __len__(self) -> int:
        """How many workers hold one."""
        return len(self._work)

    @property
    def have_begun(self) -> bool:
        """Whether a worker trains, so that a checkpoint would be worth something."""
        return any(work.has_begun for work in self._work.values())

    @property
    def are_held(self) -> bool:
        """Whether none may start, and those that run wait: the search is paused, or the disk is full."""
        return self._waits_for_room or self._is_paused

    @property
    def _is_paused(self) -> bool:
        return self._state.status is SearchStatus.PAUSED

    def held_by(self, worker: int) -> int | None:
        """The number of the training that a worker holds."""
        work = self._work.get(worker)
        return work.training.number if work is not None else None

    def start_next(self) -> bool:
        """Give the next training to an idle worker; False if none may start now."""
        if self.are_held or self._deadline.refused:
            return False
        worker = min(self._supervisor.idle)
        running = [work.training for work in self._work.values()]
        taken = self._controller.queue.take(running, self._last_of.get(worker), self._deadline.may_start())
        if taken is None:
            return False
        self._deadline.refused = False  # a shorter one may start
        training, fits = taken
        self._supervisor.idle.remove(worker)
        self._last_of[worker] = training
        work = self._work[worker] = Work(training, fits)
        self._supervisor.send(worker, self._controller.order(work))
        return True

    def handle(self, worker: int, message: messages.OfTraining, *, is_leaving: bool) -> None:
        """Record a message about a training, unless its worker holds it no more. `is_leaving`: all are to be left."""
        work, now = self._work.get(worker), self._clock()
        if work is None or message.training != work.training.number:
            return
        match message:
            case messages.Begun():
                work.has_begun = True
                limit = self._time_limit or math.inf
                work.kill_at = time.monotonic() + max(0.0, limit - message.seconds)
                self._record.emit(training_started(work, worker, message, now))
            case messages.EpochDone(before=True):
                self._record.emit_earlier(epoch_ended(work, message, now))
            case messages.EpochDone():
                self._record.emit(epoch_ended(work, message, now))
            case messages.Scored():
                self._record_scores(work, message, now)
            case messages.Ended():
                self._free(worker)
                self._controller.ended(work.training)
                self._supervisor.recycle_if_grown(worker, message.memory)
            case messages.Failed():
                self._free(worker)
                if message.out_of_memory:
                    self._try_again(work, "out of memory", alone=True, traceback=message.traceback)
                else:
                    self._give_up(work, message.error, message.traceback)
            case messages.Left() if is_leaving:
                self.forget(worker)

    def worker_died(self, died: WorkerDeath, how: str) -> None:
        """A worker died: what it held is tried once more, or has failed. `how` it died, in words."""
        work = self._work.pop(died.worker, None)
        if work is None:
            return
        if died.reason == _TOO_LONG:
            more = "resume with --retry and --time-limit gives it more"
            self._give_up(work, f"took longer than time_limit = {self._time_limit:g} s; {more}", "")
        else:
            # The system kills with SIGKILL when memory runs out.
            self._try_again(work, f"its worker died: {how}", alone=died.signal == "SIGKILL")

    def forget(self, worker: int) -> None:
        """A worker has left its training, or is gone: nothing more is expected of it."""
        self._work.pop(worker, None)

    def stop_overdue(self) -> None:
        """End the workers whose trainings take longer than the time limit; time in a pause does not count."""
        now = time.monotonic()
        for worker, work in self._work.items():
            if now > work.kill_at and not self._is_paused:
                work.kill_at = math.inf
                self._supervisor.stop(worker, _TOO_LONG)

    def abandon_dropped(self) -> None:
        """Have workers leave out what was dropped while they train it."""
        for worker, work in self._work.items():
            wanted = [fit.epochs for fit in work.fits if not self._state.combinations[fit.combination].dropped]
            if len(wanted) < len(work.fits):
                self._supervisor.send(
                    worker,
                    messages.Abandon(training=work.training.number, epochs=max(wanted, default=0)),
                )

    def pause(self) -> None:
        """Halt all trainings at their next epoch's end."""
        self._supervisor.send_all(messages.Hold())
        self._paused_since = time.monotonic()
        self._record.emit(events.SearchPaused(time=self._clock()))

    def resume(self) -> None:
        """Go on after a pause."""
        if not self._waits_for_room:
            self._supervisor.send_all(messages.GoOn())
        for work in self._work.values():
            work.kill_at += time.monotonic() - self._paused_since
        self._record.emit(events.SearchResumed(time=self._clock()))

    def hold_while_disk_is_full(self) -> None:
        """Halt all trainings while nothing can be recorded, and let them go on when there is room."""
        if self._record.disk_is_full != self._waits_for_room:
            self._waits_for_room = self._record.disk_is_full
            self._supervisor.send_all(messages.Hold() if self.are_held else messages.GoOn())

    def _free(self, worker: int) -> None:
        self.forget(worker)
        self._supervisor.idle.add(worker)

    def _record_scores(self, work: Work, message: messages.Scored, now: float) -> None:
        self._supervisor.scored()
        self._controller.is_undecided = True
        place = self._record.journal.append_curve(work.curve)
        predictions = self._record.keep_predictions(message.predictions)
        for event in fits_scored(work, message, place, predictions, now):
            self._record.emit(event)

    def _unserved(self, work: Work) -> list[events.ServedFit]:
        fold, combinations = work.training.fold, self._state.combinations
        return [fit for fit in work.fits if not is_served(combinations[fit.combination], fold, fit.epochs)]

    def _give_up(self, work: Work, error: str, traceback: str) -> None:
        self._controller.is_undecided = True
        for fit in self._unserved(work):
            self._record.emit(
                events.FitFailed(
                    time=self._clock(),
                    combination=fit.combination,
                    fold=work.training.fold,
                    training=work.training.number,
                    error=error,
                    traceback=traceback,
                )
            )
        self._controller.ended(work.training)

    def _try_again(self, work: Work, reason: str, *, alone: bool, traceback: str = "") -> None:
        """Train what is not served once more, if that was not done before; `alone` where memory may have been short."""
        unserved = self._unserved(work)
        if not unserved:
            self._controller.ended(work.training)
            return
        if not self._controller.queue.take_back(work.training, alone=alone):
            where = ", when it ran alone: most likely out of memory" if alone else ""
            self._give_up(work, f"{reason}, for the second time{where}", traceback)
            return
        for fit in unserved:
            self._record.emit(
                events.FitRetried(
                    time=self._clock(),
                    combination=fit.combination,
                    fold=work.training.fold,
                    training=work.training.number,
                    reason=reason,
                )
            )
