"""joblib's backend of a watched script: fits of a search go to foldwatch's workers, any other work as without it."""

from __future__ import annotations

import atexit
import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase

from engine.search.sklearn.fits import Outcome, ScriptFit
from engine.system import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.search.sklearn.watch import Watching

_FIT = "_fit_and_score"


class FoldwatchBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Hands the fits of each parallel call to `watching`, once all of them are known.

    Without a `watching`, as `joblib.parallel_config(backend="foldwatch")` makes it, it has one of its own, with the
    further `options` of `watch`.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True

    def __init__(self, watching: Watching | None = None, nesting_level: int | None = None, **options: Any) -> None:
        super().__init__(nesting_level=nesting_level)
        if watching is None:
            from engine.search.sklearn.watch import Watching

            watching = Watching(**options)
            atexit.register(watching.leave)
        self._watching = watching
        self._waiting: list[ScriptFit] | None = None  # of the call whose tasks are being handed over
        self._others: Any = None

    @property
    def default_n_jobs(self) -> int:
        """What `n_jobs=None` means."""
        return self._watching.workers

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """At least 2: with 1 joblib would run everything in the script's own process."""
        if n_jobs == 0:
            message = "n_jobs == 0 in Parallel has no meaning"
            raise ValueError(message)
        return max(2, self._jobs(n_jobs))

    def _jobs(self, n_jobs: int | None) -> int:
        if n_jobs is None:
            return self._watching.workers
        return n_jobs if n_jobs > 0 else max(1, machine.allowed_cpus() + 1 + n_jobs)

    def configure(
        self, n_jobs: int | None = 1, parallel: Any = None, prefer: Any = None, require: Any = None, **_: Any
    ) -> int:
        """Begin a group of calls: those of one search."""
        self.parallel = parallel
        self._n_jobs, self._prefer = n_jobs, prefer
        # All tasks are handed over at once, so that it is known how many there are.
        parallel.pre_dispatch = "all"
        self._watching.open(self._jobs(n_jobs))
        return self.effective_n_jobs(n_jobs)

    def start_call(self) -> None:
        """The tasks of a call follow."""
        self._waiting = []

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """All tasks of the call were handed over: they can begin."""
        fits, self._waiting = self._waiting or [], None
        if self.parallel._exception:
            # A splitter may have raised: where all tasks are handed over at once, joblib would go on without them.
            self.parallel._raise_error_fast()
        if fits:
            self._watching.run(fits)
        yield

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        """Take a batch of tasks; `callback` gets a list of outcomes, never before this has returned."""
        items = func.items
        if not all(_is_fit(function) for function, _, _ in items):
            return self._submit_other(func, callback)
        outcomes: dict[ScriptFit, Outcome] = {}

        def deliver(fit: ScriptFit, outcome: Outcome) -> None:
            outcomes[fit] = outcome
            if len(outcomes) == len(fits):
                callback([outcomes[one] for one in fits])

        nested = func._backend, func._n_jobs
        fits = [ScriptFit(function, arguments, keywords, nested, deliver) for function, arguments, keywords in items]
        if self._waiting is None:
            self._watching.run(fits)
        else:
            self._waiting += fits
        return fits

    def _submit_other(self, func: Any, callback: Callable[[Any], None]) -> Any:
        """Work that is no fit runs as it would without foldwatch, unrecorded."""
        self._watching.mention_other_work()
        if self._others is None:
            jobs = 1 if self._n_jobs is None else self._jobs(self._n_jobs)
            if jobs == 1 or self._prefer == "threads":
                self._others = ThreadPoolExecutor(jobs)
            else:
                from joblib.externals.loky import get_reusable_executor

                self._others = get_reusable_executor(jobs)
        future = self._others.submit(func)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The results of a batch. Raises what the script is to see."""
        if isinstance(out, Future):
            return out.result()
        for outcome in out:
            if outcome.error is not None:
                raise outcome.error
        return [outcome.result for outcome in out]

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Leave what runs: an error was raised, or the script was interrupted."""
        self._watching.abort()

    def terminate(self) -> None:
        """The calls of a search are over."""
        if isinstance(self._others, ThreadPoolExecutor):
            self._others.shutdown()
        self._others = None
        self._watching.close_call()


def _is_fit(function: Any) -> bool:
    return getattr(getattr(function, "function", function), "__name__", "") == _FIT
