"""Two hyperparameters at a time: the mean score of each pair of their levels, as a heat map shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.analysis.trends.levels import levels_of
from engine.session.ranking import mean_and_deviation
from engine.spec.catalogue import is_argument

if TYPE_CHECKING:
    from engine.analysis.trends.complete import CompleteCombinations
    from engine.analysis.trends.effects import MainEffect
    from engine.analysis.trends.importance import Importances


@dataclass(frozen=True, slots=True)
class HeatMap:
    """`means[i][j]` and `counts[i][j]` are of the complete combinations at level i of `down` and j of `across`.

    A mean is None where there are none.
    """

    down: str
    across: str
    down_levels: list[str]
    across_levels: list[str]
    means: list[list[float | None]]
    counts: list[list[int]]

    @property
    def is_empty(self) -> bool:
        """No complete combination has both: arguments of two optimizers never meet."""
        return not self.means


def heat_map(complete: CompleteCombinations, down: str, across: str) -> HeatMap:
    """Over the combinations that have both hyperparameters, where either is an argument that not all of them have."""
    column = {name: complete.values[name] for name in (down, across)}
    having = [
        row
        for row in range(len(complete))
        if all(column[name][row] is not None or not is_argument(name) for name in (down, across))
    ]
    both = complete.only(having)
    down_levels = levels_of(both, down, with_absent=True)
    across_levels = levels_of(both, across, with_absent=True)
    place = {row: number for number, level in enumerate(across_levels) for row in level.rows}
    means: list[list[float | None]] = []
    counts: list[list[int]] = []
    for level in down_levels:
        cells: list[list[float]] = [[] for _ in across_levels]
        for row in level.rows:
            cells[place[row]].append(both.means[row])
        means.append([mean_and_deviation(cell)[0] if cell else None for cell in cells])
        counts.append([len(cell) for cell in cells])
    texts = [[level.text for level in levels] for levels in (down_levels, across_levels)]
    return HeatMap(down, across, texts[0], texts[1], means, counts)


def telling_pair(
    complete: CompleteCombinations, effects: list[MainEffect], importances: Importances | None
) -> tuple[str, str] | None:
    """The two hyperparameters, down and across, that say most together; `found` is None while it is not known."""
    return best_pair(complete, by_importance(effects, importances))


def by_importance(effects: list[MainEffect], importances: Importances | None) -> list[str]:
    """Names, those that matter most first: as the forest says where it can be relied on."""
    names = [effect.name for effect in effects]
    if importances is None or importances.warning:
        return names
    ranked = {one.name: place for place, one in enumerate(importances.hyperparameters)}
    return sorted(names, key=lambda name: ranked.get(name, len(ranked)))


def best_pair(complete: CompleteCombinations, names: list[str]) -> tuple[str, str] | None:
    """The first two of these hyperparameters, the most important ones first, that vary together.

    One that exists only for one value of the other makes a single line, whatever its own values.
    """
    for number, across in enumerate(names):
        for down in names[:number]:
            columns = complete.values[down], complete.values[across]
            having = [row for row, pair in enumerate(zip(*columns, strict=True)) if None not in pair]
            both = complete.only(having)
            lengths = [len(levels_of(both, name, with_absent=False)) for name in (down, across)]
            if min(lengths) > 1:
                # Lines are longer than columns are many, in a terminal and on a telephone.
                return (across, down) if lengths[1] > lengths[0] else (down, across)
    return None
