"""How a search chooses what to train: strategies behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.search.strategies.bayes import Bayes, check_optuna
from engine.search.strategies.exhaustive import Exhaustive
from engine.search.strategies.halving import Halving, halving_bracket, hyperband_brackets
from engine.search.strategies.interface import Candidate, Decision, Strategy
from engine.search.strategies.paired import PairedTest
from engine.search.strategies.racing import BetweenEpochs, BetweenFolds, Racing
from engine.search.strategies.staged import Staged
from engine.spec.resolved import resolved_params_of
from engine.spec.space import grid_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.search.strategies.racing import ReadPredictions
    from engine.spec.spec import SearchSpec

__all__ = ["Candidate", "Decision", "Strategy", "check_optuna", "strategy_of", "work_to_come"]


def strategy_of(
    spec: SearchSpec, count: int, params: Mapping[str, Any], predictions: ReadPredictions | None = None
) -> Strategy:
    """The strategy of a spec, for the `count` combinations that the search begins with; `params` of one of them.

    `predictions`: reads those that a fit kept, for strategies that look at rows; a plan needs none.
    """
    choice = spec.choice
    if len(spec.stages) > 1:
        return Staged(choice.name, spec.stages, spec.stage_rows)
    if choice.name == "racing":
        error, between_folds = choice.options["error"], choice.options["between"] == "folds"
        return Racing(
            BetweenFolds(spec.splits) if between_folds else BetweenEpochs(resolved_params_of(params).epochs),
            PairedTest(spec.scoring[0], level=error),
            combinations=count,
            error=error,
            predictions=predictions or (lambda place: None),
        )
    if choice.name == "bayes":
        return Bayes(spec, _most(spec))
    if choice.name not in ("halving", "hyperband"):
        return Exhaustive(choice.name)
    epochs = resolved_params_of(params).epochs
    factor, least = choice.options["factor"], min(epochs, choice.options["least"] or 1)
    if choice.name == "hyperband":
        return Halving(choice.name, hyperband_brackets(count, epochs, factor, least), epochs)
    return Halving(choice.name, [halving_bracket(range(count), epochs, factor, least)], epochs)


def work_to_come(spec: SearchSpec, stages: Sequence[int]) -> float:
    """The work of combinations that are to be added in these stages, on average, in parts of one at the beginning."""
    rows = spec.stage_rows
    return sum(rows[stage] / rows[0] for stage in stages)


def _most(spec: SearchSpec) -> int:
    """How many combinations the search has in the end: as many as the spec wants, or as there are."""
    assert spec.choice.count is not None
    if any(axis.has_distribution for axes in spec.spaces for axis in axes):
        return spec.choice.count
    return min(spec.choice.count, grid_size(spec.spaces))
