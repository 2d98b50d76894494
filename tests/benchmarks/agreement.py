"""How far the kernel's scores are from the keras trainer's over the reference grid, both run here.

python -m tests.benchmarks.agreement [--data reuters|imdb|sample] [--data-dir D] [--grid reference]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.grids import SPACES
from tests.benchmarks.measuring import at_hand, foldwatch, measure, report, scores_of


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", choices=SPACES, default="reference")
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    folder_options = ["--data-dir", str(options.data_dir)] if options.data_dir and name != "sample" else []
    means = {}
    for trainer in ("kernel", "keras"):
        spec = {"dataset": name, "space": SPACES[options.grid], "trainer": trainer}
        with tempfile.TemporaryDirectory() as folder:
            scores = scores_of(measure(foldwatch(spec, Path(folder), *folder_options)).output)
        means[trainer] = {index: sum(folds) / len(folds) for index, folds in scores.items()}
    rows = [
        [index, f"{means['kernel'][index]:.4f}", f"{means['keras'][index]:.4f}", f"{difference:+.4f}"]
        for index, difference in sorted(_differences(means).items())
    ]
    differences = list(_differences(means).values())
    facts = {
        "largest": max(abs(difference) for difference in differences),
        "mean_absolute": sum(abs(difference) for difference in differences) / len(differences),
        "mean": sum(differences) / len(differences),
    }
    report(f"kernel against keras trainer, {options.grid} grid on {name}", ["#", "kernel", "keras", "by"], rows, facts)


def _differences(means: dict[str, dict[int, float]]) -> dict[int, float]:
    return {index: means["kernel"][index] - means["keras"][index] for index in means["keras"]}


if __name__ == "__main__":
    main()
