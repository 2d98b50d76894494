"""What the engine itself costs a fit: events, journal and reducer over thousands of fits that train nothing.

python -m tests.benchmarks.overhead [--runs 3]
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.search.search import Search
from engine.session.events import SearchFinished, TrainingStarted
from engine.training.interface import Checkpoint, Epoch
from engine.workers.worker import main as work
from tests.benchmarks.measuring import median_of, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import Keeper, TrainingRequest


class NoTrainer:
    """Ends at once, with the same probabilities for every class."""

    name = "kernel"

    def refusal(self, request: TrainingRequest) -> None:
        """Nothing is refused."""

    def warm_up(self, request: TrainingRequest) -> None:
        """Nothing is needed."""

    def exact_probabilities(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.float32]:
        """As it always predicts."""
        return np.full((len(rows), rows.classes), 1 / rows.classes, np.float32)

    def train(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        """One epoch that costs nothing."""
        rows = 0 if validation_rows is None else len(validation_rows)
        probabilities = np.full((rows, training_rows.classes), 1 / training_rows.classes, np.float32)
        for number in range(start.epoch + 1 if start else 1, request.epochs + 1):
            yield Epoch(number, 1.0, 1.0, probabilities, 0.001, list, functools.partial(Checkpoint, number, {}))


def seconds_of(fits: int, folder: Path) -> float:
    """Seconds that a search of so many fits takes from its first event to its last."""
    values = [1e-9 * (i + 1) for i in range(fits // 2)]
    search = Search(
        dataset="sample",
        subsample=200,
        folds=2,
        space={"epochs": [1], "batch_size": [64], "hidden_units": [1], "hidden_layers": [1], "l2": values},
        workers=1,
        sessions=folder,
        fresh=True,
        worker_command=(sys.executable, "-m", "tests.benchmarks.overhead", "worker"),
    )
    times = [event.time for event in search.run() if isinstance(event, TrainingStarted | SearchFinished)]
    return times[-1] - times[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for fits in (100, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            seconds = median_of([seconds_of(fits, Path(folder)) for _ in range(options.runs)])
        rows.append([fits, seconds, f"{1000 * seconds / fits:.3f}"])
    report("engine overhead, one worker", ["fits", "seconds", "ms a fit"], rows, {})


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(sys.argv[2:], {"kernel": NoTrainer, "keras": NoTrainer})
    else:
        main()
