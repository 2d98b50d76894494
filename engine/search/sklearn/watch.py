"""`watch`: foldwatch as the joblib backend of whatever a script runs inside it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib

from engine.errors import UsageError, shortened
from engine.search.sklearn import notebook
from engine.search.sklearn.backend import FoldwatchBackend
from engine.search.sklearn.digest import Digester
from engine.search.sklearn.fits import arrange, unite_functions
from engine.search.sklearn.kept_workers import KeptWorkers
from engine.search.sklearn.refit import RefitWatch, refits
from engine.search.sklearn.scores import scoring_names
from engine.search.sklearn.script_search import ScriptSearch
from engine.search.sklearn.script_sessions import ScriptSessions
from engine.search.sklearn.seeds import unseeded
from engine.session.places import check_identifier, sessions_folder
from engine.spec.spec import check_time_limit
from engine.system import machine, scratch
from engine.system.notify import Notifier
from engine.training.keras.watched_fit import EpochCounter, WatchedEpoch, watch_keras

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.search.sklearn.fits import ScriptFit

_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")


@contextlib.contextmanager
def watch(
    name: str | None = None,
    *,
    sessions: str | Path | None = None,
    workers: int | None = None,
    fresh: bool = False,
    time_limit: float | None = None,
    group_readable: bool = False,
    notify: str | None = None,
) -> Iterator[None]:
    """Run every search of scikit-learn inside as a session: each fit in a worker process, on disk once it is scored.

    Whoever attaches sees each fold as it lands. A script that was killed and runs again goes on where it was: a fit
    that is on disk is known by all that decides it, and is not run again.

    `name`: of the session (None: that of the script); a second search inside is called `NAME-2`. `sessions`: the
    folder of sessions. `workers`: number of worker processes (None: as many as the machine has processors); it is what
    `n_jobs=None` means inside. `fresh`: run also what an earlier run has scored. `time_limit`: seconds that a fit may
    take. `group_readable`: the user's group may read the session. `notify`: a command that is run, without a shell, at
    the end of each search, with `FOLDWATCH_SESSION` and `FOLDWATCH_OUTCOME` set.

    Raises UsageError for a value that is not accepted; inside, `fit` raises `errors.SearchStopped` where
    somebody stops the search.

    Example::

        with watch("reuters-01"):
            search = GridSearchCV(KerasClassifier(build), grid, cv=3).fit(X, y)
    """
    watching = Watching(
        name,
        sessions=sessions,
        workers=workers,
        fresh=fresh,
        time_limit=time_limit,
        group_readable=group_readable,
        notify=notify,
    )
    with joblib.parallel_config(backend=FoldwatchBackend(watching), n_jobs=None):
        try:
            yield
        finally:
            watching.leave()


@dataclass
class _Group:
    """Parallel calls that are one search: its workers, and what belongs to it once its first fits have come."""

    jobs: int
    kept: KeptWorkers
    is_late: bool = False  # it came after joblib had closed its group, so that nobody will close it
    search: ScriptSearch | None = None
    caller: Any = None
    folders: list[Path] = field(default_factory=list)
    combinations: int = 0

    def close(self, outcome: str, notifier: Notifier) -> None:
        search, self.search = self.search, None
        if search is not None:
            search.end(outcome)
            notifier.notify(search.session.id, search.outcome)
            self.caller = None
            for folder in self.folders:
                scratch.leave(folder)
                scratch.remove(folder)


class Watching:
    """What one `watch` holds: the search that runs now, and the sessions of those before; arguments as there."""

    def __init__(
        self,
        name: str | None = None,
        *,
        sessions: str | Path | None = None,
        workers: int | None = None,
        fresh: bool = False,
        time_limit: float | None = None,
        group_readable: bool = False,
        notify: str | None = None,
    ) -> None:
        _check(workers, notify)
        self.workers = workers or machine.allowed_cpus()
        self._time_limit = None if time_limit is None else check_time_limit(time_limit)
        self._sessions = ScriptSessions(
            sessions_folder(Path(sessions) if sessions is not None else None),
            check_identifier(name) if name is not None else None,
            group_readable=group_readable,
            warn=self._warn,
        )
        self._notifier = Notifier(notify, "notify")
        self._fresh = fresh
        self._digester = Digester()
        self._kept = KeptWorkers()
        self._groups: list[_Group] = []  # that are open, each begun between two calls of the one before
        self._refitting: _Group | None = None  # whose fits are over, while the script refits its best
        self._warnings: set[str] = set()
        self._epochs = EpochCounter()
        self._stop_watching_keras = watch_keras(self._epoch_of_refit)

    # What the backend asks for

    def open(self, jobs: int) -> None:
        """A group of parallel calls begins; what they run together is one search."""
        self._digester.forget()

        if self._groups and self._groups[-1].is_late:
            self._groups.pop().close("completed", self._notifier)
        # A search that waits between two of its calls still has its workers.
        self._groups.append(_Group(jobs, KeptWorkers() if self._groups else self._kept))

    def run(self, fits: Sequence[ScriptFit]) -> None:
        """Run fits of the present group; each is delivered when its score is on disk."""
        self._close_refit("completed")
        if not self._groups:
            self._groups.append(_Group(self.workers, self._kept, is_late=True))
        group = self._groups[-1]
        group.combinations = arrange(fits, group.combinations)
        unite_functions(fits)
        reason = ""
        for fit in fits:
            reason = fit.set_digest(self._digester) or reason
        if reason:
            self._warn_once(f"some fits cannot be known again, so a later run of the script runs them again: {reason}")
        if group.search is None:
            group.search = self._begin(group, fits)
        else:
            group.search.add(fits)

    def close_call(self) -> None:
        """The group of calls is over; where the script refits the best now, the session waits for it."""
        group = self._groups.pop() if self._groups else None
        if group is not None and group.search is not None:
            watched = RefitWatch(group.caller) if refits(group.caller) and group.search.failure is None else None
            self._epochs = EpochCounter()
            group.search.finish_fits(watched)
            if watched is None:
                group.close("completed", self._notifier)
            else:
                self._refitting = group
        if group is not None and group.kept is not self._kept:
            group.kept.close()

    def abort(self) -> None:
        """Leave what runs, to be gone on with when the script runs again."""
        if self._groups:
            self._groups[-1].close("interrupted", self._notifier)

    def leave(self) -> None:
        """The script leaves the `watch`."""
        self._close_refit("interrupted")
        while self._groups:
            group = self._groups.pop()
            group.close("interrupted", self._notifier)
            group.kept.close()
        self._kept.close()
        self._notifier.close()
        self._stop_watching_keras()

    def mention_other_work(self) -> None:
        """Say once that some of the script's parallel work is no fit of a search."""
        self._warn_once("some parallel work here is no fit of a search: it runs as without foldwatch, and unrecorded")

    # One search

    def _begin(self, group: _Group, fits: Sequence[ScriptFit]) -> ScriptSearch:
        workers = min(group.jobs, machine.MOST_WORKERS)
        group.caller = fits[0].caller
        known = {} if self._fresh else self._sessions.known_scores()
        session, after = self._sessions.session_of(fits, workers)
        if not self._fresh and (advice := unseeded(group.caller)):
            self._warn_once(advice)
        group.folders = [scratch.use(scratch.new_name(place)) for place in _buffer_places()]
        search = ScriptSearch(
            session,
            group.kept,
            workers=workers,
            environment=_environment(workers),
            folders=group.folders,
            scoring=scoring_names(fits[0]),
            known=known,
            warn=self._warn,
            time_limit=self._time_limit,
            after=after,
        )
        table = None
        if notebook.is_in_notebook():
            table = notebook.LiveTable(session, search.segment, self._warn)
        else:
            self._warn(f"session {session.id}; watch it with: {session.command('attach')}")
        search.start(fits, max(fit.split for fit in fits) + 1, table)
        return search

    def _close_refit(self, outcome: str) -> None:
        group, self._refitting = self._refitting, None
        if group is not None:
            group.close(outcome, self._notifier)

    def _epoch_of_refit(self, epoch: WatchedEpoch) -> None:
        if self._refitting is not None and self._refitting.search is not None:
            number, epochs = self._epochs.place_of(epoch)
            self._refitting.search.note_refit_epoch(number, epochs, epoch.loss)

    # What the user should know

    def _warn_once(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.add(text)
            self._warn(text)

    def _warn(self, text: str) -> None:
        sys.stderr.write(f"foldwatch: {text}\n")


def _check(workers: Any, notify: Any) -> None:
    """Raises UsageError for what no `watch` can have."""
    accepted = isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= machine.MOST_WORKERS
    if workers is not None and not accepted:
        shown = shortened(repr(workers))
        message = f"workers: {shown} is not accepted; accepted: a whole number from 1 to {machine.MOST_WORKERS}"
        raise UsageError(message)
    if notify is not None and not isinstance(notify, str):
        message = f"notify: {shortened(repr(notify))} is not accepted; accepted: a command line"
        raise UsageError(message)


def _buffer_places() -> list[Path]:
    """Where large arrays go: into memory where the system has a place for that, else, or once it is full, on disk."""
    memory, disk = Path("/dev/shm"), Path(tempfile.gettempdir())  # noqa: S108 - a folder of our own is made inside
    return [memory, disk] if os.access(memory, os.W_OK) else [disk]


def _environment(workers: int) -> dict[str, str]:
    """As many threads in each worker as joblib's own processes would have, where the user has not said how many."""
    threads = str(max(1, machine.allowed_cpus() // workers))
    variables = {f"{name}_NUM_THREADS": threads for name in _THREADS}
    variables["VECLIB_MAXIMUM_THREADS"] = variables.pop("VECLIB_MAXIMUM_NUM_THREADS")
    names = [*variables, "KERAS_BACKEND"]
    return {**variables, **{name: os.environ[name] for name in names if name in os.environ}}


joblib.register_parallel_backend("foldwatch", FoldwatchBackend)
