"""The loop of a running search: hands trainings to workers, writes the journal, tells subscribers, obeys requests.

One thread runs it. It is the one consumer of the workers' pipes and the one writer of the journal. Whatever else
wants something of it leaves a request.
"""

from __future__ import annotations

import math
import os
import queue
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine import control, events, liveness, messages
from engine.agenda import Agenda
from engine.model_record import model_record
from engine.pool import Died, Pool, Said
from engine.recorder import Recorder
from engine.staffing import data_order, start_worker
from engine.state import SearchStatus
from engine.translation import (
    Work,
    epoch_ended,
    fit_taken_over,
    fits_scored,
    model_saved,
    refit_event,
    training_started,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.plan import Training
    from engine.preparing import Prepared
    from engine.session import Session
    from engine.takeover import KnownFit

_REQUEST_SECONDS = 0.2
_TOO_LONG = "its training took too long"
_LARGEST_LOG = 10 << 20
_DEATHS_IN_VAIN = 10
_STARTS_IN_VAIN = 3  # workers in a row that die before they are ready: then something is wrong with all of them
_WORKER_MEMORY_GROWTH = 1 << 30

Outcome = Literal["completed", "stopped", "interrupted", "failed"]


@dataclass(frozen=True)
class _Refit:
    combination: int
    path: str


class RunningSearch:
    """A search at work on a session, from `run()` until it returns the outcome.

    `pool` has a worker started, by `start_worker`, for each of `devices`; it is closed at the end. `publish` gets every
    event once it lasts (scores: once they are synced); `warn` is told what cannot be recorded. `known`: fits to take
    over, by combination and fold.
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
        known: Mapping[tuple[int, int], KnownFit] | None = None,
        saves: Sequence[control.Save] = (),
        only_save: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session, self.prepared = session, prepared
        self.state = session.state()
        self._clock = clock
        self._pool, self._devices = pool, devices
        # What is left of requests was meant for an engine that has ended; nobody can ask this one before its segment.
        control.take_requests(session.folder)
        self._record = Recorder(session, self.state, publish, warn, clock)
        self._paused_since = 0.0
        self._held_for_room = False
        self._requests_at = 0.0
        self._inbox: queue.SimpleQueue[control.AnyRequest] = queue.SimpleQueue()
        self._agenda = Agenda(prepared.plan, self.state)
        self.only_save = only_save
        self._known = known or {}
        self._work: dict[int, Work] = {}
        self._refitting: dict[int, _Refit] = {}
        self._refits: deque[_Refit] = deque()
        self._idle: set[int] = set()
        self._vain_starts = self._deaths_in_vain = 0
        self._ending: Outcome | None = None
        self._at_once = False
        self._message = ""
        self._memory_of: dict[int, int] = {}
        self._last_of: dict[int, Training] = {}
        for save in saves:
            self._inbox.put(save)

    # From other threads

    def ask(self, request: control.AnyRequest) -> None:
        """Leave a request, from any thread."""
        self._inbox.put(request)

    def interrupt(self) -> None:
        """End as soon as possible, so that it can be resumed; from any thread or signal handler."""
        self._ending, self._at_once = "interrupted", True

    # The loop

    def run(self) -> Outcome:
        """Work until nothing is left or it is to end. Raises InputOutputError if the journal cannot be written."""
        try:
            self._begin()
            while not self._is_over():
                self._turn()
            outcome = self._finish()
        finally:
            self._pool.close()
            self._record.journal.close()
        return outcome

    def _begin(self) -> None:
        before = self.state.status
        self._outcome_before: Outcome = "stopped" if not before.is_finished else before.value  # type: ignore[assignment]
        spec = self.prepared.spec
        if not self.only_save:
            self._agenda.fill(self._known)
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
                workers=len(self._devices),
                trainings=len(self._agenda),
                cost=self._agenda.cost,
                host=self.session.record.host if self._record.journal.segment == 1 else liveness.this_process().host,
                pid=liveness.this_process().pid,
            )
        )
        if not self.state.combinations:
            planned = list(self.prepared.plan.combinations)
            self._emit(events.CombinationsAdded(time=self._clock(), combinations=planned))
        for training in self.prepared.plan.trainings:
            for fit in training.fits:
                known = self._known.get((fit.combination, training.fold))
                if known is not None:
                    place = self._record.journal.append_curve(known.curve) if known.curve else None
                    self._emit(fit_taken_over(training, fit, known, place, self._clock()))

    def _start_worker(self, number: int) -> None:
        start_worker(self._pool, number, self._devices[number], self.prepared.plan, self.prepared.spec.scoring)

    def _turn(self) -> None:
        for happened in self._pool.wait(self._patience()):
            if isinstance(happened, Died):
                self._bury(happened)
            else:
                self._hear(happened)
        self._read_requests()
        self._dispatch()
        self._record.flush_if_due()
        self._hold_while_disk_is_full()
        if self._record.beat_if_due():
            self._look_around()
        self._stop_what_takes_too_long()

    def _look_around(self) -> None:
        if self._record.journal.overtaken:
            self._ending, self._at_once = "failed", True
            self._message = "another engine took this session over"
        # A worker that floods its output must not fill the disk.
        for log in self.session.folder.glob("worker.*.log"):
            if log.stat().st_size > _LARGEST_LOG:
                os.truncate(log, 0)

    def _hold_while_disk_is_full(self) -> None:
        if self._record.disk_is_full != self._held_for_room:
            self._held_for_room = self._record.disk_is_full
            self._to_all(messages.Hold() if self._held_for_room or self._is_paused else messages.GoOn())

    @property
    def _is_paused(self) -> bool:
        return self.state.status is SearchStatus.PAUSED

    def _stop_what_takes_too_long(self) -> None:
        now = time.monotonic()
        for worker, work in self._work.items():
            if now > work.deadline and not self._is_paused:
                work.deadline = math.inf
                self._pool.stop(worker, _TOO_LONG)

    def _patience(self) -> float:
        wait = self._requests_at + _REQUEST_SECONDS - time.monotonic()
        return max(0.0, self._record.patience(wait))

    def _is_over(self) -> bool:
        if self._at_once:
            return True
        busy = self._work or self._refitting or self._refits
        return not busy and (self._ending is not None or not self._agenda) and self._inbox.empty()

    def _finish(self) -> Outcome:
        outcome: Outcome = self._ending or "completed"
        if outcome == "completed" and self.state.fits_finished < self.state.fits_total:
            outcome = self._outcome_before if self.only_save else "stopped"
        self._emit(events.SearchFinished(time=self._clock(), outcome=outcome, message=self._message))
        self._record.flush_all(patient=not self._at_once)
        self._record.beat(ended=True)
        return outcome

    def _emit(self, event: events.Event) -> None:
        self._record.emit(event)

    # Work

    def _dispatch(self) -> None:
        """Give every idle worker something to do: refits that somebody waits for first."""
        while self._idle:
            if self._refits:
                self._start_refit(self._refits.popleft())
            elif not self._start_training():
                return

    def _start_training(self) -> bool:
        if self._ending or self._held_for_room or self._is_paused:
            return False
        worker = min(self._idle)
        taken = self._agenda.take([work.training for work in self._work.values()], self._last_of.get(worker))
        if taken is None:
            return False
        training, fits = taken
        self._idle.remove(worker)
        self._last_of[worker] = training
        work = self._work[worker] = Work(training, fits)
        self._pool.send(
            worker,
            messages.Train(
                training=training.number,
                trainer=training.trainer,
                fold=training.fold,
                params=training.params,
                stops=work.stops,
            ),
        )
        return True

    def _start_refit(self, refit: _Refit) -> None:
        worker = self._idle.pop()
        combination = self.state.combinations[refit.combination]
        self._refitting[worker] = refit
        self._pool.send(
            worker,
            messages.Refit(
                combination=refit.combination,
                trainer=combination.trainer,
                params=combination.params,
                path=refit.path,
                record=model_record(self.session, self.state, refit.combination),
            ),
        )

    # What workers say

    def _hear(self, said: Said) -> None:
        message, worker, now = said.message, said.worker, self._clock()
        work = self._work.get(worker)
        match message:
            case messages.Ready():
                self._welcome(worker, message.pid)
            case messages.Begun() if work:
                work.deadline = time.monotonic() + (self.prepared.spec.time_limit or math.inf)
                self._emit(training_started(work, worker, message, now))
            case messages.EpochDone() if work:
                self._emit(epoch_ended(work, message, now))
            case messages.Scored() if work:
                self._record_scores(work, message, now)
            case messages.Ended():
                self._free(worker)
                self._recycle_if_grown(worker, message.memory)
            case messages.Failed() if work:
                if message.out_of_memory:
                    self._try_again(work, "out of memory", alone=True, traceback=message.traceback)
                else:
                    self._give_up(work, message.error, message.traceback)
                self._free(worker)
            case messages.RefitEpoch():
                self._emit(refit_event(message, now))
            case messages.Saved():
                for event in model_saved(message, now):
                    self._emit(event)
                self._free(worker)
            case messages.RefitFailed():
                self._emit(refit_event(message, now))
                self._free(worker)

    def _welcome(self, worker: int, pid: int) -> None:
        self._vain_starts = 0
        self._idle.add(worker)
        self._emit(events.WorkerStarted(time=self._clock(), worker=worker, pid=pid, device=self._devices[worker]))
        self._pool.send(worker, data_order(self.session, self.prepared))
        if self._is_paused or self._held_for_room:
            self._pool.send(worker, messages.Hold())

    def _free(self, worker: int) -> None:
        self._work.pop(worker, None)
        self._refitting.pop(worker, None)
        self._idle.add(worker)

    def _recycle_if_grown(self, worker: int, memory: int) -> None:
        first = self._memory_of.setdefault(worker, memory)
        # It may have died right after its last word.
        if memory > first + _WORKER_MEMORY_GROWTH and worker in self._pool.workers:
            reason = f"its memory grew from {first >> 20} to {memory >> 20} MiB"
            self._emit(
                events.WorkerRecycled(time=self._clock(), worker=worker, pid=self._pool.pid(worker), reason=reason)
            )
            self._idle.discard(worker)
            self._pool.stop(worker, reason)

    def _record_scores(self, work: Work, message: messages.Scored, now: float) -> None:
        self._deaths_in_vain = 0
        place = self._record.journal.append_curve(work.curve)
        for event in fits_scored(work, message, place, now):
            self._emit(event)

    def _unserved(self, work: Work) -> list[events.ServedFit]:
        combinations, fold = self.state.combinations, work.training.fold
        return [fit for fit in work.fits if not combinations[fit.combination].fits[fold].is_finished]

    def _give_up(self, work: Work, error: str, traceback: str) -> None:
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

    # Workers that die

    def _bury(self, died: Died) -> None:
        """Record a worker's death, put what it held back once, and start another in its place."""
        self._idle.discard(died.worker)
        self._memory_of.pop(died.worker, None)
        known = self.state.workers.get(died.worker)
        recycled = known is not None and not known.alive
        work, refit = self._work.pop(died.worker, None), self._refitting.pop(died.worker, None)
        how = died.reason or (f"killed by {died.signal}" if died.signal else f"exit code {died.exit_code}")
        if not recycled:
            self._emit(
                events.WorkerDied(
                    time=self._clock(),
                    worker=died.worker,
                    pid=died.pid,
                    exit_code=died.exit_code,
                    signal=died.signal,
                    training=work.training.number if work else None,
                    reason=died.reason,
                )
            )
        if work is not None and died.reason == _TOO_LONG:
            self._give_up(work, f"took longer than time_limit = {self.prepared.spec.time_limit} s", "")
        elif work is not None:
            # The system kills with SIGKILL when memory runs out.
            self._try_again(work, f"its worker died: {how}", alone=died.signal == "SIGKILL")
        if refit is not None:
            self._emit(
                events.SaveFailed(
                    time=self._clock(),
                    combination=refit.combination,
                    path=refit.path,
                    error=f"the worker died: {how}; see: foldwatch logs {self.session.id}",
                )
            )
        self._deaths_in_vain += 1
        self._vain_starts += known is None
        if self._vain_starts >= _STARTS_IN_VAIN:
            self._fail(f"workers die before they are ready ({how})")
        elif self._deaths_in_vain >= _DEATHS_IN_VAIN:
            self._fail(f"{_DEATHS_IN_VAIN} workers in a row died without a score ({how})")
        elif self._agenda or self._refits or self._ending is None:
            self.state.workers.pop(died.worker, None)
            self._start_worker(died.worker)

    def _fail(self, why: str) -> None:
        self._ending, self._at_once = "failed", True
        self._message = f"{why}; see: foldwatch logs {self.session.id}"

    def _try_again(self, work: Work, reason: str, *, alone: bool, traceback: str = "") -> None:
        """Once more, if it has not been tried before: `alone` where memory may have been short."""
        unserved = self._unserved(work)
        if not unserved:
            return
        if not self._agenda.take_back(work.training, alone=alone):
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
        while not self._inbox.empty():
            self._obey(self._inbox.get())
        now = time.monotonic()
        if now - self._requests_at >= _REQUEST_SECONDS:
            self._requests_at = now
            requests, refused = control.take_requests(self.session.folder)
            for request in requests:
                self._obey(request)
            for reason in refused:
                self._note_refused(reason)

    def _note_refused(self, reason: str) -> None:
        with (self.session.folder / "engine.log").open("a") as log:
            log.write(f"request refused: {reason}\n")

    def _obey(self, request: control.AnyRequest) -> None:
        now = self._clock()
        known = range(len(self.state.combinations))
        match request:
            case control.Pause() if self.state.status is SearchStatus.RUNNING:
                self._to_all(messages.Hold())
                self._paused_since = time.monotonic()
                self._emit(events.SearchPaused(time=now))
            case control.Resume() if self._is_paused:
                if not self._held_for_room:
                    self._to_all(messages.GoOn())
                for work in self._work.values():
                    work.deadline += time.monotonic() - self._paused_since
                self._emit(events.SearchResumed(time=now))
            case control.Stop():
                self._ending = self._ending or "stopped"
                self._at_once = self._at_once or request.at_once
                self._to_all(messages.GoOn())
            case control.Skip() if request.combination in known:
                self._skip(request.combination)
            case control.Retry() if request.combination in known:
                self._emit(events.CombinationRestored(time=now, combination=request.combination))
                self._agenda.restore(request.combination)
            case control.Save():
                self._ask_for_refit(request)
            case _:
                self._note_refused(f"{request} does not fit a search that is {self.state.status}")

    def _to_all(self, message: messages.ToWorker) -> None:
        for worker in self._pool.workers:
            self._pool.send(worker, message)

    def _skip(self, index: int) -> None:
        self._emit(events.CombinationDropped(time=self._clock(), combination=index, reason="skipped on request"))
        for worker, work in self._work.items():
            wanted = [fit.epochs for fit in work.fits if not self.state.combinations[fit.combination].dropped]
            if len(wanted) < len(work.fits):
                self._pool.send(
                    worker,
                    messages.Abandon(training=work.training.number, epochs=max(wanted, default=0)),
                )

    def _ask_for_refit(self, request: control.Save) -> None:
        best = self.state.best
        index = request.combination if request.combination is not None else best.index if best else -1
        combination = self.state.combinations[index] if index in range(len(self.state.combinations)) else None
        if combination is None or combination.status.value != "complete":
            which = "no combination is" if index < 0 else f"combination {index} is not"
            error = f"{which} complete on every fold"
            self._emit(events.SaveFailed(time=self._clock(), combination=index, path=request.path, error=error))
            return
        self._refits.append(_Refit(combination.index, request.path))
