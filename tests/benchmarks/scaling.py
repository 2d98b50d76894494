"""What a search costs as rows, words, combinations and workers grow: each row a ratio to the first of its kind.

python -m tests.benchmarks.scaling words|rows|combinations|workers [--data reuters] [--data-dir D] [--runs 3]
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.session.events import FitScored, TrainingStarted
from engine.session.listing import list_names
from engine.session.session import open_session
from tests.benchmarks.measuring import at_hand, foldwatch, measure, median_of, report

if TYPE_CHECKING:
    from engine.session.events import AnyEvent

OPTIMIZERS: dict[str, Any] = {
    "rmsprop": "rmsprop",
    "adam": "adam",
    "sgd": "sgd",
    "sgd, momentum": {"name": "sgd", "momentum": 0.9},
}


@dataclass(frozen=True, eq=False)
class Case:
    """Searches that run at the same time; the first case of a group is what its others are compared with."""

    group: str
    label: str
    specs: list[dict[str, Any]]
    options: tuple[str, ...] = ()


def cases(kind: str, data: str) -> list[Case]:
    """What is measured, in order."""
    space = {"epochs": [10], "batch_size": [128], "hidden_units": [64]}
    base = {"dataset": data, "space": space}
    if kind == "words":
        return [
            Case(name, f"{name} {words}", [{**base, "num_words": words, "space": {**space, "optimizer": [optimizer]}}])
            for name, optimizer in OPTIMIZERS.items()
            for words in (10_000, 30_000, 100_000)
        ]
    if kind == "rows":
        return [Case("rows", f"{share:.0%}", [{**base, "subsample": share}]) for share in (0.25, 0.5, 1.0)]
    if kind == "combinations":
        spaces = {count: {**space, "l2": [1e-6 * i for i in range(count)]} for count in (4, 8, 16)}
        return [Case("combinations", str(count), [{**base, "space": one}]) for count, one in spaces.items()]
    # Many of equal length: how soon each worker begins, and which ends last, hardly counts.
    rates = [0.001 * (1 + i / 100) for i in range(24)]
    whole, *halves = ({**base, "space": {**space, "learning_rate": some}} for some in (rates, rates[::2], rates[1::2]))
    return [
        Case("workers", "1 worker", [whole], ("--workers", "1")),
        Case("workers", "2 workers", [whole], ("--workers", "2")),
        # What a second core brings at most: nothing is shared but the machine.
        Case("workers", "2 searches of 1", halves, ("--workers", "1")),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("words", "rows", "combinations", "workers"))
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    folder_options = ["--data-dir", str(options.data_dir)] if options.data_dir and name != "sample" else []
    measured: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases(options.kind, name)}
    # One run of each in turn, so that a slow minute of the machine is not one case's alone; the first warms caches up.
    for run in range(options.runs + 1):
        for case, seconds in measured.items():
            found = run_case(case, folder_options)
            if run:
                seconds.append(found)
    first: dict[str, tuple[float, float]] = {}
    rows = []
    for case, seconds in measured.items():
        whole, training = (median_of(part) for part in zip(*seconds, strict=True))
        first_whole, first_training = first.setdefault(case.group, (whole, training))
        rows.append([case.label, whole, whole / first_whole, training, first_training / training])
    title = f"{options.kind} on {name}: whole command, and from the first training to the last score; medians"
    report(title, ["", "seconds", "ratio", "training", "throughput"], rows, {"runs": options.runs})


def run_case(case: Case, folder_options: list[str]) -> tuple[float, float]:
    """Seconds of the whole commands, and from their first training to their last score."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(case.specs)) as threads:
        places = [Path(folder) / str(number) for number in range(len(case.specs))]
        commands = []
        for place, spec in zip(places, case.specs, strict=True):
            place.mkdir()
            commands.append(foldwatch(spec, place, *case.options, *folder_options))
        seconds = max(run.seconds for run in threads.map(measure, commands))
        happened = [event for sessions in Path(folder).glob("*/sessions-*") for event in _events(sessions)]
    begun = min(event.time for event in happened if isinstance(event, TrainingStarted))
    return seconds, max(event.time for event in happened if isinstance(event, FitScored)) - begun


def _events(sessions: Path) -> list[AnyEvent]:
    (name,) = list_names(sessions)
    return open_session(name, sessions).follow().poll()


if __name__ == "__main__":
    main()
