"""One search of a script at work: hands its fits to workers, writes the journal, follows requests, answers the script.

One thread runs it, the one consumer of its workers' pipes and the one writer of its session. The script's own thread
waits meanwhile in joblib. It gets a fit's result once the score is on disk.
"""

from __future__ import annotations

import contextlib
import math
import queue
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputOutputError, SearchStopped, WorkerDiedError, cannot_work
from engine.search.recorder import Recorder
from engine.search.sklearn.dispatcher import Dispatcher
from engine.search.sklearn.fits import Outcome
from engine.search.sklearn.recording import FitRecorder
from engine.search.sklearn.refit import RefitWatch
from engine.search.sklearn.scores import failed_result, known_result
from engine.search.sklearn.shared_values import SharedValues
from engine.search.sklearn.task_results import TaskResult, result_of
from engine.search.supervisor import Supervisor
from engine.session import events, liveness
from engine.session import requests as control
from engine.session.combination import FitStatus
from engine.session.search_status import SearchStatus
from engine.system.permissions import create_file
from engine.workers import messages
from engine.workers.pool import WorkerDeath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.search.sklearn.fits import ScriptFit
    from engine.search.sklearn.kept_workers import KeptWorkers
    from engine.search.sklearn.notebook import LiveTable
    from engine.session.session import Session

_PATIENCE = 0.2  # seconds between looks for requests
_RETRIES = 1
_TOO_LONG = "its fit took too long"

KnownScores = dict[str, tuple[str, events.FitScored]]  # digest -> session and score


class ScriptSearch:
    """A search of a script, from `start` until `end`.

    `scoring`: names of the scores, the one that ranks first. `known`: scores of fits by their digests, from earlier
    runs. `folders` are private to it, for large arrays. `kept`: has its workers. `warn` gets what the user should know.
    `time_limit`: seconds that a fit may take. `after`: the session's newest segment when nobody worked on it.
    """

    def __init__(
        self,
        session: Session,
        kept: KeptWorkers,
        *,
        workers: int,
        environment: Mapping[str, str],
        folders: Sequence[Path],
        scoring: list[str],
        known: KnownScores,
        warn: Callable[[str], None],
        time_limit: float | None = None,
        after: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.session = session
        self._kept, self._ready = kept, dict[int, int]()  # worker -> process, of those that can take fits
        self._workers, self._scoring = workers, scoring
        self._known, self._warn, self._clock = known, warn, clock
        self._time_limit = time_limit or math.inf
        self._kill_at: dict[int, float] = {}
        self._parts: dict[int, list[bytes]] = {}  # of results that are on their way, by training
        self._folders = folders
        self._shared = SharedValues(folders)
        self._fits = Dispatcher()
        self._lock = threading.Lock()  # over the next two, which the script's thread uses too
        self._unanswered: set[ScriptFit] = set()
        self._why_no_more: BaseException | None = None  # what every fit hears that comes after the end
        self._incoming: queue.SimpleQueue[list[ScriptFit] | events.Event | None] = queue.SimpleQueue()
        self._has_all = False  # no more fits come
        self._ending = ""  # the outcome, once something else than the last fit ends the search
        self._is_stopping = False
        self._message = ""
        self._outcomes: dict[tuple[int, int], tuple[ScriptFit, Outcome]] = {}  # that are not on disk yet
        self._warned: set[tuple[str, str]] = set()
        self._requests_at = 0.0
        self._paused_at = 0.0
        self._has_workers = self._has_released = False
        self._fits_are_over = threading.Event()
        self._refit: RefitWatch | None = None
        self._table: LiveTable | None = None
        self.failure: BaseException | None = None
        self.state = session.state()
        control.take_requests(session.folder)  # what is left of them was meant for an engine that has ended
        self._record = Recorder(session, self.state, self._deliver_recorded, warn, clock, after)
        self._fit_recorder = FitRecorder(self._record, scoring, clock)
        self._pool = kept.take(workers, environment, session.folder)
        self._supervisor = Supervisor(
            session,
            self._pool,
            ["cpu"] * workers,
            start=lambda worker: self._pool.start(worker, environment),
            greetings=self._greetings,
            emit=self._record.emit,
            clock=clock,
        )
        self._thread = threading.Thread(target=self._run, name="foldwatch script", daemon=True)

    # From the script's thread

    @property
    def segment(self) -> int:
        """The number of the part of the record that it writes."""
        return self._record.journal.segment

    @property
    def outcome(self) -> str:
        """What became of it, once it has ended."""
        return "failed" if self.failure is not None else str(self.state.status)

    def start(self, fits: Sequence[ScriptFit], splits: int, table: LiveTable | None) -> None:
        """Announce the search with its first fits, and begin; `table` shows how far it is."""
        self._table = table
        me = liveness.this_process()
        self._record.emit(
            events.SearchStarted(
                time=self._clock(),
                session=self.session.id,
                segment=self.segment,
                dataset=str(self.session.record.spec.get("dataset", "")),
                synthetic=False,
                rows=fits[0].rows,
                classes=0,
                splits=splits,
                scoring=self._scoring,
                workers=self._workers,
                trainings=sum(fit.digest not in self._known for fit in fits),
                cost=0.0,
                host=me.host,
                pid=me.pid,
                script=True,
            )
        )
        self.add(fits)
        self._thread.start()

    def add(self, fits: Sequence[ScriptFit]) -> None:
        """More fits of the same search, as of a later round of halving."""
        with self._lock:
            ended = self._why_no_more
            if ended is None:
                self._unanswered.update(fits)
        if ended is None:
            self._incoming.put(list(fits))
        else:
            for fit in fits:
                fit.deliver(fit, Outcome(error=ended))

    def finish_fits(self, refit: RefitWatch | None) -> None:
        """No more fits come: wait until the last is scored. Where the script refits the best then, that is watched."""
        self._refit = refit
        self._incoming.put(None)
        self._fits_are_over.wait()
        if refit is None:
            self._thread.join()

    def note_refit_epoch(self, epoch: int, epochs: int, loss: float | None) -> None:
        """An epoch of a Keras model that the script itself trains, after the fits."""
        refit = self._refit
        if refit is not None and refit.best is not None:
            self._incoming.put(
                events.RefitEpochEnded(
                    time=self._clock(), combination=refit.best, epoch=epoch, epochs=epochs, loss=loss
                )
            )

    def end(self, outcome: str = "completed") -> None:
        """End now, whatever runs; nothing happens where it has ended."""
        self._ending = self._ending or outcome
        self._incoming.put(None)
        self._thread.join()

    # The loop

    def _run(self) -> None:
        try:
            while not self._are_fits_over():
                self._turn()
            self._end_fits()
            self._watch_refit()
            self._record.emit(
                events.SearchFinished(time=self._clock(), outcome=self._outcome(), message=self._message)  # type: ignore[arg-type]
            )
            self._record.flush_all(patient=False)
        except OSError as error:
            self._fail(cannot_work(self.session.folder, error))
        except BaseException as error:
            self._fail(error)
        finally:
            self._release_workers()
            self._record.close()
            if self._table is not None:
                self._table.draw()
            self._fits_are_over.set()

    def _fail(self, error: BaseException) -> None:
        """The script hears of what ended the search, in the place of every result that it waits for."""
        self.failure = error
        self._deliver_rest(error)

    def _outcome(self) -> str:
        is_complete = self._has_all and self.state.fits_finished == self.state.fits_total
        if is_complete and (self._refit is None or self._refit.is_over):
            return "completed"
        return self._ending or "stopped"

    def _are_fits_over(self) -> bool:
        if self._ending:
            return True
        if self._is_stopping:
            return self._fits.is_idle and not self._outcomes
        return self._has_all and self._fits.is_idle and not self._fits.waiting and not self._outcomes

    def _turn(self) -> None:
        for event in self._supervisor.wait(self._patience()):
            if isinstance(event, WorkerDeath):
                self._handle_death(event)
            else:
                self._handle_message(event.worker, event.message)
        self._take_in()
        self._read_requests()
        self._dispatch()
        self._kill_what_takes_too_long()
        if self._fits.is_idle and not self._fits.waiting:
            self._record.flush_all(patient=True)
        else:
            self._record.flush_if_due()
        if self._record.beat_if_due():
            self._supervisor.truncate_logs()
        if self._table is not None:
            self._table.draw_if_due()

    def _patience(self) -> float:
        if not self._incoming.empty() or (self._fits.is_idle and self._outcomes):
            return 0.0
        longest = 0.02 if self._fits.is_idle else _PATIENCE
        return max(0.0, self._record.patience(longest))

    def _end_fits(self) -> None:
        """The workers end, and no more fits are taken."""
        self._record.flush_all(patient=False)
        self._release_workers()
        self._deliver_rest(SearchStopped(self._stopped_in_words()))
        self._fits_are_over.set()

    def _release_workers(self) -> None:
        """The next search of the script gets the workers, unless something may still run or be held in them."""
        if self._has_released:
            return
        self._has_released = True
        if self.failure is None and self._fits.is_idle and not self._is_paused:
            self._kept.give_back(self._ready)
        else:
            self._kept.close()

    def _stopped_in_words(self) -> str:
        left = self.state.fits_total - self.state.fits_finished
        return f"{self.session.id}: the search was stopped; run the script again to go on with the {left} fits left"

    def _watch_refit(self) -> None:
        """While the script refits the best: show how far it is, and that it lives."""
        refit, announced = self._refit, False
        while refit is not None and not refit.is_over and not (self._ending or self._is_stopping):
            if not announced and refit.best is not None:
                announced = True
                self._record.emit(events.RefitStarted(time=self._clock(), combination=refit.best, epochs=0, path=""))
            try:
                incoming = self._incoming.get(timeout=_PATIENCE)
                if isinstance(incoming, events.Event):
                    self._record.emit(incoming)
            except queue.Empty:
                pass
            self._read_requests()
            self._record.flush_all(patient=True)
            self._record.beat_if_due()
            if self._table is not None:
                self._table.draw_if_due()

    # Fits

    def _take_in(self) -> None:
        """Announce new combinations, deliver what is known, and let the rest wait for a worker."""
        while not self._incoming.empty():
            incoming = self._incoming.get()
            if incoming is None:
                self._has_all = True
            elif isinstance(incoming, list):
                self._admit(incoming)

    def _admit(self, fits: list[ScriptFit]) -> None:
        known = len(self.state.combinations)
        # What an earlier run of the script left out, or failed at, runs again.
        for index in sorted({fit.combination for fit in fits if fit.combination < known}):
            combination = self.state.combinations[index]
            if combination.dropped or FitStatus.FAILED in combination.statuses:
                self._record.emit(events.CombinationRestored(time=self._clock(), combination=index))
        self._fit_recorder.announce(fits, known)
        self._shared.add(value for fit in fits for value in fit.shared_values)
        for fit in fits:
            score = self._known.get(fit.digest) if fit.digest else None
            if score is None:
                self._fits.add([fit])
            else:
                self._take_over(fit, *score)

    def _take_over(self, fit: ScriptFit, session: str, score: events.FitScored) -> None:
        outcome = Outcome(known_result(fit, score))
        if self.state.combinations[fit.combination].fits[fit.split].status.is_finished and session == self.session.id:
            self._answer(fit, outcome)
            return
        self._outcomes[fit.combination, fit.split] = fit, outcome
        self._fit_recorder.taken_over(fit, session, score)

    def _dispatch(self) -> None:
        if self._is_stopping or self._is_paused or self._record.disk_is_full:
            return
        if self._fits.waiting and not self._has_workers:
            self._has_workers = True  # not before: where every score is known, none is needed
            for worker in list(self._kept.ready):
                self._welcome(worker, self._kept.ready.pop(worker))
            for worker in set(range(self._workers)).difference(self._pool.workers):
                self._supervisor.start(worker)
        for worker, fit in self._fits.assignments():
            number = self._fits.number_of(fit)
            try:
                order = self._shared.task(number, fit.call)
            except Exception as error:  # what a script cannot pickle is the script's to hear of
                self._fits.end(worker, fit, 0.0)
                text = f"cannot be sent to a worker: {type(error).__name__}: {error}"
                self._give_up(fit, text, "", error)
                continue
            for share in self._shared.orders_for(worker):
                self._supervisor.send(worker, share)
            self._supervisor.send(worker, order)

    @property
    def _is_paused(self) -> bool:
        return self.state.status is SearchStatus.PAUSED

    def _kill_what_takes_too_long(self) -> None:
        now = time.monotonic()
        for worker, at in list(self._kill_at.items()):
            if now > at and not self._is_paused:
                del self._kill_at[worker]
                self._supervisor.stop(worker, _TOO_LONG)

    # What workers report

    def _greetings(self) -> list[messages.ToWorker]:
        paths = [str(Path(path).absolute()) for path in sys.path]
        return [messages.OpenTasks(paths=paths, buffers=[str(folder) for folder in self._folders])]

    def _welcome(self, worker: int, process: int) -> None:
        self._ready[worker] = process
        self._fits.welcome(worker)
        self._supervisor.welcome(worker, process, is_held=self._is_paused)

    def _handle_message(self, worker: int, message: messages.FromWorker) -> None:
        match message:
            case messages.Ready():
                self._welcome(worker, message.pid)
            case messages.TaskBegun():
                self._kill_at[worker] = time.monotonic() + self._time_limit
                fit = self._fits.begin(worker, message.task)
                self._parts.pop(message.task, None)  # of an attempt before
                self._fit_recorder.begun(fit, message.task, worker)
            case messages.TaskEpoch():
                self._fit_recorder.epoch_ended(message)
            case messages.TaskPart():
                self._parts.setdefault(message.task, []).append(message.pickled)
            case messages.TaskDone():
                self._kill_at.pop(worker, None)
                self._handle_result(worker, self._fits.fit_of(message.task), message)

    def _handle_result(self, worker: int, fit: ScriptFit, message: messages.TaskDone) -> None:
        result = result_of(message, b"".join(self._parts.pop(message.task, [])))
        self._fits.end(worker, fit, result.seconds)
        self._supervisor.scored()
        self._show(message.printed, result)
        if result.is_out_of_memory and fit.attempts < _RETRIES:
            self._try_again(fit, "it ran out of memory")
        elif result.error is not None:
            self._give_up(fit, message.error, message.traceback, result.error)
        else:
            self._outcomes[fit.combination, fit.split] = fit, Outcome(result.value)
            self._fit_recorder.returned(fit, message.task, result)
        self._supervisor.recycle_if_grown(worker, message.memory)

    def _show(self, printed: str, result: TaskResult) -> None:
        """scikit-learn's own lines, and each kind of warning once, as the script would have shown them."""
        with contextlib.suppress(OSError, ValueError):  # a script may have closed what it prints to
            sys.stdout.write(printed)
        for text, category, filename, line in result.warnings:
            kind = (category.__name__, text)
            if kind not in self._warned:
                self._warned.add(kind)
                sys.stderr.write(warnings.formatwarning(text, category, filename, line))

    def _give_up(self, fit: ScriptFit, error: str, traceback: str, raised: BaseException) -> None:
        """A fit ends without a score: the script gets what `error_score` says, or the error itself."""
        self._outcomes[fit.combination, fit.split] = fit, Outcome(error=raised)
        self._fit_recorder.failed(fit, self._fits.number_of(fit), error, traceback)

    def _handle_death(self, died: WorkerDeath) -> None:
        self._kill_at.pop(died.worker, None)
        for ready in (self._ready, self._kept.ready):
            ready.pop(died.worker, None)
        self._shared.forget_worker(died.worker)
        fit = self._fits.lose(died.worker)
        how = self._supervisor.record_death(died, self._fits.number_of(fit) if fit is not None else None)
        if fit is not None:
            self._try_again(fit, f"its worker died: {how}")
        if self._supervisor.hopeless:
            message = f"{self._supervisor.hopeless}; see: {self.session.command('logs')}"
            raise InputOutputError(message)
        self._supervisor.start(died.worker)

    def _try_again(self, fit: ScriptFit, reason: str) -> None:
        number = self._fits.number_of(fit)
        fit.attempts += 1
        if fit.attempts <= _RETRIES:
            self._fits.waiting.appendleft(fit)
            self._fit_recorder.retried(fit, number, reason)
            return
        text = f"{reason}, for the second time"
        outcome = Outcome(error=WorkerDiedError(text)) if fit.raises_errors else Outcome(failed_result(fit, text))
        self._outcomes[fit.combination, fit.split] = fit, outcome
        self._fit_recorder.failed(fit, number, text, "")

    # Requests

    def _read_requests(self) -> None:
        now = time.monotonic()
        if now - self._requests_at < _PATIENCE:
            return
        self._requests_at = now
        if self._record.journal.overtaken:
            message = f"{self.session.id}: another engine has taken over this session"
            raise InputOutputError(message)
        requests, refused = control.take_requests(self.session.folder)
        for request in requests:
            self._follow(request)
        for reason in refused:
            self._note_refused(reason)

    def _follow(self, request: control.AnyRequest) -> None:
        now = self._clock()
        match request:
            case control.Pause() if self.state.status is SearchStatus.RUNNING and not self._fits_are_over.is_set():
                self._supervisor.send_all(messages.Hold())
                self._paused_at = time.monotonic()
                self._record.emit(events.SearchPaused(time=now))
            case control.Resume() if self._is_paused:
                self._supervisor.send_all(messages.GoOn())
                held = time.monotonic() - self._paused_at
                self._kill_at = {worker: at + held for worker, at in self._kill_at.items()}
                self._record.emit(events.SearchResumed(time=now))
            case control.Stop() if not self._fits_are_over.is_set():
                self._stop(at_once=request.at_once or self._is_paused)
            case control.Skip() if request.combination < len(self.state.combinations):
                self._skip(request.combination)
            case _:
                what = type(request).__name__
                self._note_refused(f"{what}: this search lives in a script; change the script and run it again")

    def _stop(self, *, at_once: bool) -> None:
        self._is_stopping = True
        self._message = self._stopped_in_words()
        self._record.emit(events.SearchStopping(time=self._clock(), at_once=at_once))
        if at_once:
            self._ending = "stopped"

    def _skip(self, combination: int) -> None:
        fits = [fit for fit in self._fits.waiting if fit.combination == combination]
        if any(fit.raises_errors for fit in fits):
            self._note_refused(f'skip {combination}: the script has error_score="raise", so no fit can be left out')
            return
        self._record.emit(events.CombinationDropped(time=self._clock(), combination=combination, reason="skipped"))
        for fit in fits:
            self._fits.waiting.remove(fit)
            self._answer(fit, Outcome(failed_result(fit, "skipped")))

    def _note_refused(self, text: str) -> None:
        with open(self.session.folder / "engine.log", "a", opener=create_file) as log:
            log.write(f"request refused: {text}\n")

    # Results for the script

    def _deliver_recorded(self, event: events.Event) -> None:
        """What is on disk now is the script's."""
        if self._table is not None:
            self._table.put(event)
        if isinstance(event, events.FitScored | events.FitFailed):
            waiting = self._outcomes.pop((event.combination, event.fold), None)
            if waiting is not None:
                self._answer(*waiting)

    def _answer(self, fit: ScriptFit, outcome: Outcome) -> None:
        with self._lock:
            self._unanswered.discard(fit)
        fit.deliver(fit, outcome)

    def _deliver_rest(self, error: BaseException) -> None:
        """Every fit that waits, and every one that still comes, ends with this error."""
        with self._lock:
            self._why_no_more = self._why_no_more or error
            rest, self._unanswered = self._unanswered, set()
        for fit in rest:
            fit.deliver(fit, Outcome(error=error))
