"""The Python API: a search that is started, iterated over, steered and asked for its results."""

from __future__ import annotations

import contextlib
import copy
import queue
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis import results
from engine.analysis.forecast.deadline import Deadline, request_of
from engine.analysis.selection.choices import CHOICES
from engine.errors import FoldwatchError, UsageError, cannot_work, error_of, shortened
from engine.plan.plan import make_plan
from engine.search import changes as steering
from engine.search.model_description import steps_kept
from engine.search.published_state import PublishedState
from engine.session import events
from engine.session import requests as control
from engine.session.draft import SessionDraft
from engine.session.narration import in_sessions
from engine.session.places import check_identifier, new_identifier, sessions_folder
from engine.session.session import Session, check_free, open_session
from engine.session.state import SearchState
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec, check_time_limit
from engine.system import machine
from engine.training.model_path import check_model_place
from engine.workers.process_pool import WORKER_COMMAND, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from engine.analysis.confusion import Errors
    from engine.analysis.report.contents import Report
    from engine.analysis.selection.choices import Choice, CorrectedBest
    from engine.analysis.zoom import Zoom
    from engine.plan.plan import Plan
    from engine.plan.prepared import Prepared
    from engine.search.ending import Outcome
    from engine.search.loop import RunningSearch


class Search:
    """A hyperparameter search: what is searched, as a spec says it, and how it is run.

        search = Search(dataset="reuters", space={"epochs": [5, 10], "hidden_units": [64, 128]}, workers=2)
        for event in search.run():
            ...  # every epoch and every score as it lands
        search.best_params_, search.best_score_

    What is searched is given either as `spec`, which says all of it, or by the keys of a spec:

    `dataset` ("reuters", "imdb" or "sample") and `space` (a table of hyperparameters and their values, or a list of
    such tables) must be given; an empty space runs the defaults once.
    `num_words`: how many of the most frequent words are kept; `subsample`: a fraction of the training rows in (0, 1],
    or a number of them above 1.
    `folds` and `repeats`: each combination is trained on `folds` times `repeats` splits.
    `scoring`: names of scorers; the first one ranks.
    `strategy`: "grid", {"random": n} or another of `engine.spec.strategy_options.STRATEGIES`; `stage`: tables of
    `subsample` and `keep`, from a first look to all rows.
    `seed`: the same seed gives the same scores.
    `trainer`: "auto", "kernel" or "keras".
    `time_limit`: seconds that a training may take before the fits that it still owes fail; None: no limit.
    `early_stopping`: None, or {"patience": epochs} with "min_delta" and "stop".
    `allow_large`: there may be more combinations and fits than are good for most searches.

    How it is run:

    `workers`: number of worker processes (None: what the machine allows); `devices`: what they run on in turn, such as
    `["gpu:0", "gpu:1"]` (None: GPUs where they are of use, else the CPU).
    `name`: the session's name (None: the data set's with a number); `sessions`: folder of sessions (None: the usual
    one); `data_dir`: folder with `reuters.npz` or `imdb.npz` (None: Keras' own, else they are downloaded).
    `fresh`: fits that an earlier session has scored are run again instead of taken over.
    `group_readable`: the user's group may read the session.
    `deadline`: when to end, such as "20m" or "18:00", as `engine.analysis.forecast.deadline` has it; None keeps what an
    earlier engine was told, if that is still to come.
    `progress`: is called with a line of text while data are loaded and checked.
    `take_over` and `accept_versions`: as in `of_session`; a new search has no use for them.
    `worker_command`: what starts a worker process (None: foldwatch's own).

    Raises SpecError for a spec that cannot be run, and UsageError for an option that means nothing. Nothing runs, and
    nothing is written, before `start` or `run`.
    """

    def __init__(
        self,
        spec: SearchSpec | None = None,
        *,
        dataset: str | None = None,
        num_words: int = 10_000,
        subsample: float | int = 1.0,
        folds: int = 3,
        repeats: int = 1,
        scoring: str | Sequence[str] = ("accuracy",),
        strategy: str | Mapping[str, Any] = "grid",
        stage: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        trainer: str = "auto",
        time_limit: float | None = None,
        early_stopping: Mapping[str, Any] | None = None,
        allow_large: bool = False,
        space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        workers: int | None = None,
        devices: Sequence[str] | None = None,
        name: str | None = None,
        sessions: str | Path | None = None,
        data_dir: str | Path | None = None,
        fresh: bool = False,
        group_readable: bool = False,
        take_over: str = "",
        accept_versions: bool = False,
        deadline: str | None = None,
        progress: Callable[[str], None] | None = None,
        worker_command: Sequence[str] | None = None,
    ) -> None:
        if spec is None:
            needed = {key: value for key, value in (("dataset", dataset), ("space", space)) if value is not None}
            spec = SearchSpec.from_values(
                {
                    **needed,
                    "num_words": num_words,
                    "subsample": subsample,
                    "folds": folds,
                    "repeats": repeats,
                    "scoring": scoring,
                    "strategy": strategy,
                    "stage": stage,
                    "seed": seed,
                    "trainer": trainer,
                    "time_limit": time_limit,
                    "early_stopping": early_stopping,
                    "allow_large": allow_large,
                }
            )
        self.spec = spec
        if workers is not None and (not isinstance(workers, int) or not 1 <= workers <= machine.MOST_WORKERS):
            shown = shortened(repr(workers))
            message = f"workers: {shown} is not accepted; accepted: a whole number from 1 to {machine.MOST_WORKERS}"
            raise UsageError(message)
        self._devices = None if devices is None else machine.parse_devices(",".join(devices))
        self._workers, self._progress, self._worker_command = workers, progress, worker_command or WORKER_COMMAND
        self._fresh, self._group_readable = fresh, group_readable
        self._take_over, self._accept_versions = take_over, accept_versions
        self._deadline = Deadline.read(deadline) if deadline is not None else None
        self._keeps_deadline = deadline is None
        self._retries: list[control.Retry] = []
        self._time_limit: float | None = None  # where it is not that of the spec
        self._sessions = sessions_folder(Path(sessions) if sessions is not None else None)
        self._data_dir = Path(data_dir) if data_dir is not None else None
        self._name = check_identifier(name) if name is not None else None
        self.session: Session | None = None
        self._free_after = 0  # the session's newest segment when nobody worked on it
        self._running: RunningSearch | None = None
        self._thread: threading.Thread | None = None
        self._subscribers: list[queue.SimpleQueue[events.Event | None]] = []
        self._published: PublishedState | None = None
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self.outcome: Outcome | None = None

    @classmethod
    def of_session(
        cls,
        identifier: str,
        *,
        sessions: str | Path | None = None,
        workers: int | None = None,
        devices: Sequence[str] | None = None,
        data_dir: str | Path | None = None,
        time_limit: float | None = None,
        take_over: str = "",
        accept_versions: bool = False,
        deadline: str | None = None,
        progress: Callable[[str], None] | None = None,
        worker_command: Sequence[str] | None = None,
    ) -> Search:
        """The search of a session on disk, to read its results, to `start` what is missing, or to save a model.

        Workers, devices and data folder are remembered from before where they are not named. `time_limit`: seconds that
        a training may take from now on, instead of the spec's, such as for fits that took longer. `take_over`: the host
        whose engine worked on it last and is dead; `accept_versions`: go on although versions or the CPU have changed,
        with scores that may differ from those before in their last digits. `deadline`, `progress` and `worker_command`:
        as in `Search`.

        Raises UsageError if there is no such session, SessionUnreadableError if it cannot be read.
        """
        folder = sessions_folder(Path(sessions) if sessions is not None else None)
        session = open_session(identifier, folder)
        record = session.record
        search = cls(
            session.spec,
            workers=workers or record.workers,
            devices=devices or record.devices,
            sessions=folder,
            data_dir=data_dir or record.data_dir,
            take_over=take_over,
            accept_versions=accept_versions,
            deadline=deadline,
            progress=progress,
            worker_command=worker_command,
        )
        search.session = session
        search._time_limit = None if time_limit is None else check_time_limit(time_limit)
        return search

    # Running

    @property
    def plan(self) -> Plan:
        """What the search means; made anew from the spec at each call, without data."""
        return make_plan(self.spec, combinations_of(self.spec), recorded=self.session is not None)

    def subscribe(self) -> queue.SimpleQueue[events.Event | None]:
        """A queue of the events from now on; None comes last, when the engine has ended."""
        subscriber: queue.SimpleQueue[events.Event | None] = queue.SimpleQueue()
        with self._lock:
            self._subscribers.append(subscriber)
        return subscriber

    def start(self) -> None:
        """Prepare and run, in a thread of its own. Raises what a spec, data or a folder can be wrong with."""
        self._launch()

    def run(self) -> Iterator[events.Event]:
        """Run, yielding every event once it lasts; leaving the iteration early interrupts the search.

        Raises as `start` does, and InputOutputError if the record could not be written.
        """
        subscriber = self.subscribe()
        self.start()
        try:
            while (event := subscriber.get()) is not None:
                yield event
        finally:
            self.interrupt()
            self.wait()

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Wait for the engine to end; its outcome, or None if it is still at work after `timeout` seconds.

        Raises what the engine ended with, if that was an error.
        """
        if self._thread is None:
            return self.outcome
        self._thread.join(timeout)
        if self._thread.is_alive():
            return None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self.outcome

    def pause(self) -> None:
        """Halt trainings at their next epoch's end."""
        self._ask(control.Pause())

    def resume(self) -> None:
        """Go on after a pause."""
        self._ask(control.Resume())

    def stop(self, *, at_once: bool = False) -> None:
        """Finish the fits that are running, or leave them `at_once` with checkpoints, and end; paused ones are left."""
        self._ask(control.Stop(at_once=at_once))

    def skip(self, combination: int) -> None:
        """Leave out what is still missing of a combination."""
        self._ask(control.Skip(combination=combination))

    def retry(self, combination: int) -> None:
        """Run failed, skipped or dropped fits of a combination after all; before `start`, as soon as it is started.

        Raises UsageError for a combination that is not there, or of which all folds are scored or diverged.
        """
        request = control.Retry(combination=combination)
        if self.session is not None:
            steering.check_retry(combination, self.state)
        if self.session is None or (self._thread is not None and self._thread.is_alive()):
            self._ask(request)
            return
        self._retries.append(request)

    def set_deadline(self, deadline: str) -> None:
        """End by then; "none": take as long as it takes. Raises UsageError for what is no deadline."""
        self._ask(request_of(Deadline.read(deadline)))

    def add_values(self, *, allow_large: bool = False, **values: list[Any]) -> None:
        """Search more values of some hyperparameters, with all values of the others.

        Raises as `engine.search.changes`.
        """
        self._steer(control.AddValues(values=values, allow_large=allow_large))

    def drop_values(self, parameter: str, value: Any) -> None:
        """Leave out what is missing of the combinations with this value."""
        self._steer(control.DropValues(parameter=parameter, value=value))

    def put_first(self, combination: int) -> None:
        """Run a combination before all others that wait."""
        self._steer(control.PutFirst(combination=combination))

    def clone(self, combination: int, **changes: Any) -> None:
        """Add a copy of a combination with some hyperparameters changed, and run it first."""
        self._steer(control.Clone(combination=combination, changes=changes))

    def undo(self) -> None:
        """Take back the last `add_values`, `drop_values`, `put_first` or `clone`."""
        self._steer(control.Undo())

    def _steer(self, request: steering.Request) -> None:
        with self._known() as state:
            steering.step_of(request, self.spec, state)
        self._ask(request)

    def interrupt(self) -> None:
        """End at once, trainings left with checkpoints, to be resumed later; also from a signal handler."""
        if self._running is not None:
            self._running.interrupt()

    def _ask(self, request: control.AnyRequest) -> None:
        """Raises UsageError unless the engine will see the request."""
        if self._running is None or not self._running.ask(request):
            message = "the search is not running; start it first"
            raise UsageError(message)

    def _launch(self, saves: Sequence[control.Save] = (), *, only_save: bool = False) -> None:
        if self._thread is not None and self._thread.is_alive():
            message = "the search is running already"
            raise UsageError(message)
        try:
            self._running = self._assemble([*self._retries, *saves], only_save=only_save)
            self._published = PublishedState(self._running.session, self._free_after + 1)
            self._retries.clear()
        except OSError as error:
            where = self.session.folder if self.session is not None else self._sessions
            raise cannot_work(where, error) from error
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _assemble(self, requests: Sequence[control.AnyRequest], *, only_save: bool) -> RunningSearch:
        """Everything that can be refused is refused here, before anything is written for good."""
        from engine.search.loop import RunningSearch
        from engine.search.reuse import KnownFits, known_fits
        from engine.search.strategies import check_optuna

        if not only_save:
            check_optuna(self.spec)
        is_new = self.session is None
        prepared, pool, devices = self._begin() if is_new else self._begin_again(only_save=only_save)
        assert self.session is not None
        warn = self._progress or (lambda text: None)
        try:
            known = known_fits(prepared, self.session) if is_new and not self._fresh else KnownFits()
            if known.passed_over:
                warn(
                    f"passed over {in_sessions(known.passed_over)} that may have scores to take over: "
                    "others than you can have written them"
                )
            return RunningSearch(
                self.session,
                prepared,
                pool=pool,
                devices=devices,
                publish=self._publish,
                warn=warn,
                known=known,
                requests=requests,
                only_save=only_save,
                deadline=None if only_save else self._deadline,
                time_limit=self._time_limit,
                keeps_deadline=self._keeps_deadline and not only_save,
                after=self._free_after,
            )
        except BaseException:
            pool.close()
            raise

    def _begin(self) -> tuple[Prepared, Pool, list[str]]:
        """Make the session of a new search, with its workers started."""
        from engine.plan.prepared import load_data, prepare
        from engine.search.session_record import make_record

        combinations = combinations_of(self.spec)
        expected = make_plan(self.spec, combinations)  # what it refuses is refused before anything is loaded
        dataset = load_data(self.spec, self._data_dir, self._progress)
        name = self._name or new_identifier(self._sessions, self.spec.dataset)
        draft = SessionDraft(self._sessions, name, group_readable=self._group_readable)
        try:
            # Workers first: they import what they need while scikit-learn is imported here.
            pool, devices = self._start_workers(expected, draft.folder)
            try:
                prepared = prepare(self.spec, dataset, combinations)
                record = make_record(
                    prepared, name, workers=self._workers, devices=self._devices, data_dir=self._data_dir
                )
                stem = "" if self._name else self.spec.dataset
                self.session = draft.finish(record, prepared.folds, stem=stem)
            except BaseException:
                pool.close()
                raise
        except BaseException:
            draft.discard()
            raise
        pool.logs = self.session.folder
        return prepared, pool, devices

    def _begin_again(self, *, only_save: bool) -> tuple[Prepared, Pool, list[str]]:
        """The session as it was, if nobody else works on it and nothing of it has changed, with workers started."""
        from engine.search.session_record import changed_versions, prepare_again

        assert self.session is not None
        self.session.check_mine()
        self._free_after = check_free(self.session, self._take_over)
        changed = changed_versions(self.session.record)
        if changed and not self._accept_versions and not only_save:
            message = (
                f"{self.session.id}: began with other versions, so its scores would differ in their last digits: "
                f"{'; '.join(changed)}; to go on all the same: {self.session.command('resume', '--accept-versions')}"
            )
            raise UsageError(message)
        prepared = prepare_again(self.session, self._data_dir, self._progress)
        pool, devices = self._start_workers(prepared.plan, self.session.folder, only_save=only_save)
        return prepared, pool, devices

    def _start_workers(self, plan: Plan, logs: Path, *, only_save: bool = False) -> tuple[Pool, list[str]]:
        """A pool with as many workers as were asked for, or as the machine allows; and the device of each."""
        from engine.workers.start import devices, start_worker

        uses_keras = only_save or any(training.trainer == "keras" for training in plan.trainings)
        allowed = machine.default_workers(len(plan.trainings), uses_keras=uses_keras)
        chosen = devices(plan, 1 if only_save else self._workers or allowed, self._devices)
        pool = Pool(logs, self._worker_command)
        try:
            for number, device in enumerate(chosen):
                start_worker(pool, number, device, plan, self.spec.scoring)
        except BaseException:
            pool.close()
            raise
        return pool, chosen

    def _work(self) -> None:
        assert self._running is not None
        try:
            self.outcome = self._running.run()
        except BaseException as error:
            self._failure = error
        finally:
            with self._lock:
                subscribers, self._subscribers = self._subscribers, []
            for subscriber in subscribers:
                subscriber.put(None)

    def _publish(self, event: events.Event) -> None:
        if self._published is not None:
            self._published.put(event)
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.put(event)

    # Saving

    def save_best(
        self,
        path: str | Path,
        combination: int | None = None,
        *,
        choose: Choice = "best",
        told: Callable[[events.Event], None] = lambda event: None,
    ) -> dict[str, float]:
        """Refit the best combination, or a complete one that is named, on all training rows and save it at `path`.

        `choose`: instead of the best, the cheapest to train of those within one standard error of it
        ("one-standard-error"), or of the complete ones that may be as good ("cheapest-tied"), see `corrected_best`.
        `told` gets every event meanwhile.
        Returns its scores on the test set. Raises NoBestError if none is complete, and what saving can fail with.
        """
        request = self.save_request(path, combination, choose)
        subscriber = self.subscribe()
        if self._running is None or not self._running.ask(request):
            self.wait()
            subscriber = self.subscribe()
            self._launch([request], only_save=True)
        while (event := subscriber.get()) is not None:
            told(event)
            if isinstance(event, events.TestScored) and event.request == request.request:
                self._finish_saving()
                return event.scores
            if isinstance(event, events.SaveFailed) and event.request == request.request:
                self._finish_saving()
                raise error_of(event.exit_code, event.error)
        self.wait()
        message = "the search ended before the model was saved"
        raise FoldwatchError(message)

    def _finish_saving(self) -> None:
        if self._running is not None and self._running.only_save:
            self.wait()

    def save_warnings(self, request: control.Save) -> list[str]:
        """What whoever saves should know of the refit's schedule."""
        assert request.combination is not None
        return steps_kept(self.state.combinations[request.combination].params)

    def save_request(self, path: str | Path, combination: int | None = None, choose: Choice = "best") -> control.Save:
        """The request that saves a combination, the best one if none is named, checked. Raises as `save_best`."""
        state = self.state
        if choose not in CHOICES:
            message = f"choose: {shortened(repr(choose))} is not accepted; accepted: {', '.join(CHOICES)}"
            raise UsageError(message)
        if combination is not None and choose != "best":
            message = f"combination {combination} is named, so there is nothing to choose by {choose}"
            raise UsageError(message)
        if combination is None:
            combination = results.best_of(state).index if choose == "best" else self.corrected_best().chosen(choose)
        elif not 0 <= combination < len(state.combinations):
            message = f"combination {combination} is not accepted; accepted: 0 to {len(state.combinations) - 1}"
            raise UsageError(message)
        elif str(state.combinations[combination].status) != "complete":
            message = f"combination {combination} is {state.combinations[combination].status}, not complete"
            raise UsageError(message)
        target = Path(path).absolute()
        check_model_place(target)
        return control.Save(path=str(target), combination=combination, request=control.new_name())

    # Results

    @property
    def state(self) -> SearchState:
        """What is known of the search: what its engine has published so far, else what the session's record says.

        Its scores are on disk. While the search runs it stands still until somebody asks again, in whichever thread.
        """
        with self._known() as state:
            return state

    @contextlib.contextmanager
    def _known(self) -> Iterator[SearchState]:
        """The state, which no other thread brings up to date meanwhile."""
        if self._published is not None:
            with self._published.held() as state:
                yield state
        else:
            yield self.session.state() if self.session is not None else SearchState()

    @property
    def best_index_(self) -> int:
        """Index of the best combination in `cv_results_`. Raises NoBestError."""
        with self._known() as state:
            return results.best_of(state).index

    @property
    def best_params_(self) -> dict[str, Any]:
        """Parameters of the best combination. Raises NoBestError."""
        with self._known() as state:
            return dict(results.best_of(state).params)

    @property
    def best_score_(self) -> float:
        """Mean of the first metric of the best combination over the folds. Raises NoBestError."""
        with self._known() as state:
            return results.best_of(state).mean(state.scoring[0])[0]

    def corrected_best(self) -> CorrectedBest:
        """The best score with its interval, corrected for having been chosen, and what may be as good; worked out anew.

        Dropped combinations count as far as they came; how many could not be judged is said beside.
        Raises NoBestError, and NotAvailableError for a metric that cannot be worked out from kept predictions.
        """
        from engine.analysis.selection.corrected import corrected_best

        with self._known() as state:
            results.best_of(state)
            assert self.session is not None
            return corrected_best(self.session, state)

    def honest_best(self) -> CorrectedBest:
        """What version 0.1 called `corrected_best`; deprecated."""
        warnings.warn("honest_best is called corrected_best now", DeprecationWarning, stacklevel=2)
        return self.corrected_best()

    def errors(self, combination: int | None = None, *, most: int = 10) -> Errors:
        """What a combination, else the best one, takes for what: by class, pair of classes and row, out of fold.

        Raises NoBestError, UsageError for a combination that is none, and NotAvailableError if it has no predictions.
        """
        from engine.analysis.confusion import errors_of

        if self.session is None:
            message = "the search has no session yet; start it first"
            raise UsageError(message)
        with self._known() as state:
            return errors_of(self.session, state, combination, most=most, data_dir=self._data_dir)

    @property
    def cv_results_(self) -> dict[str, Any]:
        """As scikit-learn's."""
        with self._known() as state:
            return results.cv_results(state)

    def report(self, pair: tuple[str, str] | None = None) -> Report:
        """Trends of the whole search so far: see `engine.analysis.report.contents.Report`.

        `pair`: the hyperparameters down and across its heat map. Raises UsageError before the search was started, or
        for a pair that does not vary.
        """
        from engine.analysis.report.contents import make_report

        if self.session is None:
            message = "nothing is recorded yet; start the search first"
            raise UsageError(message)
        with self._known() as state:
            known = copy.deepcopy(state)  # a report speaks of one moment, whenever it is written down
        return make_report(self.session, pair, known)

    def zoom(self, *, allow_large: bool = False) -> Zoom:
        """The search to run next, finer around what was good: `Search(search.zoom().spec)`.

        Raises as `engine.analysis.zoom`.
        """
        from engine.analysis.zoom import zoom

        with self._known() as state:
            return zoom(self.spec, state, allow_large=allow_large)

    def to_frame(self) -> pd.DataFrame:
        """`cv_results_` as a table, a row a combination."""
        with self._known() as state:
            return results.to_frame(state)
