"""Whether the corrected score of the best combination is nearer than its plain one to what it scores on the test set.

python -m tests.benchmarks.selection [--data reuters|imdb|sample] [--data-dir D] [--searches 50] [--combinations 100]
                                     [--rows 500] [--num-words 2000] [--processes 2]

Each search is a random one on a small subsample of its own, where luck weighs most: with the engine's folds, plan,
seeds and scores, trained by the kernel trainer in this process instead of in workers. What the best
combination is worth is the mean of its fold models' scores on the whole test set, which nothing else here looks at.
For races and halvings, which choose on the way, see `tests.benchmarks.equals`.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import data
from engine.analysis.selection.resampling import resample
from engine.analysis.selection.row_scores import RowScores
from engine.plan.prepared import prepare
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from engine.training.kernel import KernelTrainer
from engine.training.randomness import training_seed
from engine.training.requests import training_request
from engine.training.scoring import predicted_classes, scores
from engine.workers.process_pool import ONE_THREAD
from tests.benchmarks.measuring import at_hand, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.plan.prepared import Prepared
    from engine.training.interface import Epoch

METRIC = "accuracy"
# From hopeless to good, as wide as a first search is.
SPACE: dict[str, Any] = {
    "epochs": {"low": 1, "high": 8, "int": True},
    "batch_size": [32, 64, 128],
    "hidden_layers": [1, 2],
    "hidden_units": {"low": 4, "high": 32, "int": True, "log": True},
    "dropout": {"low": 0.0, "high": 0.5},
    "optimizer": ["rmsprop", "adam"],
    "learning_rate": {"low": 1e-4, "high": 3e-2, "log": True},
}


@dataclass(frozen=True)
class Outcome:
    """One search: the best score as found, corrected, its corrected interval, and the fold models' on the test set."""

    plain: float
    corrected: float
    low: float
    high: float
    test: float


def search_once(seed: int, *, spec: dict[str, Any], data_dir: Path | None) -> Outcome:
    """Search with this seed, and look at the test set for the best combination."""
    read = SearchSpec.from_values({**spec, "seed": seed})
    dataset = data.load(read.dataset, num_words=read.num_words, data_dir=data_dir)
    prepared = prepare(read, dataset, combinations_of(read))
    labels = np.asarray(dataset.training.labels)
    folds = prepared.folds[0]
    number = np.cumsum(folds >= 0) - 1
    right = [np.zeros((len(prepared.plan.combinations), int((folds == f).sum())), bool) for f in range(read.folds)]
    found = np.full((len(prepared.plan.combinations), read.folds), math.nan)
    for training in prepared.plan.trainings:
        rows, validation = _split(prepared, training.fold)
        stops = {fit.epochs for fit in training.fits}
        for epoch in _epochs(prepared, training.params, rows, validation):
            if epoch.number in stops:
                score = scores([METRIC], validation.labels, epoch.probabilities, validation.classes)[METRIC]
                for fit in training.fits:
                    if fit.epochs == epoch.number:
                        found[fit.combination, training.fold] = score
                        right[training.fold][fit.combination] = (
                            predicted_classes(epoch.probabilities) == validation.labels
                        )
    complete = np.flatnonzero(~np.isnan(found).any(axis=1))
    splits = [(number[folds == fold], labels[folds == fold], right[fold][complete]) for fold in range(read.folds)]
    place = int(np.argmax(found[complete].mean(axis=1)))
    resampled = resample(RowScores.of(METRIC, prepared.rows, splits), seed, best=place)
    best = int(complete[place])
    low, high = np.quantile(resampled.left_out, [0.025, 0.975])
    return Outcome(
        plain=float(found[best].mean()),
        corrected=float(found[best].mean()) - resampled.flattery,
        low=float(low),
        high=float(high),
        test=_test_score(prepared, prepared.plan.combinations[best].params),
    )


def _split(prepared: Prepared, fold: int) -> tuple[Rows, Rows]:
    folds, rows = prepared.folds[0], prepared.dataset.training
    return rows.take(np.flatnonzero((folds >= 0) & (folds != fold))), rows.take(np.flatnonzero(folds == fold))


def _epochs(prepared: Prepared, params: dict[str, Any], rows: Rows, validation: Rows) -> Iterator[Epoch]:
    """The epochs of a training until it diverges."""
    seed = training_seed(prepared.spec.seed, rows)
    request = training_request(params, row_count=len(rows), width=rows.width, classes=rows.classes, seed=seed)
    for epoch in KernelTrainer().train(request, rows, validation):
        if not math.isfinite(epoch.loss):
            return
        yield epoch


def _test_score(prepared: Prepared, params: dict[str, Any]) -> float:
    """The mean test score of the models of a combination's folds."""
    test = prepared.dataset.test
    found = []
    for fold in range(prepared.spec.folds):
        *_, last = _epochs(prepared, params, _split(prepared, fold)[0], test)
        found.append(scores([METRIC], test.labels, last.probabilities, test.classes)[METRIC])
    return statistics.mean(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--combinations", type=int, default=100)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--num-words", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    spec = {
        "dataset": name,
        "num_words": options.num_words,
        "subsample": options.rows,
        "strategy": {"random": options.combinations},
        "trainer": "kernel",
        "space": SPACE,
    }
    os.environ.update(ONE_THREAD)
    one = partial(search_once, spec=spec, data_dir=options.data_dir if name != "sample" else None)
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        outcomes = list(pool.map(one, range(options.searches)))
    test = np.array([outcome.test for outcome in outcomes])
    estimates = {
        "plain": np.array([outcome.plain for outcome in outcomes]),
        "corrected": np.array([outcome.corrected for outcome in outcomes]),
    }
    errors = {kind: values - test for kind, values in estimates.items()}
    nearer = np.abs(errors["corrected"]) < np.abs(errors["plain"])
    covered = [outcome.low <= outcome.test <= outcome.high for outcome in outcomes]
    rows = [
        [kind, *(f"{value:+.4f}" for value in _interval(error)), f"{np.abs(error).mean():.4f}", f"{_rms(error):.4f}"]
        for kind, error in errors.items()
    ]
    facts = {
        "data": name,
        "searches": len(outcomes),
        "mean_test": float(test.mean()),
        "corrected_is_nearer": float(nearer.mean()),
        "corrected_interval_covers": float(np.mean(covered)),
    }
    title = (
        f"best of {options.combinations} on {options.rows} rows of {name}, {len(outcomes)} times: error against test"
    )
    report(title, ["score", "mean", "from", "to", "mean absolute", "root mean square"], rows, facts)


def _interval(errors: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, and 95 % interval of the mean by the normal distribution."""
    mean, width = float(errors.mean()), 1.96 * float(errors.std(ddof=1)) / math.sqrt(len(errors))
    return mean, mean - width, mean + width


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


if __name__ == "__main__":
    main()
