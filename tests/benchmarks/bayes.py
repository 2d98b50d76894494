"""Bayesian optimization against random search: the best score of 60 fits each, seed by seed, and the cost of deciding.

python -m tests.benchmarks.bayes [--data reuters] [--data-dir D] [--seeds 20] [--fits 60]
python -m tests.benchmarks.bayes --deciding 1000

Both begin with the same draws on the same folds, whose scores the second search takes over from the first. Goal: the
best found is, over the seeds, not below random search's.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis.trends.intervals import mean_interval
from engine.search.search import Search
from engine.search.strategies.bayes import Bayes
from engine.search.strategies.optuna_study import OptunaSampler
from engine.session import events
from engine.session.state import SearchState
from engine.spec.combinations import draw
from engine.spec.spec import SearchSpec
from tests.benchmarks.measuring import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.search.strategies.optuna_study import Observation
    from engine.spec.combinations import Params

FOLDS = 3
# Two hidden layers trained by Adam for six epochs: what decides is continuous, but for the units.
SPACE: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 128,
    "optimizer": "adam",
    "hidden_units": {"low": 8, "high": 96, "log": True},
    "dropout": {"low": 0.0, "high": 0.7},
    "l2": {"low": 1e-7, "high": 1e-2, "log": True},
    "learning_rate": {
        "schedule": "ExponentialDecay",
        "initial_learning_rate": {"low": 1e-4, "high": 3e-1, "log": True},
        "decay_epochs": 1,
        "decay_rate": {"low": 0.3, "high": 1.0},
    },
}


def best_found(strategy: dict[str, Any], seed: int, asked: dict[str, Any]) -> float:
    """The best mean score of a search."""
    search = Search(**asked, seed=seed, strategy=strategy)
    for _ in search.run():
        pass
    return search.best_score_


def compare(options: argparse.Namespace) -> None:
    """Both searches for every seed, and the interval of the mean of their differences."""
    combinations = options.fits // FOLDS
    rows, differences = [], []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            asked: dict[str, Any] = {
                "dataset": options.data,
                "data_dir": options.data_dir,
                "num_words": 2_000,
                "subsample": options.rows,
                "folds": FOLDS,
                "space": SPACE,
                "workers": options.workers,
                "sessions": folder,
            }
            drawn = best_found({"random": combinations}, seed, asked)
            chosen = best_found({"bayes": combinations, "first": options.first, "lag": options.lag}, seed, asked)
        differences.append(chosen - drawn)
        rows.append([seed, f"{drawn:.4f}", f"{chosen:.4f}", f"{chosen - drawn:+.4f}"])
        print(*rows[-1], flush=True)
    mean, deviation = statistics.fmean(differences), statistics.pstdev(differences)
    interval = mean_interval(mean, deviation, len(differences))
    report(
        f"best of {options.fits} fits, {options.data}: random search and bayes (first {options.first}, "
        f"lag {options.lag}); difference {mean:+.4f}, 95 % interval {interval}",
        ["seed", "random", "bayes", "difference"],
        rows,
        {"difference": mean, "interval": interval},
    )


class TimedSampler(OptunaSampler):
    """Counts the seconds spent in Optuna and in telling it."""

    seconds = 0.0

    def ask(self, told: Sequence[Observation], seed: Sequence[int]) -> Params:
        """As `OptunaSampler.ask`."""
        started = time.process_time()
        params = super().ask(told, seed)
        self.seconds += time.process_time() - started
        return params


def scored_state(spec: SearchSpec, combinations: int) -> SearchState:
    """A search with so many combinations, all scored but the last, and more to come."""
    state, chance = SearchState(), random.Random(0)
    started: dict[str, Any] = {"session": "a", "segment": 1, "dataset": "sample", "synthetic": True, "rows": 1000}
    started |= {"classes": 5, "splits": FOLDS, "scoring": ["accuracy"], "workers": 1, "trainings": 1, "cost": 1.0}
    state.apply(events.SearchStarted(time=0.0, host="", pid=0, **started))
    planned = [
        events.PlannedCombination(index=index, params=params, trainer="kernel")
        for index, params in enumerate(draw(spec.spaces, combinations, 0))
    ]
    state.apply(events.CombinationsAdded(time=0.0, combinations=planned, to_come=10))
    for fit in range((combinations - 1) * FOLDS):
        index, fold = divmod(fit, FOLDS)
        scores: dict[str, float | None] = {"accuracy": chance.random()}
        state.apply(
            events.FitScored(time=0.0, combination=index, fold=fold, training=fit, epochs=6, scores=scores, seconds=1.0)
        )
    return state


def deciding(combinations: int) -> None:
    """Milliseconds of processor time, the strategy's own and Optuna's, when so many combinations are there."""
    rows = []
    for lag, what in ((1, "waits"), (2, "asks")):
        strategy = {"bayes": combinations + 10, "lag": lag}
        values: dict[str, Any] = {"dataset": "sample", "space": SPACE, "strategy": strategy}
        spec = SearchSpec.from_values(values)
        state, bayes, questions = (
            scored_state(spec, combinations),
            Bayes(spec, combinations + 10),
            TimedSampler(spec.spaces),
        )
        bayes.sampler = questions
        bayes.ask(state)  # everything is told once
        runs = []
        for _ in range(21):
            questions.seconds, started = 0.0, time.process_time()
            bayes.ask(state)
            runs.append((time.process_time() - started - questions.seconds, questions.seconds))
        own, optunas = (1000 * statistics.median(column) for column in zip(*runs, strict=True))
        rows.append([what, own, optunas])
    report(f"a decision of bayes at {combinations} combinations, ms", ["it", "own", "Optuna's"], rows, {})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fits", type=int, default=60)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=10)
    parser.add_argument("--lag", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deciding", type=int, metavar="COMBINATIONS")
    options = parser.parse_args()
    if options.deciding:
        deciding(options.deciding)
    else:
        compare(options)


if __name__ == "__main__":
    main()
