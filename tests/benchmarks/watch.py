"""What `watch` costs a script of scikit-learn's, as ratios to joblib's own loky: below 1 is less than there.

python -m tests.benchmarks.watch short [--rounds 3]     1,000 fits of a few ms; goal: not slower
python -m tests.benchmarks.watch large [--rounds 3]     1 GB of dense rows, memory of all processes; goal: not more
python -m tests.benchmarks.watch resume [--rounds 3]    20,000 journalled fits, taken over; goal: below 10 s
python -m tests.benchmarks.watch course --script plain_gridsearch.py --data reuters.npz   a grid of scikeras; not slower

Each round runs both, one after the other, in processes of their own, as another program may take part of the machine.
The figure is the median of the rounds' ratios. `cold`: the workers start within the measured time; `warm`: a second
search of the same process. `CPU` tells more than seconds where others use the machine as well: seconds of processors of
the whole case, with the start of Python.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from engine import watch
from tests.benchmarks.measuring import measure, median_of, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDS = 5
WORKERS = 2
ENGINES = ("loky", "watch")
_WATCHED = """
import runpy, sys
from engine import watch
_, sessions, *sys.argv = sys.argv
with watch("course", sessions=sessions, workers=2):
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Constant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the first class: a fit that costs nothing, but for the rows of its split."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fit(self, X: Any, y: Any) -> Constant:
        """Learn nothing."""
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        """The first class for every row."""
        return np.full(len(X), self.classes_[0])


@contextlib.contextmanager
def _running(engine: str, sessions: str, *, fresh: bool = True) -> Iterator[None]:
    if engine == "loky":
        with joblib.parallel_config("loky"):
            yield
    else:
        with watch("benchmark", sessions=sessions, workers=WORKERS, fresh=fresh):
            yield


def _short(engine: str, sessions: str) -> dict[str, float]:
    X, y = load_iris(return_X_y=True)
    # Strong penalties and scaled columns: a handful of iterations.
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    search = GridSearchCV(LogisticRegression(), {"C": np.logspace(-4, -2, 1_000 // FOLDS)}, cv=FOLDS, n_jobs=WORKERS)
    seconds = {}
    with _running(engine, sessions):
        for name in ("cold", "warm"):
            started = time.perf_counter()
            search.fit(X, y)
            seconds[name] = time.perf_counter() - started
    return seconds


def _large(engine: str, sessions: str) -> dict[str, float]:
    X = np.random.default_rng(0).normal(size=(125_000, 1_000))
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(Constant(), {"number": list(range(10))}, cv=FOLDS, n_jobs=WORKERS, refit=False)
    with _running(engine, sessions):
        started = time.perf_counter()
        search.fit(X, y)
        return {"seconds": time.perf_counter() - started}


def _resume(engine: str, sessions: str) -> dict[str, float]:
    """`engine`: "fits" runs them, "resume" takes them over."""
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(Constant(), {"number": list(range(4_000))}, cv=FOLDS, n_jobs=WORKERS, refit=False)
    with _running("watch", sessions, fresh=engine == "fits"):
        started = time.perf_counter()
        search.fit(X, y)
        return {"seconds": time.perf_counter() - started}


CASES = {"short": _short, "large": _large, "resume": _resume}


def _measured(case: str, engine: str, sessions: str) -> dict[str, float]:
    """What a case says of itself, and seconds of processors, or for large rows MB, of all its processes."""
    command = [sys.executable, "-m", "tests.benchmarks.watch", case, "--engine", engine, "--sessions", sessions]
    before = _processor_seconds()
    measured = measure(command, memory=case == "large")
    found: dict[str, float] = json.loads(measured.output)
    # Looking at its memory takes processors from the case itself.
    return {**found, "MB": measured.peak_mb} if case == "large" else {**found, "CPU": _processor_seconds() - before}


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _compare(case: str, rounds: int) -> None:
    """Both engines, round by round."""
    rows: list[dict[str, float]] = []
    for number in range(rounds):
        found: dict[str, dict[str, float]] = {}
        for engine in ENGINES if number % 2 == 0 else reversed(ENGINES):
            with tempfile.TemporaryDirectory() as sessions:
                found[engine] = _measured(case, engine, sessions)
        rows.append({f"{engine} {key}": value for engine in ENGINES for key, value in found[engine].items()})
        for key, value in found["watch"].items():
            rows[-1][f"ratio {key}"] = value / found["loky"][key]
    _report(f"{case}: watch against loky", rows)


def _take_over(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as sessions:
        _measured("resume", "fits", sessions)
        rows = [_measured("resume", "resume", sessions) for _ in range(rounds)]
    _report("resume of 20,000 journalled fits", rows)


def _course(options: argparse.Namespace) -> None:
    arguments = [str(options.script), "--data", str(options.data), "--grid", "quick", "--n-jobs", str(WORKERS)]
    rows = []
    for _ in range(options.rounds):
        plain = json.loads(measure([sys.executable, *arguments]).output.splitlines()[-1])
        with tempfile.TemporaryDirectory() as sessions:
            command = [sys.executable, "-c", _WATCHED, sessions, *arguments]
            watched = json.loads(measure(command).output.splitlines()[-1])
        seconds = {"plain": plain["wall_seconds"], "watch": watched["wall_seconds"]}
        rows.append({**seconds, "ratio": seconds["watch"] / seconds["plain"]})
        if plain["scores"] != watched["scores"]:
            message = f"other scores: {plain['scores']} and {watched['scores']}"
            raise RuntimeError(message)
    _report("scikeras: watch against plain", rows)


def _report(title: str, rows: Sequence[dict[str, float]]) -> None:
    medians = {key: median_of([row[key] for row in rows]) for key in rows[0]}
    report(title, list(medians), [list(row.values()) for row in rows], {"medians": medians})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=(*CASES, "course"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--script", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--sessions", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(CASES[options.case](options.engine, options.sessions)))
    elif options.case == "course":
        if options.script is None or options.data is None:
            parser.error("course needs --script and --data")
        _course(options)
    elif options.case == "resume":
        _take_over(options.rounds)
    else:
        _compare(options.case, options.rounds)


if __name__ == "__main__":
    main()
