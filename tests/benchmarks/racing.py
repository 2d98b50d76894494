"""How much of the whole grid racing trains, and whether its winner is as good: against full grids with other seeds.

python -m tests.benchmarks.racing [--data reuters|sample] [--data-dir D] [--seeds 10] [--repeats 10] [--reference D]

A seed's winner is held against `repeats` full cross-validations with other seeds: it should be among those that they
cannot tell from their best, by the corrected resampled t-test (Nadeau and Bengio 2003, "Inference for the
generalization error"; Bouckaert and Frank 2004, "Evaluating the replicability of significance tests for comparing
learning algorithms", for repeated cross-validation), two-sided, at 5 %. The full grids take minutes each; in the
folder `--reference` they are kept, gone on with, and used again. A race takes over from the full grid with its seed
what it would train, since that gives the same scores to the last bit; epochs are counted as if it had trained them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from engine import list_sessions
from engine.plan.plan import Plan
from engine.search.search import Search
from tests.benchmarks.grids import SPACES
from tests.benchmarks.measuring import at_hand, report

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.session.state import SearchState

FOLDS = 10
LEVEL = 0.05


def as_good_as_the_best(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the combinations cannot be told from the best, from `scores` (combinations, repeats x folds)."""
    best = int(scores.mean(axis=1).argmax())
    splits = scores.shape[1]
    differences = scores[best] - scores
    # Training sets overlap: their variance is that of the differences times 1 / splits + validation / training rows.
    deviations = np.sqrt((1 / splits + 1 / (FOLDS - 1)) * differences.var(axis=1, ddof=1))
    critical = float(stats.t.ppf(1 - LEVEL / 2, splits - 1))
    as_good: NDArray[np.bool_] = differences.mean(axis=1) <= critical * deviations
    return as_good


def epochs_trained(plan: Plan, state: SearchState) -> int:
    """Epochs of all trainings, each up to the longest fit it was to serve."""
    return sum(
        max((fit.epochs for fit in training.fits if _is_scored(state, fit.combination, training.fold)), default=0)
        for training in plan.trainings
    )


def _is_scored(state: SearchState, combination: int, fold: int) -> bool:
    return state.combinations[combination].score("accuracy", fold) is not None


def full_grid(name: str, options: dict[str, Any]) -> NDArray[np.float64]:
    """Accuracies (combinations, folds) of the whole grid, from the session of that name; it is run if need be."""
    sessions = {one.id: one.status for one in list_sessions(options["sessions"])}
    if name in sessions:
        search = Search.of_session(name, sessions=options["sessions"], data_dir=options["data_dir"])
    else:
        search = Search(**options, name=name)
    if sessions.get(name) != "completed":
        search.start()
        search.wait()
    return np.array([one.scores_of("accuracy") for one in search.state.combinations], float)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("reuters", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--reference", type=Path, help="a folder in which the full grids are kept")
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.reference or Path(temporary)
        common = {
            "dataset": name,
            "folds": FOLDS,
            "space": SPACES["reference"],
            "sessions": folder,
            "data_dir": options.data_dir if name != "sample" else None,
            "workers": 2,
        }
        grids = [
            full_grid(f"grid-{seed}", {**common, "seed": seed})
            for seed in range(max(options.seeds, options.repeats + 1))
        ]
        rows = [race(seed, grids, options.repeats, common) for seed in range(options.seeds)]
    parts, losses = [row[1] for row in rows], [row[6] for row in rows]
    facts = {
        "epochs_of_full": sum(parts) / len(parts),
        "most_of_full": max(parts),
        "as_good": sum(row[4] for row in rows) / len(rows),
        "points_lost": sum(losses) / len(losses),
    }
    head = ["seed", "epochs of full", "winner", "best in full", "as good as the best", "as good", "points lost"]
    report(f"racing, reference grid on {name}, {options.repeats}x{FOLDS} folds", head, rows, facts)


def race(seed: int, grids: list[NDArray[np.float64]], repeats: int, common: dict[str, Any]) -> list[Any]:
    """A row of the table: what was trained, who won, and how good that is by the other seeds' grids."""
    search = Search(**{**common, "seed": seed}, strategy="racing")
    search.start()
    search.wait()
    assert search.session is not None
    winner, plan, state = search.best_index_, search.plan, search.state
    search.session.delete()
    others = np.hstack([grid for other, grid in enumerate(grids) if other != seed][:repeats])
    means, as_good = others.mean(axis=1), as_good_as_the_best(others)
    return [
        seed,
        epochs_trained(plan, state) / plan.epochs,
        winner,
        int(grids[seed].mean(axis=1).argmax()),
        bool(as_good[winner]),
        f"{as_good.sum()} of {len(as_good)}",
        float(100 * (means.max() - means[winner])),
    ]


if __name__ == "__main__":
    main()
