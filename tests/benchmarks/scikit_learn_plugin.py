"""A plugin for pytest: every test runs inside of one of joblib's backends, and calls of `_fit_and_score` are counted.

Used by `tests.benchmarks.scikit_learn_tests`, which names in two environment variables what it is to do: BACKEND
(`plain`, `loky` or `foldwatch`, the last two with two workers for `n_jobs=None`), and REPORT, a file for its lines of
JSON, which are written as the tests end.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pytest
from sklearn.utils import parallel

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKEND, REPORT = "SCIKIT_LEARN_TESTS_BACKEND", "SCIKIT_LEARN_TESTS_REPORT"
WORKERS = 2
_TESTS_OF_A_WATCH = 25  # then another begins: one that fell into disorder spoils no more tests than these
_RUNNING_TEST = "PYTEST_CURRENT_TEST"


class Backends:
    """Keeps the backend of all tests in place; `count` says how many fits ran, and where."""

    def __init__(self, name: str, report: Path) -> None:
        self._name, self._report = name, report
        self._place = contextlib.ExitStack()
        self._tests = 0
        self._sessions: Path | None = None
        self._here = 0
        self._depth = threading.local()
        self._count_what_runs_here()
        self._begin()

    def _count_what_runs_here(self) -> None:
        plain_call = parallel._FuncWrapper.__call__

        def call(wrapper: Any, *arguments: Any, **keywords: Any) -> Any:
            if wrapper.function.__name__ != "_fit_and_score":
                return plain_call(wrapper, *arguments, **keywords)
            depth = getattr(self._depth, "fits", 0)
            self._here += depth == 0  # what a fit runs inside of itself belongs to it
            self._depth.fits = depth + 1
            try:
                return plain_call(wrapper, *arguments, **keywords)
            finally:
                self._depth.fits = depth

        parallel._FuncWrapper.__call__ = call

    def _begin(self) -> None:
        if self._name == "loky":
            self._place.enter_context(joblib.parallel_config(backend="loky", n_jobs=WORKERS))
        elif self._name == "foldwatch":
            from engine import watch

            self._sessions = Path(self._place.enter_context(tempfile.TemporaryDirectory()))
            self._place.enter_context(
                watch("tests", sessions=self._sessions, workers=WORKERS, fresh=True, time_limit=120)
            )

    def _end(self) -> None:
        """Leave the backend, and count what reached its workers."""
        sessions, self._sessions = self._sessions, None
        reached = _begun_in(sessions) if sessions is not None else 0
        self._place.close()
        self.note({"here": self._here, "reached": reached})
        self._here = 0

    def note(self, line: dict[str, Any]) -> None:
        """Write a line into the report."""
        with self._report.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Another `watch` after some tests."""
        if self._tests and self._tests % _TESTS_OF_A_WATCH == 0:
            self._end()
            self._begin()
        self._tests += 1
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Iterator[None]:
        """The environment stays the same from test to test: workers are kept only for the same environment."""
        running = os.environ.pop(_RUNNING_TEST)
        try:
            return (yield)
        finally:
            os.environ[_RUNNING_TEST] = running

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """How a test ended."""
        if report.when == "call" or report.outcome != "passed":
            text = "" if report.outcome != "failed" else str(report.longrepr).strip().splitlines()[-1]
            name = report.nodeid.rpartition("/")[2]
            self.note({"test": name, "outcome": report.outcome, "reason": text, "seconds": report.duration})

    def pytest_sessionfinish(self) -> None:
        """The last tests have run."""
        self._end()


def _begun_in(sessions: Path) -> int:
    """How many fits the workers of these sessions began; those that were tried twice count once."""
    from engine.session.events import TrainingStarted
    from engine.session.session import open_session

    total = 0
    for folder in sessions.iterdir():
        events = open_session(folder.name, sessions).follow().poll()
        total += len({event.training for event in events if isinstance(event, TrainingStarted)})
    return total


def pytest_configure(config: pytest.Config) -> None:
    """Set the backend before the tests are imported."""
    config.pluginmanager.register(Backends(os.environ[BACKEND], Path(os.environ[REPORT])))
