"""The complete combinations of the results model, as the engine's trends take them: nothing is worked out twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.analysis.trends.complete import CompleteCombinations

if TYPE_CHECKING:
    from tui.results.model import ResultsModel


def complete_rows(model: ResultsModel) -> CompleteCombinations:
    """Those with a score on every fold, of the last stage that has any; `indices` are the model's rows, words clean."""
    last = model.stages[model.best] if model.best is not None else 0
    rows, values = [row for row in sorted(model.complete) if model.stages[row] == last], model.values
    folds = [values[f"fold {fold}"] for fold in range(model.splits)]
    return CompleteCombinations(
        rows,
        [values["mean"][row] for row in rows],
        [values["std"][row] for row in rows],
        [[scores[row] for scores in folds] for row in rows],
        {name: [values[name][row] for row in rows] for name in model.params},
    )
