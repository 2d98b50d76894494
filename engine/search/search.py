"""The Python API: a search that is started, iterated over, steered and asked for its results.

`Search` is what programs use, so it has a method for everything that can be asked of a search, each a few lines: what
they call lies in `assembly` (the start), `engine_thread` (the run), `changes`, `saving` and `search_results`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis.forecast.deadline import Deadline, request_of
from engine.errors import UsageError, cannot_work, shortened
from engine.plan.plan import make_plan
from engine.search import saving
from engine.search.changes import check_retry, step_of
from engine.search.engine_thread import EngineThread
from engine.search.model_description import steps_kept
from engine.search.run_options import RunOptions
from engine.search.search_results import SearchResults
from engine.session import events, requests
from engine.session.places import check_identifier, sessions_folder
from engine.session.session import open_session
from engine.session.state import SearchState
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec, check_time_limit
from engine.system import machine

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Mapping, Sequence

    from engine.analysis.selection.choices import Choice
    from engine.plan.plan import Plan
    from engine.search.changes import Request as Change
    from engine.search.ending import Outcome


class Search(SearchResults):
    """A hyperparameter search: what is searched, as in a spec, and how it is run.

        search = Search(dataset="reuters", space={"epochs": [5, 10], "hidden_units": [64, 128]}, workers=2)
        for event in search.run():
            ...  # every epoch and every score as it lands
        search.best_params_, search.best_score_

    What is searched is given either as a whole, as `spec`, or by the keys of a spec:

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
    `model`: None, the built-in network; or what builds a Keras model: "models.py:build", "package.module:build", or
    such a function itself, also as a `functools.partial`, from a file of its own.
    `allow_large`: there may be more combinations and fits than are good for most searches.

    How it is run:

    `workers`: number of worker processes (None: what the machine allows); `devices`: what they run on in turn, such as
    `["gpu:0", "gpu:1"]` (None: GPUs where they are of use, else the CPU).
    `name`: the session's name (None: the data set's with a number); `sessions`: folder of sessions (None: the usual
    one); `data_dir`: folder with `reuters.npz` or `imdb.npz` (None: Keras' own, else they are downloaded).
    `fresh`: fits that an earlier session has scored are run again instead of taken over.
    `group_readable`: the user's group may read the session.
    `deadline`: when to end, such as "20m" or "18:00", as `engine.analysis.forecast.deadline` has it; None keeps what an
    earlier engine was given, if that is still to come.
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
        model: str | Mapping[str, Any] | Callable[..., Any] | None = None,
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
                    "model": model,
                }
            )
        if workers is not None and (not isinstance(workers, int) or not 1 <= workers <= machine.MOST_WORKERS):
            shown = shortened(repr(workers))
            message = f"workers: {shown} is not accepted; accepted: a whole number from 1 to {machine.MOST_WORKERS}"
            raise UsageError(message)
        self._options = RunOptions(
            workers=workers,
            devices=None if devices is None else machine.parse_devices(",".join(devices)),
            name=check_identifier(name) if name is not None else None,
            sessions=sessions_folder(Path(sessions) if sessions is not None else None),
            data_dir=Path(data_dir) if data_dir is not None else None,
            fresh=fresh,
            group_readable=group_readable,
            take_over=take_over,
            accept_versions=accept_versions,
            deadline=Deadline.read(deadline) if deadline is not None else None,
            keeps_deadline=deadline is None,
            progress=progress,
            worker_command=worker_command,
        )
        super().__init__(spec, None, self._options.data_dir)
        self._retries: list[requests.Retry] = []
        self._engine = EngineThread()

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
        if time_limit is not None:
            search._options = dataclasses.replace(search._options, time_limit=check_time_limit(time_limit))
        return search

    # Running

    @property
    def plan(self) -> Plan:
        """The plan of the search, worked out from the spec at each call, without data."""
        return make_plan(self.spec, combinations_of(self.spec), recorded=self.session is not None)

    def subscribe(self) -> queue.SimpleQueue[events.Event | None]:
        """A queue of the events from now on; None comes last, when the engine has ended."""
        return self._engine.subscribe()

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
        return self._engine.wait(timeout)

    @property
    def outcome(self) -> Outcome | None:
        """How the engine ended; None before."""
        return self._engine.outcome

    def pause(self) -> None:
        """Halt trainings at their next epoch's end."""
        self._ask(requests.Pause())

    def resume(self) -> None:
        """Go on after a pause."""
        self._ask(requests.Resume())

    def stop(self, *, at_once: bool = False) -> None:
        """Finish the fits that are running, or leave them `at_once` with checkpoints, and end; paused ones are left."""
        self._ask(requests.Stop(at_once=at_once))

    def skip(self, combination: int) -> None:
        """Leave out what is still missing of a combination."""
        self._ask(requests.Skip(combination=combination))

    def retry(self, combination: int) -> None:
        """Run failed, skipped or dropped fits of a combination after all; before `start`, as soon as it is started.

        Raises UsageError for a combination that is not there, or of which all folds are scored or diverged.
        """
        request = requests.Retry(combination=combination)
        if self.session is not None:
            check_retry(combination, self.state)
        if self.session is None or self._engine.is_alive:
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
        self._change(requests.AddValues(values=values, allow_large=allow_large))

    def drop_values(self, parameter: str, value: Any) -> None:
        """Leave out what is missing of the combinations with this value."""
        self._change(requests.DropValues(parameter=parameter, value=value))

    def put_first(self, combination: int) -> None:
        """Run a combination before all others that wait."""
        self._change(requests.PutFirst(combination=combination))

    def clone(self, combination: int, **changes: Any) -> None:
        """Add a copy of a combination with some hyperparameters changed, and run it first."""
        self._change(requests.Clone(combination=combination, changes=changes))

    def undo(self) -> None:
        """Take back the last `add_values`, `drop_values`, `put_first` or `clone`."""
        self._change(requests.Undo())

    def _change(self, request: Change) -> None:
        with self._known() as state:
            step_of(request, self.spec, state)
        self._ask(request)

    def interrupt(self) -> None:
        """End at once, trainings left with checkpoints, to be resumed later; also from a signal handler."""
        self._engine.interrupt()

    def _ask(self, request: requests.AnyRequest) -> None:
        """Raises UsageError unless the engine will see the request."""
        if not self._engine.ask(request):
            message = "the search is not running; start it first"
            raise UsageError(message)

    def _launch(self, saves: Sequence[requests.Save] = (), *, only_save: bool = False) -> None:
        from engine.search import assembly  # what it imports takes longer than reading results does

        if self._engine.is_alive:
            message = "the search is running already"
            raise UsageError(message)
        try:
            if self.session is None:
                ready = assembly.begin(self.spec, self._options)
            else:
                ready = assembly.begin_again(self.session, self._options, only_save=only_save)
            self.session = ready.session
            running = assembly.assemble(
                ready,
                self._options,
                publish=self._engine.publish,
                requests=[*self._retries, *saves],
                only_save=only_save,
            )
        except OSError as error:
            where = self.session.folder if self.session is not None else self._options.sessions
            raise cannot_work(where, error) from error
        self._retries.clear()
        self._engine.start(running)

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
        if not self._engine.ask(request):
            self.wait()
            subscriber = self.subscribe()
            self._launch([request], only_save=True)
        answer = saving.answer_to(request, subscriber, told)
        if answer is None or self._engine.only_saves:
            self.wait()
        return saving.scores_of(answer)

    def save_warnings(self, request: requests.Save) -> list[str]:
        """Warnings about the refit's schedule, for a request of `save_request`."""
        assert request.combination is not None
        return steps_kept(self.state.combinations[request.combination].params)

    def save_request(self, path: str | Path, combination: int | None = None, choose: Choice = "best") -> requests.Save:
        """The request that saves a combination, the best one if none is named, checked. Raises as `save_best`."""
        return saving.make_request(self.state, path, combination, choose, self.corrected_best)

    # Results: see `SearchResults`

    @contextlib.contextmanager
    def _known(self) -> Iterator[SearchState]:
        published = self._engine.published
        if published is not None:
            with published.held() as state:
                yield state
        else:
            yield self.session.state() if self.session is not None else SearchState()
