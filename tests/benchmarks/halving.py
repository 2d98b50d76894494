"""Successive halving against the full search: the same 60 combinations of up to 40 epochs, epochs spent and best score.

python -m tests.benchmarks.halving [--data reuters] [--data-dir D] [--seeds 3] [--subsample 1.0]

The full search runs; halving then takes over the scores that it would have waited for, so that what its rungs would
have chosen, and how many epochs they would have trained, is known without training them again. Goal: at most a quarter
of the epochs, and a best within 0.003 of the full search's.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.search.search import Search
from tests.benchmarks.measuring import report

if TYPE_CHECKING:
    from engine.session.state import SearchState

COMBINATIONS, EPOCHS = 60, 40
SPACE: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": [128, 256, 512],
    "hidden_units": {"low": 16, "high": 128, "log": True},
    "dropout": {"low": 0.0, "high": 0.6},
    "optimizer": ["adam", "rmsprop"],
    "learning_rate": {
        "schedule": "ExponentialDecay",
        "initial_learning_rate": {"low": 1e-4, "high": 3e-2, "log": True},
        "decay_epochs": 1,
        "decay_rate": {"low": 0.85, "high": 1.0},
    },
}
OPTIONS: list[dict[str, Any]] = [{"factor": factor, "least": least} for factor in (2, 3, 4) for least in (1, 2)]


def epochs_of(state: SearchState) -> int:
    """Epochs that a search needed, all folds together."""
    return sum(
        EPOCHS if fit.status.is_finished else fit.epochs_behind
        for combination in state.combinations
        for fit in combination.fits
    )


def best_of(search: Search) -> float:
    """Run to the end; the best mean score."""
    for _ in search.run():
        pass
    return search.best_score_


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            asked: dict[str, Any] = {
                "dataset": options.data,
                "data_dir": options.data_dir,
                "subsample": options.subsample,
                "space": SPACE,
                "seed": seed,
                "workers": options.workers,
                "sessions": folder,
            }
            full = Search(**asked, strategy={"random": COMBINATIONS})
            best = best_of(full)
            for choice in OPTIONS:
                halving = Search(**asked, strategy={"halving": COMBINATIONS, **choice})
                short = best_of(halving) - best
                share = epochs_of(halving.state) / epochs_of(full.state)
                met = "yes" if share <= 0.25 and short >= -0.003 else "no"
                rows.append([seed, choice["factor"], choice["least"], f"{best:.4f}", f"{short:+.4f}", share, met])
                print(*rows[-1], flush=True)
    report(
        f"successive halving, {COMBINATIONS} combinations of up to {EPOCHS} epochs, {options.data}",
        ["seed", "factor", "least", "best of all", "halving's", "epochs", "goal met"],
        rows,
        {"subsample": options.subsample},
    )


if __name__ == "__main__":
    main()
