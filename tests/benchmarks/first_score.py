"""Seconds from the command to the first score, warm and the very first time (compiling), on the sample.

python -m tests.benchmarks.first_score [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.grids import QUICK
from tests.benchmarks.measuring import foldwatch, median_of, report


def seconds_to_first_score(folder: Path, environment: dict[str, str]) -> float:
    """Start a search, wait for its first score, and stop it."""
    command = foldwatch({"dataset": "sample", "space": QUICK}, folder)
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if '"type":"FitScored"' in line:
                seconds = time.perf_counter() - started
                process.terminate()
                return seconds
    message = "the search ended without a score"
    raise RuntimeError(message)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    first, warm = [], []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            cache = {"FOLDWATCH_CACHE": str(Path(folder) / "cache")}
            first.append(seconds_to_first_score(Path(folder), cache))
            warm.append(seconds_to_first_score(Path(folder), cache))
    report(
        "first score after run, sample",
        ["", "runs", "median s", "worst s"],
        [
            ["very first time", options.runs, median_of(first), max(first)],
            ["warm", options.runs, median_of(warm), max(warm)],
        ],
        {},
    )


if __name__ == "__main__":
    main()
