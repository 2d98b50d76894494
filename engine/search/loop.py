"""The loop of a running search: it waits for workers and requests, and decides what happens next.

One thread runs it. It is the one consumer of the workers' messages and the one writer of the journal. Whoever else
wants something of it leaves a request.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.analysis.forecast.deadline import Deadline, DeadlineWatch, request_of
from engine.errors import cannot_work
from engine.search.controller import Controller
from engine.search.ending import Ending
from engine.search.older_scores import scored_by_older_rules
from engine.search.recorder import Recorder
from engine.search.refits import Refits
from engine.search.request_handler import RequestHandler
from engine.search.running_trainings import RunningTrainings
from engine.search.session_record import changed_versions
from engine.search.supervisor import Supervisor
from engine.session import events, liveness
from engine.session.requests import take_requests
from engine.spec.revisions import REVISION
from engine.system.whole_files import remove_leftovers
from engine.workers import messages
from engine.workers.pool import MessageReceived, Pool, WorkerDeath
from engine.workers.start import data_order, start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.plan.prepared import Prepared
    from engine.search.ending import Outcome
    from engine.search.reuse import KnownFits
    from engine.session.requests import AnyRequest
    from engine.session.session import Session

# For workers that are to leave their trainings: a step and the writing of a checkpoint take less than a second mostly.
_LEAVE_SECONDS = 4.0


class RunningSearch:
    """A search at work on a session, from `run()` until it returns the outcome.

    `pool` has a worker started, by `start_worker`, for each of `devices`; it is closed at the end. `publish` gets every
    event once it lasts (scores: once they are synced); `warn` gets a line for what cannot be recorded. `known`: fits to
    take over, by combination and fold. `keeps_deadline`: the deadline of the engine before counts on while it is to
    come. `time_limit`: for each training, instead of the spec's or of what the engine before was given. `after`: the
    session's newest segment when nobody worked on it.
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
        requests: Sequence[AnyRequest] = (),
        only_save: bool = False,
        deadline: Deadline | None = None,
        time_limit: float | None = None,
        keeps_deadline: bool = False,
        after: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session, self.prepared, self.only_save = session, prepared, only_save
        self.state = state = session.state()
        self._clock = clock
        self._worker_count = len(devices)
        self._passed_over = known.passed_over if known else 0
        self._other_time_limit = time_limit or (state.started.time_limit if state.started is not None else None)
        # What is left of requests was meant for an engine that has ended; nobody can ask this one before its segment.
        take_requests(session.folder)
        self._ending = Ending(session, state)
        self._deadline = DeadlineWatch(state, clock)
        self._supervisor = Supervisor(
            session,
            pool,
            devices,
            start=lambda worker: start_worker(pool, worker, devices[worker], prepared.plan, prepared.spec.scoring),
            greetings=lambda: [data_order(session, prepared)],
            emit=self._emit,
            clock=clock,
        )
        self._record = record = Recorder(session, state, publish, warn, clock, after)
        try:
            if state.refit is not None and state.refit.is_unfinished:
                remove_leftovers(Path(state.refit.target).parent)
            self._controller = Controller(session, prepared, state, record, known.fits if known else {}, clock)
            self._queue = self._controller.queue
            limit = self._other_time_limit or prepared.spec.time_limit
            self._trainings = RunningTrainings(
                state, record, self._controller, self._supervisor, self._deadline, limit, clock
            )
            self._refits = Refits(session, state, self._controller, self._emit, clock)
            self._requests = RequestHandler(
                session,
                state,
                record,
                self._controller,
                self._trainings,
                self._refits,
                self._deadline,
                self._ending,
                clock,
                only_save=only_save,
            )
        except BaseException:
            record.close()
            raise
        if keeps_deadline and state.deadline is not None and state.deadline > clock():
            deadline = Deadline(at=state.deadline)
        for request in [*([request_of(deadline)] if deadline is not None else []), *requests]:
            self._requests.put(request)

    @property
    def segment(self) -> int:
        """The segment of the session's journal that it writes."""
        return self._record.journal.segment

    # From other threads

    def ask(self, request: AnyRequest) -> bool:
        """Leave a request, from any thread; False if the search has ended and nobody will read it."""
        return self._requests.put(request)

    def interrupt(self) -> None:
        """End as soon as trainings have checkpoints, so that it can be resumed; from any thread or signal handler."""
        self._ending.interrupt()

    # The loop

    def run(self) -> Outcome:
        """Work until nothing is left or it is to end. Raises InputOutputError if the session cannot be written."""
        try:
            self._begin()
            while not self._is_over():
                self._turn()
            if self._ending.at_once and not self._record.journal.overtaken:
                self._leave()
            return self._finish()
        except OSError as error:
            self._record.check_in_place()  # a folder that was removed leads to many different errors
            raise cannot_work(self.session.folder, error) from error
        finally:
            self._requests.close()
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
        seconds = self._record.patience(self._requests.seconds_until_read)
        self._receive(max(0.0, seconds), self._handle_death)
        self._requests.read()
        self._decide()
        self._check_deadline()
        self._dispatch()
        self._record.flush_if_due()
        self._trainings.hold_while_disk_is_full()
        if self._record.beat_if_due():
            self._supervisor.truncate_logs()
        self._trainings.stop_overdue()

    def _receive(self, seconds: float, handle_death: Callable[[WorkerDeath], None]) -> None:
        for report in self._supervisor.wait(seconds):
            if isinstance(report, WorkerDeath):
                handle_death(report)
            else:
                self._handle_message(report)

    def _decide(self) -> None:
        if self._is_deciding:
            self._controller.decide()
            self._trainings.abandon_dropped()

    @property
    def _is_deciding(self) -> bool:
        return self._controller.is_undecided and not self._ending.is_decided and not self.only_save

    def _check_deadline(self) -> None:
        """Announce what follows from the deadline; end when it has come, or when nothing that is left can meet it."""
        for event in self._deadline.look():
            self._emit(event)
            if isinstance(event, events.DelayForeseen):
                self._controller.prefer_complete()
        if self._ending.is_decided or not (self._trainings or self._queue):
            return
        if self._deadline.is_over:
            self._ending.stop(f"the deadline, {self._deadline.in_words}, has come", at_once=True)
        elif self._deadline.refused and not self._trainings:
            self._ending.stop(f"nothing that is left would end by the deadline, {self._deadline.in_words}")

    def _dispatch(self) -> None:
        """Give every idle worker something to do: refits that somebody waits for first."""
        while self._supervisor.idle:
            if self._refits.are_waiting:
                worker = self._supervisor.idle.pop()
                self._supervisor.send(worker, self._refits.start(worker))
            elif self._ending.is_decided or not self._trainings.start_next():
                return

    def _handle_message(self, received: MessageReceived) -> None:
        """Take a message into account, unless it is about work that its worker holds no more."""
        message, worker = received.message, received.worker
        match message:
            case messages.Ready():
                self._supervisor.welcome(worker, message.pid, is_held=self._trainings.are_held)
            case messages.OfTraining():
                self._trainings.handle(worker, message, is_leaving=self._ending.at_once)
            case messages.OfRefit():
                if self._refits.handle(worker, message, is_leaving=self._ending.at_once):
                    self._supervisor.idle.add(worker)

    def _handle_death(self, died: WorkerDeath) -> None:
        """Record a worker's death, settle what it held, and start another in its place."""
        how = self._supervisor.record_death(died, self._trainings.held_by(died.worker))
        self._trainings.worker_died(died, how)
        self._refits.worker_died(died.worker, how)
        if self._supervisor.hopeless:
            self._ending.fail(f"{self._supervisor.hopeless}; see: {self.session.command('logs')}")
        elif self._queue or self._refits.are_waiting or not self._ending.is_decided:
            self._supervisor.start(died.worker)

    # The end

    def _is_over(self) -> bool:
        if self._ending.at_once:
            return True
        busy = self._trainings or self._refits.are_running or self._refits.are_waiting or self._is_deciding
        # Closed before it ends: who asks later learns that nobody will answer.
        return not busy and (self._ending.is_decided or not self._queue) and self._requests.close_if_empty()

    def _leave(self) -> None:
        """Have every worker leave what it trains, with a checkpoint; what they score meanwhile counts."""
        self._supervisor.send_all(messages.Leave())
        until = time.monotonic() + _LEAVE_SECONDS
        while self._is_worth_a_checkpoint and (left := until - time.monotonic()) > 0:
            self._receive(self._record.patience(left), self._forget_worker)
            self._record.flush_if_due()

    @property
    def _is_worth_a_checkpoint(self) -> bool:
        return self._refits.are_running or self._trainings.have_begun

    def _forget_worker(self, died: WorkerDeath) -> None:
        self._trainings.forget(died.worker)
        self._refits.forget(died.worker)

    def _finish(self) -> Outcome:
        self._requests.refuse_the_rest()
        self._refits.refuse_waiting()
        outcome: Outcome = self._ending.outcome or "completed"
        if self.only_save and outcome != "failed":
            outcome = self._outcome_before
        elif outcome == "completed" and self.state.fits_finished < self.state.fits_total:
            outcome = "stopped"
        if outcome == "completed" and not self.only_save:
            self._controller.end()
        self._emit(events.SearchFinished(time=self._clock(), outcome=outcome, message=self._ending.message))
        self._record.flush_all(patient=not self._ending.at_once)
        return outcome

    def _emit(self, event: events.Event) -> None:
        self._record.emit(event)
