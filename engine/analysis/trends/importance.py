"""How much each hyperparameter matters: permutation importance of a random forest, measured out of bag.

A forest of regression trees learns the mean score from the hyperparameters. What it predicts for the combinations
that a tree has not seen (out of bag) says how well it explains the search: the share of the variance, R². Then the
values of one hyperparameter are shuffled, and half of what is lost of that R² is its importance (Breiman, "Random
Forests", Machine Learning 45, 2001, section 10). Half, because the shuffled values are wrong twice, by where they came
from and by where they went: so it estimates the variance that depends on the hyperparameter, in units of all variance
(Gregorutti et al., Statistics and Computing 27, 2017). What several do only together counts for each of them, and few
shuffles of few combinations err: importances are no shares. They need not add up to R², and one may be above 1.

Shuffling must not make combinations that cannot exist. An optimizer or a schedule is shuffled together with its
arguments; an argument only among the combinations with the same optimizer or schedule, where it means the same
(conditional importance: Strobl et al., BMC Bioinformatics 9:307, 2008). scikit-learn's own `permutation_importance`
shuffles single columns over all rows and measures on rows that the forest has seen, hence the few lines here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.trends.levels import is_number, levels_of
from engine.spec.catalogue import head_of, is_argument
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.analysis.trends.complete import CompleteCombinations

METHOD = "permutation importance of a random forest, out of bag (Breiman 2001; arguments conditionally, Strobl 2008)"
FEWEST = 8  # complete combinations, below which a forest says nothing
RELIABLE = 0.5  # out-of-bag R², below which importances are of little worth
_TREES = 100
_SHUFFLES = 5
_SEED = 0
_ROWS_PER_TREE = 1000  # more make a tree slower, hardly better
_ROWS_MEASURED = 2000


@dataclass(frozen=True, slots=True)
class Importance:
    """Half of the R² that shuffling a hyperparameter costs: mean and deviation over the shuffles.

    A little below 0 for one that does not matter; no share, and so it may be above 1. `within`: the
    hyperparameter that an argument belongs to.
    """

    name: str
    importance: float
    deviation: float
    within: str


@dataclass(frozen=True, slots=True)
class Importances:
    """The most important first; `explained` is the forest's out-of-bag R².

    None where there is no forest, or one that is no better than the mean.

    `warning` says why the importances are of little or no worth, and is empty where they are of some.
    """

    explained: float | None
    hyperparameters: list[Importance]
    warning: str


def importances(complete: CompleteCombinations) -> Importances:
    """Of every hyperparameter that has several levels. Equal combinations give equal numbers."""
    names = [name for name in complete.values if len(levels_of(complete, name, with_absent=not is_argument(name))) > 1]
    if len(complete) < FEWEST:
        return Importances(None, [], f"it needs {FEWEST} complete combinations; there are {len(complete)}")
    if not names or max(complete.means) == min(complete.means):
        return Importances(None, [], "all complete combinations have the same hyperparameters or the same score")
    forest = _Forest(complete)
    if forest.explained <= 0:
        return Importances(None, [], f"the forest explains nothing of the scores (R² {forest.explained:.2f})")
    measured = [forest.importance_of(name) for name in names]
    measured.sort(key=lambda one: (-one.importance, one.name))
    warning = ""
    if forest.explained < RELIABLE:
        warning = f"the forest explains little of the scores (R² {forest.explained:.2f}): do not rely on this"
    return Importances(forest.explained, measured, warning)


class _Forest:
    """A forest fitted to the combinations, which keeps for each tree the rows that it has not seen."""

    def __init__(self, complete: CompleteCombinations) -> None:
        import numpy as np
        from sklearn.ensemble import RandomForestRegressor

        self._complete = complete
        self._scores = np.array(complete.means)
        self._columns: dict[str, list[int]] = {}
        columns: list[list[float]] = []
        for name, values in complete.values.items():
            features = _features(values)
            self._columns[name] = list(range(len(columns), len(columns) + len(features)))
            columns += features
        self._features: NDArray[np.float32] = np.array(columns, np.float32).T.copy()
        rows = len(complete)
        forest = RandomForestRegressor(
            _TREES,
            # Scores are noisy: leaves of one combination each would learn the noise of a large search.
            min_samples_leaf=max(1, round(math.sqrt(min(rows, _ROWS_PER_TREE)) / 5)),
            max_samples=min(rows, _ROWS_PER_TREE),
            random_state=_SEED,
        )
        forest.fit(self._features, self._scores)
        measured = np.arange(rows)
        if rows > _ROWS_MEASURED:
            measured = np.sort(np.random.default_rng(_SEED).choice(rows, _ROWS_MEASURED, replace=False))
        self._trees = [
            (tree, np.setdiff1d(measured, seen))
            for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True)
        ]
        self.explained = self._explained_by(self._features)

    def _explained_by(self, features: NDArray[np.float32]) -> float:
        """R² of what the trees predict for the rows that they have not seen."""
        import numpy as np

        total, count = np.zeros(len(features)), np.zeros(len(features))
        for tree, unseen in self._trees:
            if len(unseen):
                total[unseen] += tree.predict(features[unseen], check_input=False)
                count[unseen] += 1
        known = count > 0
        errors = self._scores[known] - total[known] / count[known]
        spread = self._scores[known] - self._scores[known].mean()
        return float(1 - (errors @ errors) / (spread @ spread))

    def importance_of(self, name: str) -> Importance:
        """What is lost when the hyperparameter is shuffled, with its arguments, or among those that have it."""
        import numpy as np

        generator = np.random.default_rng(_SEED)
        head = head_of(name)
        family = [other for other in self._columns if other == name or other.startswith(f"{name}__")]
        columns = [column for member in family for column in self._columns[member]]
        losses: list[float] = []
        for _ in range(_SHUFFLES):
            features = self._features.copy()
            for rows in self._strata(name, head):
                shuffled = generator.permutation(rows)
                for column in columns:
                    features[rows, column] = self._features[shuffled, column]
            losses.append((self.explained - self._explained_by(features)) / 2)
        return Importance(name, float(np.mean(losses)), float(np.std(losses)), head if head != name else "")

    def _strata(self, name: str, head: str) -> list[list[int]]:
        """The rows that may swap values of a hyperparameter with each other."""
        if name == head:
            return [list(range(len(self._complete)))]
        heads = self._complete.values.get(head, [None] * len(self._complete))
        strata: dict[str, list[int]] = {}
        for row, value in enumerate(self._complete.values[name]):
            if value is not None:
                strata.setdefault(show_value(heads[row]), []).append(row)
        return list(strata.values())


def _features(values: Sequence[Any]) -> list[list[float]]:
    """Columns for the forest: the numbers, NaN where there is none, and for each other value whether it is there."""
    columns: list[list[float]] = []
    if any(is_number(value) for value in values):
        columns.append([float(value) if is_number(value) else float("nan") for value in values])
    others = sorted({show_value(value) for value in values if value is not None and not is_number(value)})
    columns += [
        [float(value is not None and not is_number(value) and show_value(value) == other) for value in values]
        for other in others
    ]
    return columns
