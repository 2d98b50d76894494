"""Seconds and memory of planning large grids, and of a session that has announced, and half scored, as many.

python -m tests.benchmarks.planning [--sizes 1000 10000 100000] [--only plan|session]

`plan` and the commands that read are measured as processes of their own, as their user runs them. The grid has seven
hyperparameters, epochs among them, which share trainings; "unshared" has its like without.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.plan.plan import make_plan
from engine.session import events
from engine.session.state import SearchState
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.benchmarks.measuring import report
from tests.tui_tests.small_sessions import make_session
from tui.results.model import ResultsModel
from tui.results.row_filter import compile_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.session.session import Session

SIZES = (1_000, 10_000, 100_000)
_SPLITS = 3
_MEASURED = ("seconds", "processor s", "MB")


def space_of(combinations: int, *, shared: bool = True) -> dict[str, Any]:
    """A space of at least so many combinations, of seven hyperparameters."""
    rest: dict[str, list[Any]] = {
        "batch_size": [32, 64, 128, 256, 512],
        "dropout": [0.0, 0.1, 0.2, 0.3],
        "optimizer": [{"name": "sgd", "momentum": [0.0, 0.5, 0.9, 0.99]}, "adam"],
        "learning_rate": [
            0.01,
            {
                "schedule": "ExponentialDecay",
                "initial_learning_rate": 0.1,
                "decay_epochs": 1,
                "decay_rate": [0.8, 0.9, 0.99],
            },
        ],
        "epochs": [1, 2, 3, 4, 5] if shared else [5],
    }
    each = 5 * 4 * 5 * 4 * len(rest["epochs"])
    return {**rest, "hidden_units": list(range(16, 16 + -(-combinations // each)))}


def run(*arguments: str) -> list[Any]:
    """Seconds, those of the processor, and megabytes of a command as a process of its own."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", "-m", "engine", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        message = f"{arguments[0]} ended with {os.waitstatus_to_exitcode(status)}"
        raise RuntimeError(message)
    seconds = time.perf_counter() - begun
    return [f"{seconds:.2f}", f"{usage.ru_utime + usage.ru_stime:.2f}", _megabytes(usage)]


def _megabytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)


def plans(sizes: list[int], folder: Path) -> None:
    """Measure and print `foldwatch plan`."""
    rows = []
    for size, shared in itertools.product(sizes, (True, False)):
        spec = SearchSpec.from_values(
            {"dataset": "reuters", "space": space_of(size, shared=shared), "allow_large": True}
        )
        path = folder / f"{size}.toml"
        path.write_text(spec.to_toml())
        rows.append([f"{size:,} {'shared' if shared else 'unshared'}", *run("plan", str(path))])
    report("foldwatch plan", ["combinations", *_MEASURED], rows, {})


def session_of(size: int, sessions: Path) -> Session:
    """A session with so many combinations, the first half of them scored."""
    space = space_of(size)
    spec = SearchSpec.from_values({"dataset": "reuters", "space": space, "allow_large": True})
    plan = make_plan(spec, combinations_of(spec))

    def record() -> Iterator[events.AnyEvent]:
        yield events.SearchStarted(
            time=1.0,
            session=f"size-{size}",
            segment=1,
            dataset="reuters",
            synthetic=False,
            rows=8982,
            classes=46,
            splits=_SPLITS,
            scoring=["accuracy"],
            workers=2,
            trainings=len(plan.trainings),
            cost=plan.cost,
            host="here",
            pid=1,
        )
        yield events.CombinationsAdded(time=1.0, combinations=list(plan.combinations))
        for index, fold in itertools.product(range(size // 2), range(_SPLITS)):
            yield events.FitScored(
                time=2.0 + index,
                combination=index,
                fold=fold,
                training=index,
                epochs=5,
                scores={"accuracy": 0.5 + index % 997 / 4000},
                seconds=1.0,
            )

    return make_session(sessions, f"size-{size}", record(), space=space, scoring=["accuracy"], allow_large=True)


def read_sessions(sizes: list[int], folder: Path) -> None:
    """Measure and print the announcement, the replay, and the commands that read."""
    rows = []
    for size in sizes:
        sessions = folder / f"sessions-{size}"
        session = session_of(size, sessions)
        state = session.state()
        announced = events.CombinationsAdded(time=1.0, combinations=[_planned(one) for one in state.combinations])
        begun = time.perf_counter()
        session.state()
        replay = time.perf_counter() - begun
        rows.append(
            [
                f"{size:,}",
                f"{len(events.to_json(announced)) / 1e6:.1f}",
                f"{replay:.2f}",
                *run("list", "--sessions", str(sessions)),
                *run("show", session.id, "--sessions", str(sessions)),
                *(f"{seconds:.3f}" for seconds in _results_table(state)),
            ]
        )
    read = [f"{command} {what}" for command in ("list", "show") for what in _MEASURED]
    columns = ["combinations", "event MB", "replay s", *read, "table s", "filter s", "change s"]
    report("a session, half scored", columns, rows, {})


def _planned(one: Any) -> events.PlannedCombination:
    return events.PlannedCombination(index=one.index, params=one.params, trainer=one.trainer, same_as=one.same_as)


def _results_table(state: SearchState) -> Iterator[float]:
    """Seconds until the rows of the results table are there, until a filter was applied, and to take one change."""
    model = ResultsModel()
    begun = time.perf_counter()
    model.update(state)
    yield time.perf_counter() - begun
    keeps = compile_filter("optimizer=sgd mean>0.6", model.values)
    assert keeps is not None
    begun = time.perf_counter()
    sum(keeps(row) for row in range(model.rows))
    yield time.perf_counter() - begun
    state.changed = {0}
    begun = time.perf_counter()
    model.update(state)
    yield time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--only", choices=("plan", "session"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "session":
            plans(options.sizes, Path(folder))
        if options.only != "plan":
            read_sessions(options.sizes, Path(folder))


if __name__ == "__main__":
    main()
