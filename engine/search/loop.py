"""The loop of a running search: hands trainings to workers, writes the journal, tells subscribers, obeys requests.

One thread runs it. It is the one consumer of the workers' pipes and the one writer of the journal. Whatever else
wants something of it leaves a request.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.analysis.forecast.deadline import Deadline, DeadlineWatch, request_of
from engine.errors import FoldwatchError, InputOutputError, UsageError, cannot_work
from engine.search import changes
from engine.search.controller import Controller
from engine.search.inbox import Inbox
from engine.search.older_scores import scored_by_older_rules
from engine.search.recorder import Recorder
from engine.search.refits import TOO_LATE, Refits
from engine.search.session_record import changed_versions
from engine.search.supervisor import Supervisor
from engine.search.worker_events import (
    Work,
    epoch_ended,
    fits_scored,
    training_started,
)
from engine.session import events, liveness
from engine.session import requests as control
from engine.session.state import SearchStatus
from engine.spec.revisions import REVISION
from engine.system.permissions import create_file
from engine.system.whole_files import remove_leftovers
from engine.workers import messages
from engine.workers.pool import Died, Said
from engine.workers.process_pool import Pool
from engine.workers.start import data_order, start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.plan.plan import Training
    from engine.plan.prepared import Prepared
    from engine.search.reuse import KnownFits
    from engine.session.session import Session

_REQUEST_SECONDS = 0.2
_TOO_LONG = "its training took too long"
# For workers that are to leave their trainings: a step and the writing of a checkpoint take less than a second mostly.
_LEAVE_SECONDS = 4.0

Outcome = Literal["completed", "stopped", "interrupted", "failed"]


class RunningSearch:
    """A search at work on a session, from `run()` until it returns the outcome.

    `pool` has a worker started, by `start_worker`, for each of `devices`; it is closed at the end. `publish` gets every
    event once it lasts (scores: once they are synced); `warn` is told what cannot be recorded. `known`: fits to take
    over, by combination and fold. `keeps_deadline`: one that the engine before was told counts on while it is to come.
    `time_limit`: for each training, instead of the spec's or of what the engine before was given.
    `after`: the session's newest segment when nobody worked on it.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        *,
        pool: Pool,
        devices: Sequence[str],
        publish: Callable[[events.Event], None],
        warn: Callable[[str], None],
        known: KnownFits | None = None,
        requests: Sequence[control.AnyRequest] = (),
        only_save: bool = False,
        deadline: Deadline | None = None,
        time_limit: float | None = None,
        keeps_deadline: bool = False,
        after: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session, self.prepared = session, prepared
        self.state = session.state()
        self._clock = clock
        self._worker_count = len(devices)
        self._supervisor = Supervisor(
            session,
            pool,
            devices,
            start=lambda worker: start_worker(pool, worker, devices[worker], prepared.plan, prepared.spec.scoring),
            greetings=lambda: [data_order(session, prepared)],
            emit=self._emit,
            clock=clock,
        )
        # What is left of requests was meant for an engine that has ended; nobody can ask this one before its segment.
        control.take_requests(session.folder)
        self._paused_since = 0.0
        self._held_for_room = False
        self._requests_at = 0.0
        self._inbox = Inbox()
        self._passed_over = known.passed_over if known else 0
        self.only_save = only_save
        before = self.state.started
        self._other_time_limit = time_limit or (before.time_limit if before is not None else None)
        self._time_limit = self._other_time_limit or prepared.spec.time_limit
        self._work: dict[int, Work] = {}
        self._ending: Outcome | None = None
        self._at_once = False
        self._message = ""
        self._last_of: dict[int, Training] = {}
        self._deadline = DeadlineWatch(self.state, clock)
        told_before = self.state.deadline
        if keeps_deadline and told_before is not None and told_before > clock():
            deadline = Deadline(at=told_before)
        if deadline is not None:
            self._inbox.put(request_of(deadline))
        for request in requests:
            self._inbox.put(request)
        self._record = Recorder(session, self.state, publish, warn, clock, after)
        try:
            refit = self.state.refit
            if refit is not None and refit.is_unfinished:
                remove_leftovers(Path(refit.target).parent)
            known_fits = known.fits if known else {}
            self._controller = Controller(session, prepared, self.state, self._record, known_fits, clock)
            self._queue = self._controller.queue
            self._refits = Refits(session, self.state, self._controller, self._emit, clock)
        except BaseException:
            self._record.close()
            raise

    # From other threads

    def ask(self, request: control.AnyRequest) -> bool:
        """Leave a request, from any thread; False if the search has ended and nobody will read it."""
        return self._inbox.put(request)

    def interrupt(self) -> None:
        """End as soon as trainings have checkpoints, so that it can be resumed; from any thread or signal handler."""
        self._ending, self._at_once = "interrupted", True

    # The loop

    def run(self) -> Outcome:
        """Work until nothing is left or it is to end. Raises InputOutputError if the session cannot be written."""
        try:
            self._begin()
            while not self._is_over():
                self._turn()
            if self._at_once and not self._record.journal.overtaken:
                self._leave()
            return self._finish()
        except OSError as error:
            self._check_in_place()  # a folder that was removed says so in many ways
            raise cannot_work(self.session.folder, error) from error
        finally:
            self._inbox.close()
            self._supervisor.close()
            self._record.close()

    def _begin(self) -> None:
        before = self.state.status
        self._outcome_before: Outcome = "stopped" if not before.is_finished else before.value  # type: ignore[assignment]
        spec = self.prepared.spec
        waiting = [] if self.only_save else self._controller.unfinished()
        self._emit(
            events.SearchStarted(
                time=self._clock(),
                session=self.session.id,
                segment=self._record.journal.segment,
                dataset=spec.dataset,
                synthetic=self.prepared.dataset.synthetic,
                rows=self.prepared.rows,
                classes=self.prepared.dataset.training.classes,
                splits=spec.splits,
                scoring=spec.scoring,
                workers=self._worker_count,
                trainings=len(waiting),
                cost=sum(training.cost for training in waiting),
                host=self.session.record.host if self._record.journal.segment == 1 else liveness.this_process().host,
                pid=liveness.this_process().pid,
                changed=[] if self.only_save else changed_versions(self.session.record),
                num_words=spec.num_words,
                folds=spec.folds,
                only_save=self.only_save,
                revision=REVISION,
                older=scored_by_older_rules(self.state.combinations),
                passed_over=self._passed_over,
                time_limit=self._other_time_limit,
            )
        )
        if not self.only_save:
            self._controller.begin()

    def _turn(self) -> None:
        self._listen(self._patience(), self._handle_death)
        self._read_requests()
        self._decide()
        self._check_deadline()
        self._dispatch()
        self._record.flush_if_due()
        self._hold_while_disk_is_full()
        if self._record.beat_if_due():
            self._supervisor.truncate_logs()
        self._stop_what_takes_too_long()

    def _listen(self, seconds: float, handle_death: Callable[[Died], None]) -> None:
        for happened in self._supervisor.wait(seconds):
            if isinstance(happened, Died):
                handle_death(happened)
            else:
                self._handle_message(happened)

    def _leave(self) -> None:
        """Have every worker leave what it trains, with a checkpoint; what they score meanwhile counts."""
        self._supervisor.send_all(messages.Leave())
        until = time.monotonic() + _LEAVE_SECONDS
        while self._is_holding and (left := until - time.monotonic()) > 0:
            self._listen(self._record.patience(left), lambda died: self._forget_work(died.worker))
            self._record.flush_if_due()

    @property
    def _is_holding(self) -> bool:
        """Whether a worker trains what a checkpoint would be worth."""
        return self._refits.are_running or any(work.has_begun for work in self._work.values())

    def _forget_work(self, worker: int) -> None:
        self._work.pop(worker, None)
        self._refits.forget(worker)

    def _decide(self) -> None:
        if self._is_deciding:
            self._controller.decide()
            self._abandon_what_is_dropped()

    @property
    def _is_deciding(self) -> bool:
        return self._controller.is_undecided and self._ending is None and not self.only_save

    def _hold_while_disk_is_full(self) -> None:
        if self._record.disk_is_full != self._held_for_room:
            self._held_for_room = self._record.disk_is_full
            self._supervisor.send_all(messages.Hold() if self._held_for_room or self._is_paused else messages.GoOn())

    @property
    def _is_paused(self) -> bool:
        return self.state.status is SearchStatus.PAUSED

    def _stop_what_takes_too_long(self) -> None:
        now = time.monotonic()
        for worker, work in self._work.items():
            if now > work.kill_at and not self._is_paused:
                work.kill_at = math.inf
                self._supervisor.stop(worker, _TOO_LONG)

    def _check_deadline(self) -> None:
        """Say what the deadline makes worth saying; end when it has come, or when nothing that is left can meet it."""
        for event in self._deadline.look():
            self._emit(event)
            if isinstance(event, events.DelayForeseen):
                self._controller.prefer_complete()
        if self._ending is not None or not (self._work or self._queue):
            return
        if self._deadline.is_over:
            self._ending, self._at_once = "stopped", True
            self._message = f"the deadline, {self._deadline.in_words}, has come; {self._how_to_go_on}"
        elif self._deadline.refused and not self._work:
            self._ending = "stopped"
            self._message = (
                f"nothing that is left would end by the deadline, {self._deadline.in_words}; {self._how_to_go_on}"
            )

    @property
    def _how_to_go_on(self) -> str:
        left = self.state.fits_total - self.state.fits_finished
        return f"go on with the {left} fits that are left: {self.session.command('resume')}"

    def _patience(self) -> float:
        wait = self._requests_at + _REQUEST_SECONDS - time.monotonic()
        return max(0.0, self._record.patience(wait))

    def _is_over(self) -> bool:
        if self._at_once:
            return True
        busy = self._work or self._refits.are_running or self._refits.are_waiting or self._is_deciding
        # Closed before it ends: who asks later is told that nobody will answer.
        return not busy and (self._ending is not None or not self._queue) and self._inbox.close_if_empty()

    def _finish(self) -> Outcome:
        self._refuse_the_rest()
        self._refits.refuse_waiting()
        outcome: Outcome = self._ending or "completed"
        if self.only_save and outcome != "failed":
            outcome = self._outcome_before
        elif outcome == "completed" and self.state.fits_finished < self.state.fits_total:
            outcome = "stopped"
        if outcome == "completed" and not self.only_save:
            self._controller.end()
        self._emit(events.SearchFinished(time=self._clock(), outcome=outcome, message=self._message))
        self._record.flush_all(patient=not self._at_once)
        return outcome

    def _emit(self, event: events.Event) -> None:
        self._record.emit(event)

    # Work

    def _dispatch(self) -> None:
        """Give every idle worker something to do: refits that somebody waits for first."""
        while self._supervisor.idle:
            if self._refits.are_waiting:
                worker = self._supervisor.idle.pop()
                self._supervisor.send(worker, self._refits.start(worker))
            elif not self._start_training():
                return

    def _start_training(self) -> bool:
        if self._ending or self._held_for_room or self._is_paused or self._deadline.refused:
            return False
        worker = min(self._supervisor.idle)
        running = [work.training for work in self._work.values()]
        taken = self._queue.take(running, self._last_of.get(worker), self._deadline.may_start())
        if taken is None:
            return False
        self._deadline.refused = False  # something shorter was found
        training, fits = taken
        self._supervisor.idle.remove(worker)
        self._last_of[worker] = training
        work = self._work[worker] = Work(training, fits)
        self._supervisor.send(worker, self._controller.order(work))
        return True

    # What workers say

    def _handle_message(self, said: Said) -> None:
        """Take a message into account, unless it is about work that its worker holds no more."""
        message, worker = said.message, said.worker
        work = self._work.get(worker)
        match message:
            case messages.Ready():
                self._supervisor.welcome(worker, message.pid, is_held=self._is_paused or self._held_for_room)
            case messages.OfTraining() if work is not None and message.training == work.training.number:
                self._handle_training(worker, work, message)
            case messages.OfRefit():
                if self._refits.handle(worker, message, is_leaving=self._at_once):
                    self._free(worker)

    def _handle_training(self, worker: int, work: Work, message: messages.OfTraining) -> None:
        now = self._clock()
        match message:
            case messages.Begun():
                work.has_begun = True
                limit = self._time_limit or math.inf
                work.kill_at = time.monotonic() + max(0.0, limit - message.seconds)
                self._emit(training_started(work, worker, message, now))
            case messages.EpochDone(before=True):
                self._record.emit_earlier(epoch_ended(work, message, now))
            case messages.EpochDone():
                self._emit(epoch_ended(work, message, now))
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
            case messages.Left() if self._at_once:
                self._forget_work(worker)

    def _free(self, worker: int) -> None:
        self._forget_work(worker)
        self._supervisor.idle.add(worker)

    def _record_scores(self, work: Work, message: messages.Scored, now: float) -> None:
        self._supervisor.scored()
        self._controller.is_undecided = True
        place = self._record.journal.append_curve(work.curve)
        predictions = self._record.keep_predictions(message.predictions)
        for event in fits_scored(work, message, place, predictions, now):
            self._emit(event)

    def _unserved(self, work: Work) -> list[events.ServedFit]:
        fold, unserved = work.training.fold, []
        for fit in work.fits:
            combination = self.state.combinations[fit.combination]
            if not combination.fits[fold].is_finished and combination.epochs_behind(fold) < fit.epochs:
                unserved.append(fit)
        return unserved

    def _give_up(self, work: Work, error: str, traceback: str) -> None:
        self._controller.is_undecided = True
        for fit in self._unserved(work):
            self._emit(
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

    # Workers that die

    def _handle_death(self, died: Died) -> None:
        """Record a worker's death, put what it held back once, and start another in its place."""
        work = self._work.pop(died.worker, None)
        how = self._supervisor.record_death(died, work.training.number if work else None)
        if work is not None and died.reason == _TOO_LONG:
            more = "resume with --retry and --time-limit gives it more"
            self._give_up(work, f"took longer than time_limit = {self._time_limit:g} s; {more}", "")
        elif work is not None:
            # The system kills with SIGKILL when memory runs out.
            self._try_again(work, f"its worker died: {how}", alone=died.signal == "SIGKILL")
        self._refits.worker_died(died.worker, how)
        if self._supervisor.hopeless:
            self._fail(self._supervisor.hopeless)
        elif self._queue or self._refits.are_waiting or self._ending is None:
            self._supervisor.start(died.worker)

    def _fail(self, why: str) -> None:
        self._ending, self._at_once = "failed", True
        self._message = f"{why}; see: {self.session.command('logs')}"

    def _try_again(self, work: Work, reason: str, *, alone: bool, traceback: str = "") -> None:
        """Once more, if it has not been tried before: `alone` where memory may have been short."""
        unserved = self._unserved(work)
        if not unserved:
            self._controller.ended(work.training)
            return
        if not self._queue.take_back(work.training, alone=alone):
            where = ", when it ran alone: most likely out of memory" if alone else ""
            self._give_up(work, f"{reason}, for the second time{where}", traceback)
            return
        for fit in unserved:
            self._emit(
                events.FitRetried(
                    time=self._clock(),
                    combination=fit.combination,
                    fold=work.training.fold,
                    training=work.training.number,
                    reason=reason,
                )
            )

    # Requests

    def _read_requests(self) -> None:
        for request in self._inbox.take():
            self._apply(request)
        now = time.monotonic()
        if now - self._requests_at >= _REQUEST_SECONDS:
            self._requests_at = now
            self._check_still_mine()
            if self._at_once:
                return
            requests, refused = control.take_requests(self.session.folder)
            for request in requests:
                self._apply(request)
            for reason in refused:
                self._note_refused(reason)

    def _check_still_mine(self) -> None:
        """Before anything is taken from the folder: requests there may be for another engine by now."""
        self._check_in_place()
        if self._record.journal.overtaken:
            self._ending, self._at_once = "failed", True
            self._message = "another engine took this session over"

    def _check_in_place(self) -> None:
        if not self._record.journal.is_in_place:
            message = f"{self.session.folder}: the session's record was removed; nothing more can be recorded there"
            raise InputOutputError(message)

    def _note_refused(self, reason: str) -> None:
        with open(self.session.folder / "engine.log", "a", opener=create_file) as log:
            log.write(f"request refused: {reason}\n")

    def _apply(self, request: control.AnyRequest) -> None:
        now = self._clock()
        known = range(len(self.state.combinations))
        match request:
            case control.Pause() if self.state.status is SearchStatus.RUNNING:
                self._supervisor.send_all(messages.Hold())
                self._paused_since = time.monotonic()
                self._emit(events.SearchPaused(time=now))
            case control.Resume() if self._is_paused:
                if not self._held_for_room:
                    self._supervisor.send_all(messages.GoOn())
                for work in self._work.values():
                    work.kill_at += time.monotonic() - self._paused_since
                self._emit(events.SearchResumed(time=now))
            case control.Stop():
                self._stop(at_once=request.at_once)
            case control.Skip() if request.combination in known:
                self._controller.skip(request.combination)
                self._abandon_what_is_dropped()
            case control.Retry() if request.combination in known:
                self._retry(request)
            case control.Save():
                self._refits.add(request)
            case control.SetDeadline():
                self._emit(self._deadline.set(Deadline.of(request)))
            case control.AddValues() | control.DropValues() | control.PutFirst() | control.Clone() | control.Undo():
                self._steer(request)
            case _:
                self._note_refused(f"{request} does not fit a search that is {self.state.status}")

    def _stop(self, *, at_once: bool) -> None:
        """End when what runs is finished. What is paused may have hours to go: it is left with its checkpoint."""
        if self._is_paused:
            at_once = True
            self._message = f"what was paused is kept; {self._how_to_go_on}"
        if not self.only_save and (self.state.status is not SearchStatus.STOPPING or at_once):
            self._emit(events.SearchStopping(time=self._clock(), at_once=at_once))
        self._ending = self._ending or "stopped"
        self._at_once = self._at_once or at_once

    def _refuse_the_rest(self) -> None:
        """Requests that came too late: nobody else will read them."""
        self._inbox.close()
        requests = self._inbox.take()
        if not self._record.journal.overtaken:
            requests += control.take_requests(self.session.folder)[0]
        for request in requests:
            self._note_refused(f"{request} came when the search had ended")
            if isinstance(request, control.Save):
                self._refits.refuse(request, TOO_LATE)

    def _steer(self, request: changes.Request) -> None:
        try:
            self._controller.steer(request)
        except FoldwatchError as error:
            self._note_refused(f"{request}: {error}")
        else:
            self._abandon_what_is_dropped()

    def _retry(self, request: control.Retry) -> None:
        try:
            changes.check_retry(request.combination, self.state)
        except UsageError as error:
            self._note_refused(f"{request}: {error}")
        else:
            self._controller.restore(request.combination)
            self._deadline.refused = False

    def _abandon_what_is_dropped(self) -> None:
        for worker, work in self._work.items():
            wanted = [fit.epochs for fit in work.fits if not self.state.combinations[fit.combination].dropped]
            if len(wanted) < len(work.fits):
                self._supervisor.send(
                    worker,
                    messages.Abandon(training=work.training.number, epochs=max(wanted, default=0)),
                )
