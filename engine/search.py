"""The Python API: a search that is started, iterated over, steered and asked for its results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import control, events, results
from engine.errors import SessionHeldError, UsageError
from engine.plan import make_plan
from engine.pool import WORKER_COMMAND, Pool
from engine.session import (
    Session,
    SessionDraft,
    check_identifier,
    new_identifier,
    open_session,
    sessions_folder,
)
from engine.space import combinations_of
from engine.spec import SearchSpec
from engine.state import SearchState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from engine.plan import Plan
    from engine.running import Outcome, RunningSearch


class Search:
    """A hyperparameter search. Keyword arguments are those of a spec, and:

    `workers`: number of worker processes (None: what the machine allows); `name`: the session's name (None: the data
    set's with a number); `sessions`: folder of sessions; `data_dir`: folder with `reuters.npz` or `imdb.npz`.

    Raises SpecError for a spec that cannot be run. Nothing runs, and nothing is written, before `start` or `run`.
    """

    def __init__(
        self,
        spec: SearchSpec | None = None,
        *,
        workers: int | None = None,
        name: str | None = None,
        sessions: str | Path | None = None,
        data_dir: str | Path | None = None,
        fresh: bool = False,
        progress: Callable[[str], None] | None = None,
        worker_command: Sequence[str] = WORKER_COMMAND,
        **values: Any,
    ) -> None:
        self.spec = spec or SearchSpec.from_values(values)
        if workers is not None and workers < 1:
            message = f"workers: {workers} is not accepted; accepted: a whole number of at least 1"
            raise UsageError(message)
        self._workers, self._progress, self._worker_command = workers, progress, worker_command
        self._fresh = fresh
        self._sessions = sessions_folder(Path(sessions) if sessions is not None else None)
        self._data_dir = Path(data_dir) if data_dir is not None else None
        self._name = check_identifier(name) if name is not None else None
        self.session: Session | None = None
        self._running: RunningSearch | None = None
        self._thread: threading.Thread | None = None
        self._subscribers: list[queue.SimpleQueue[events.Event | None]] = []
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
        data_dir: str | Path | None = None,
        **options: Any,
    ) -> Search:
        """The search of a session on disk, to read its results, to `start` what is missing, or to save a model.

        Workers and data folder are remembered from before where they are not named.
        """
        folder = sessions_folder(Path(sessions) if sessions is not None else None)
        session = open_session(identifier, folder)
        record = session.record
        search = cls(
            SearchSpec.from_values(record.spec),
            workers=workers or record.workers,
            sessions=folder,
            data_dir=data_dir or record.data_dir,
            **options,
        )
        search.session = session
        return search

    # Running

    @property
    def plan(self) -> Plan:
        """What the search means; made anew from the spec at each call, without data."""
        return make_plan(self.spec, combinations_of(self.spec))

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
        """Finish the fits that are running, or leave them `at_once`, and end."""
        self._ask(control.Stop(at_once=at_once))

    def skip(self, combination: int) -> None:
        """Leave out what is still missing of a combination."""
        self._ask(control.Skip(combination=combination))

    def retry(self, combination: int) -> None:
        """Run failed or skipped fits of a combination after all."""
        self._ask(control.Retry(combination=combination))

    def interrupt(self) -> None:
        """End at once, to be resumed later; also from a signal handler."""
        if self._running is not None:
            self._running.interrupt()

    def _ask(self, request: control.AnyRequest) -> None:
        if self._running is None or self._thread is None or not self._thread.is_alive():
            message = "the search is not running; start it first"
            raise UsageError(message)
        self._running.ask(request)

    def _launch(self, saves: Sequence[control.Save] = (), *, only_save: bool = False) -> None:
        if self._thread is not None and self._thread.is_alive():
            message = "the search is running already"
            raise UsageError(message)
        self._running = self._assemble(saves, only_save=only_save)
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _assemble(self, saves: Sequence[control.Save], *, only_save: bool) -> RunningSearch:
        """Everything that can be refused is refused here, before anything is written for good."""
        from engine.preparing import load_data, make_record, prepare, prepare_again
        from engine.running import RunningSearch
        from engine.takeover import KnownFit, known_fits

        known: dict[tuple[int, int], KnownFit] = {}
        if self.session is not None:
            self.session.check_mine()
            now = self.session.liveness()
            if now.alive:
                message = f"{self.session.id}: {now.owner} works on this session; watch it with: foldwatch attach"
                raise SessionHeldError(message)
            prepared = prepare_again(self.session, self._data_dir, self._progress)
            pool, devices = self._start_workers(prepared.plan, self.session.folder, only_save=only_save)
        else:
            dataset = load_data(self.spec, self._data_dir, self._progress)
            combinations = combinations_of(self.spec)
            name = self._name or new_identifier(self._sessions, self.spec.dataset)
            draft = SessionDraft(self._sessions, name)
            try:
                # Workers first: they import what they need while scikit-learn is imported here.
                pool, devices = self._start_workers(make_plan(self.spec, combinations), draft.folder)
                try:
                    prepared = prepare(self.spec, dataset, combinations)
                    record = make_record(prepared, name, workers=self._workers, data_dir=self._data_dir)
                    self.session = draft.finish(record, prepared.folds)
                except BaseException:
                    pool.close()
                    raise
            except BaseException:
                draft.discard()
                raise
            pool.logs = self.session.folder
            known = {} if self._fresh else known_fits(prepared, self.session)
        return RunningSearch(
            self.session,
            prepared,
            pool=pool,
            devices=devices,
            publish=self._publish,
            warn=self._progress or (lambda text: None),
            known=known,
            saves=saves,
            only_save=only_save,
        )

    def _start_workers(self, plan: Plan, logs: Path, *, only_save: bool = False) -> tuple[Pool, list[str]]:
        """A pool with as many workers as were asked for, or as the machine allows; and the device of each."""
        from engine import machine
        from engine.staffing import devices, start_worker

        uses_keras = only_save or any(training.trainer == "keras" for training in plan.trainings)
        allowed = machine.default_workers(len(plan.trainings), uses_keras=uses_keras)
        chosen = devices(plan, 1 if only_save else self._workers or allowed)
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
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.put(event)

    # Saving

    def save_best(self, path: str | Path, combination: int | None = None) -> dict[str, float]:
        """Refit the best combination, or a complete one that is named, on all training rows and save it at `path`.

        Returns its scores on the test set. Raises NoBestError if none is complete, and what saving can fail with.
        """
        request = self.save_request(path, combination)
        subscriber = self.subscribe()
        if self._thread is not None and self._thread.is_alive():
            self._ask(request)
        else:
            self._launch([request], only_save=True)
        while (event := subscriber.get()) is not None:
            if isinstance(event, events.TestScored) and event.combination == request.combination:
                self._finish_saving()
                return event.scores
            if isinstance(event, events.SaveFailed) and event.combination == request.combination:
                self._finish_saving()
                raise UsageError(event.error)
        self.wait()
        message = "the search ended before the model was saved"
        raise UsageError(message)

    def _finish_saving(self) -> None:
        if self._running is not None and self._running.only_save:
            self.wait()

    def save_warnings(self, request: control.Save) -> list[str]:
        """What whoever saves should know of the refit's schedule."""
        from engine.model_record import steps_kept

        assert request.combination is not None
        return steps_kept(self.state.combinations[request.combination].params)

    def save_request(self, path: str | Path, combination: int | None = None) -> control.Save:
        """The request that saves a combination, the best one if none is named, checked. Raises as `save_best`."""
        state = self.state
        if combination is None:
            combination = results.best_of(state).index
        elif not 0 <= combination < len(state.combinations):
            message = f"combination {combination} is not accepted; accepted: 0 to {len(state.combinations) - 1}"
            raise UsageError(message)
        elif str(state.combinations[combination].status) != "complete":
            message = f"combination {combination} is {state.combinations[combination].status}, not complete"
            raise UsageError(message)
        target = Path(path).absolute()
        if target.suffix != ".keras":
            message = f"{path}: a model is saved as .keras; name a file that ends so"
            raise UsageError(message)
        if not target.parent.is_dir():
            message = f"{path}: there is no folder {target.parent}"
            raise UsageError(message)
        return control.Save(path=str(target), combination=combination)

    # Results

    @property
    def state(self) -> SearchState:
        """What is known of the search: the running engine's, else what the session's record says."""
        if self._running is not None:
            return self._running.state
        return self.session.state() if self.session is not None else SearchState()

    @property
    def best_index_(self) -> int:
        """Index of the best combination in `cv_results_`. Raises NoBestError."""
        return results.best_of(self.state).index

    @property
    def best_params_(self) -> dict[str, Any]:
        """Parameters of the best combination. Raises NoBestError."""
        return dict(results.best_of(self.state).params)

    @property
    def best_score_(self) -> float:
        """Mean of the first metric of the best combination over the folds. Raises NoBestError."""
        state = self.state
        return results.best_of(state).mean(state.scoring[0])[0]

    @property
    def cv_results_(self) -> dict[str, Any]:
        """As scikit-learn's."""
        return results.cv_results(self.state)

    def to_frame(self) -> pd.DataFrame:
        """`cv_results_` as a table, a row a combination."""
        return results.to_frame(self.state)
