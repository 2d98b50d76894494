"""What a search costs as rows, words, combinations and workers grow: each row a ratio to the first of its kind.

python -m tests.benchmarks.scaling words|rows|combinations|workers [--data reuters] [--data-dir D] [--runs 3]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import at_hand, foldwatch, measure, median_of, report

OPTIMIZERS: dict[str, Any] = {
    "rmsprop": "rmsprop",
    "adam": "adam",
    "sgd": "sgd",
    "sgd, momentum": {"name": "sgd", "momentum": 0.9},
}


def cases(kind: str, data: str) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """(group, label, spec, options) of each measurement; the first of a group is what the others are compared with."""
    space = {"epochs": [10], "batch_size": [128], "hidden_units": [64]}
    base = {"dataset": data, "space": space}
    if kind == "words":
        return [
            (name, f"{name} {words}", {**base, "num_words": words, "space": {**space, "optimizer": [optimizer]}}, [])
            for name, optimizer in OPTIMIZERS.items()
            for words in (10_000, 30_000, 100_000)
        ]
    if kind == "rows":
        return [("rows", f"{share:.0%}", {**base, "subsample": share}, []) for share in (0.25, 0.5, 1.0)]
    if kind == "combinations":
        return [
            ("combinations", str(count), {**base, "space": {**space, "l2": [1e-6 * i for i in range(count)]}}, [])
            for count in (4, 8, 16)
        ]
    many = {**base, "space": {**space, "l2": [1e-6 * i for i in range(8)]}}
    return [("workers", str(count), many, ["--workers", str(count)]) for count in (1, 2)]


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
    first: dict[str, float] = {}
    rows = []
    for group, label, spec, extra in cases(options.kind, name):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            measure(foldwatch(spec, place, *extra, *folder_options))
            runs = [measure(foldwatch(spec, place, *extra, *folder_options)).seconds for _ in range(options.runs)]
        seconds = median_of(runs)
        rows.append([label, seconds, seconds / first.setdefault(group, seconds)])
    report(f"{options.kind} on {name}: whole command, medians of {options.runs}", ["", "seconds", "ratio"], rows, {})


if __name__ == "__main__":
    main()
