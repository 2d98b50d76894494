"""What is said of the best score when nearly equal combinations race, or are halved: against the full grid's scores.

python -m tests.benchmarks.equals [--data-dir D] [--seeds 10] [--rows 3000] [--folds 6] [--combinations 8]

The combinations differ in a hidden unit or two out of sixty, so that chance alone decides which is the best. What such
a choice is worth is the mean of the whole grid's scores on the same rows: whatever the best lies above it was gained by
choosing, and a corrected score should take back as much. The full grid's best, which a strategy may have dropped,
should be among the tied, or be counted among those that cannot be judged.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.search.search import Search
from tests.benchmarks.measuring import at_hand, report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.session.state import SearchState

STRATEGIES: dict[str, Any] = {"grid": "grid", "racing": "racing", "halving": {"halving": "grid"}}


@dataclass(frozen=True)
class Outcome:
    """One search, against the full grid with the same seed; gains are above the mean of the full grid's scores."""

    strategy: str
    plain_gain: float
    corrected_gain: float
    is_lowered: bool
    best_of_grid_dropped: bool
    best_of_grid_covered: bool
    tied: int
    not_judged: int


def search_once(strategy: str, common: dict[str, Any]) -> tuple[Search, SearchState]:
    """A search of its own, which takes nothing over."""
    search = Search(**common, strategy=STRATEGIES[strategy], fresh=True)
    search.start()
    search.wait()
    return search, search.state


def outcomes_of(seed: int, common: dict[str, Any]) -> list[Outcome]:
    """The full grid and what each strategy makes of it."""
    outcomes: list[Outcome] = []
    worth, best_of_grid = 0.0, 0
    for strategy in STRATEGIES:
        search, state = search_once(strategy, {**common, "seed": seed})
        if strategy == "grid":
            means = [one.mean("accuracy")[0] for one in state.combinations]
            worth, best_of_grid = float(np.mean(means)), int(np.argmax(means))
        honest = search.corrected_best()
        dropped = bool(state.combinations[best_of_grid].dropped)
        # Whatever is not judged was dropped on the way, without a fold in full.
        not_judged = honest.dropped_early + honest.chosen_before
        unjudged = dropped and all(score is None for score in state.combinations[best_of_grid].scores_of("accuracy"))
        outcomes.append(
            Outcome(
                strategy=strategy,
                plain_gain=honest.score - worth,
                corrected_gain=honest.corrected - worth,
                is_lowered=honest.corrected <= honest.score,
                best_of_grid_dropped=dropped,
                best_of_grid_covered=best_of_grid in honest.tied or (unjudged and not_judged > 0),
                tied=len(honest.tied),
                not_judged=not_judged,
            )
        )
    return outcomes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--combinations", type=int, default=8)
    options = parser.parse_args()
    name = "reuters" if at_hand("reuters", options.data_dir) else "sample"
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "dataset": name,
            "data_dir": options.data_dir if name != "sample" else None,
            "sessions": Path(folder),
            "num_words": 3000,
            "subsample": options.rows,
            "folds": options.folds,
            "workers": 2,
            "space": {
                "epochs": 6,
                "batch_size": 64,
                "hidden_units": list(range(60, 60 + options.combinations)),
                "optimizer": "adam",
            },
        }
        outcomes = [one for seed in range(options.seeds) for one in outcomes_of(seed, common)]
    by_strategy = {strategy: [one for one in outcomes if one.strategy == strategy] for strategy in STRATEGIES}
    rows = [[strategy, *_row(found)] for strategy, found in by_strategy.items()]
    head = ["strategy", "plain gain", "corrected gain", "lowered", "best dropped", "best covered", "tied", "not judged"]
    title = f"{options.combinations} nearly equal combinations on {options.rows} rows of {name}, {options.seeds} seeds"
    facts = {
        f"{strategy}_{key}": value
        for strategy, found in by_strategy.items()
        for key, value in {
            "plain_gain": float(np.mean([one.plain_gain for one in found])),
            "corrected_gain": float(np.mean([one.corrected_gain for one in found])),
            "covered": float(np.mean([one.best_of_grid_covered for one in found])),
        }.items()
    }
    report(title, head, rows, {"data": name, "seeds": options.seeds, **facts})


def _row(found: Sequence[Outcome]) -> list[str]:
    def share(flags: list[bool]) -> str:
        return f"{sum(flags)} of {len(flags)}"

    return [
        f"{np.mean([one.plain_gain for one in found]):+.4f}",
        f"{np.mean([one.corrected_gain for one in found]):+.4f}",
        share([one.is_lowered for one in found]),
        share([one.best_of_grid_dropped for one in found]),
        share([one.best_of_grid_covered for one in found]),
        f"{np.mean([one.tied for one in found]):.1f}",
        f"{np.mean([one.not_judged for one in found]):.1f}",
    ]


if __name__ == "__main__":
    main()
