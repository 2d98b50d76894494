"""Seconds to open a data set the first time, parsing it, and every time after that.

python -m tests.benchmarks.opening [--data imdb|reuters|sample] [--data-dir D] [--runs 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from engine import data
from tests.benchmarks.measuring import at_hand, median_of, report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="imdb")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs + 1):
            begun = time.perf_counter()
            data.load(name, data_dir=options.data_dir, cache_dir=Path(folder))
            seconds.append(time.perf_counter() - begun)
    rows = [["first", seconds[0]], ["after that, median", median_of(seconds[1:])]]
    report(f"opening {name}", ["", "seconds"], rows, {"all_seconds": seconds})


if __name__ == "__main__":
    main()
