"""How much faster than a peer a whole search is, both run here, in turn: a ratio in one run.

python -m tests.benchmarks.speed [--grid reference|decay|quick] [--data reuters|imdb|sample] [--data-dir D]
    [--peer gridsearchcv|optuna|keras-tuner] [--runs 3] [--peer-runs 1] [--memory]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.grids import SPACES
from tests.benchmarks.measuring import Measured, at_hand, foldwatch, measure, median_of, report, scores_of
from tests.benchmarks.peer import PEERS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", choices=SPACES, default="reference")
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--peer", choices=PEERS, default="gridsearchcv")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--trainer", choices=("auto", "kernel", "keras"), default="auto")
    # Reading the memory of processes of gigabytes takes time from them: it is not asked for where time is measured.
    parser.add_argument("--memory", action="store_true", help="sample the memory of all processes; slows them down")
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    folder_options = ["--data-dir", str(options.data_dir)] if options.data_dir and name != "sample" else []
    peer_command = [
        sys.executable, "-m", "tests.benchmarks.peer", options.peer,
        "--grid", options.grid, "--data", name, "--jobs", str(cores), *folder_options,
    ]  # fmt: skip
    spec = {"dataset": name, "space": SPACES[options.grid], "trainer": options.trainer}
    with tempfile.TemporaryDirectory() as folder:
        # Parsed data and compiled kernels are in their caches afterwards, for both.
        measure(foldwatch(spec, Path(folder), "--workers", str(cores), *folder_options))
        ours, theirs = [], []
        for run in range(max(options.runs, options.peer_runs)):
            if run < options.runs:
                command = foldwatch(spec, Path(folder), "--workers", str(cores), *folder_options)
                ours.append(measure(command, memory=options.memory))
            if run < options.peer_runs:
                theirs.append(measure(peer_command, memory=options.memory))
    _report(options.grid, name, options.peer, ours, theirs)


def _report(grid: str, data: str, peer: str, ours: list[Measured], theirs: list[Measured]) -> None:
    seconds, peer_seconds = (median_of([run.seconds for run in runs]) for runs in (ours, theirs))
    memory, peer_memory = (median_of([run.peak_mb for run in runs]) for runs in (ours, theirs))
    best = max(sum(folds) / len(folds) for folds in scores_of(ours[-1].output).values())
    peer_best = json.loads(theirs[-1].output.splitlines()[-1])["best"]
    rows = [
        ["foldwatch", len(ours), seconds, memory or "", f"{best:.4f}"],
        [peer, len(theirs), peer_seconds, peer_memory or "", f"{peer_best:.4f}"],
        ["ratio", "", peer_seconds / seconds, peer_memory / memory if memory else "", ""],
    ]
    report(
        f"{grid} grid on {data}: whole command, medians",
        ["", "runs", "seconds", "peak MB", "best"],
        rows,
        {"all_seconds": [run.seconds for run in ours], "all_peer_seconds": [run.seconds for run in theirs]},
    )


if __name__ == "__main__":
    main()
