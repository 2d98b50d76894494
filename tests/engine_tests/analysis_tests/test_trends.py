"""Trends of a whole search: main effects, pairs, parallel coordinates, importance, ties with the best."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

import pytest

from engine.analysis.report.text import importance_text
from engine.analysis.trends.complete import CompleteCombinations, complete_combinations, counts_by_status
from engine.analysis.trends.effects import main_effects
from engine.analysis.trends.importance import FEWEST, importances
from engine.analysis.trends.intervals import mean_interval, student_quantile
from engine.analysis.trends.levels import ABSENT, MOST_VALUES, RANGES, levels_of
from engine.analysis.trends.pairs import best_pair, heat_map
from engine.analysis.trends.parallel import parallel_axes, thinned
from engine.analysis.trends.top import count_near, paired_error, top_combinations
from engine.session.events import (
    CombinationDropped,
    CombinationsAdded,
    FitFailed,
    FitScored,
    PlannedCombination,
    SearchStarted,
)
from engine.session.state import SearchState


def searched(params: list[dict[str, Any]], scores: list[list[float]]) -> SearchState:
    """A search with these scores by fold; a combination beyond the scores has none."""
    state = SearchState()
    splits = len(scores[0])
    started = SearchStarted(
        time=0.0, session="s", segment=1, dataset="sample", synthetic=True, rows=300, classes=3, splits=splits,
        scoring=["accuracy"], workers=1, trainings=1, cost=1.0, host="h", pid=1,
    )  # fmt: skip
    planned = [PlannedCombination(index=i, params=one, trainer="kernel") for i, one in enumerate(params)]
    for event in (started, CombinationsAdded(time=0.0, combinations=planned)):
        state.apply(event)
    for index, folds in enumerate(scores):
        for fold, score in enumerate(folds):
            state.apply(_scored(index, fold, score))
    return state


def _scored(index: int, fold: int, score: float, **more: Any) -> FitScored:
    return FitScored(
        time=1.0, combination=index, fold=fold, training=0, epochs=1, scores={"accuracy": score}, seconds=1.0, **more
    )


def complete(params: list[dict[str, Any]], scores: list[list[float]]) -> CompleteCombinations:
    return complete_combinations(searched(params, scores))


MASKED: list[dict[str, Any]] = [
    {"optimizer": "adam", "epochs": 1},
    {"optimizer": "adam", "epochs": 2},
    *(
        {"optimizer": "sgd", "epochs": epochs, "optimizer__momentum": momentum, "optimizer__nesterov": True}
        for epochs, momentum in itertools.product((1, 2), (0.8, 0.9))
    ),
]


def test_only_combinations_with_every_fold_count() -> None:
    params = [{"epochs": epochs} for epochs in range(6)]
    state = searched(params, [[0.5, 0.6], [0.7, 0.8]])
    state.apply(_scored(2, 0, 0.99))
    state.apply(_scored(3, 0, 0.0, diverged=True))
    state.apply(_scored(3, 1, 0.99))
    state.apply(FitFailed(time=1.0, combination=4, fold=0, training=0, error="E", traceback=""))
    state.apply(_scored(4, 1, 0.99))
    state.apply(CombinationDropped(time=1.0, combination=5, reason="skipped"))
    found = complete_combinations(state)
    assert found.indices == [0, 1]
    assert found.means == [pytest.approx(0.55), pytest.approx(0.75)]
    assert max(level.best for level in main_effects(found)[0].levels) < 0.99
    assert counts_by_status(state) == {"partial": 1, "complete": 2, "diverged": 1, "failed": 1, "dropped": 1}


def test_the_hyperparameter_that_explains_most_is_first() -> None:
    params = [{"epochs": epochs, "hidden_units": units} for epochs in (5, 10) for units in (32, 64)]
    found = complete(params, [[0.6, 0.6], [0.61, 0.61], [0.8, 0.8], [0.81, 0.81]])
    first, second = main_effects(found)
    assert first.name == "epochs"
    assert first.span == pytest.approx(0.2)
    assert first.share + second.share == pytest.approx(1.0)
    assert [(one.level.text, one.count) for one in first.levels] == [("5", 2), ("10", 2)]
    assert heat_map(found, "epochs", "hidden_units").means == [
        [pytest.approx(0.6), pytest.approx(0.61)],
        [pytest.approx(0.8), pytest.approx(0.81)],
    ]


def test_an_argument_is_compared_only_where_it_is() -> None:
    found = complete(MASKED, [[0.9], [0.8], [0.6], [0.7], [0.5], [0.6]])
    effects = {effect.name: effect for effect in main_effects(found)}
    assert set(effects) == {"optimizer", "optimizer__momentum", "epochs"}  # nesterov is the same wherever it is
    momentum = effects["optimizer__momentum"]
    assert [(one.level.text, one.count) for one in momentum.levels] == [("0.8", 2), ("0.9", 2)]
    assert momentum.span == pytest.approx(0.1)


def test_a_pair_counts_the_combinations_that_have_both() -> None:
    params = [*MASKED, {"optimizer": "adam", "epochs": 1, "optimizer__beta_1": 0.8}]
    found = complete(params, [[score / 10] for score in range(7)])
    both = heat_map(found, "epochs", "optimizer__momentum")
    assert (both.down_levels, both.across_levels) == (["1", "2"], ["0.8", "0.9"])
    assert both.counts == [[1, 1], [1, 1]]
    assert both.means == [[pytest.approx(0.2), pytest.approx(0.3)], [pytest.approx(0.4), pytest.approx(0.5)]]
    assert heat_map(found, "optimizer__momentum", "optimizer__beta_1").is_empty
    names = ["optimizer__momentum", "optimizer__beta_1", "epochs"]
    assert best_pair(found, names) == ("optimizer__momentum", "epochs")
    assert best_pair(found, names[:2]) is None


def test_what_exists_only_for_one_value_of_another_makes_no_pair_with_it() -> None:
    found = complete(MASKED, [[score / 10] for score in range(6)])
    assert best_pair(found, ["optimizer", "optimizer__momentum"]) is None
    assert best_pair(found, ["optimizer", "optimizer__momentum", "epochs"]) == ("optimizer", "epochs")
    nested = complete([{"a": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}], [[0.1], [0.2], [0.3]])
    assert best_pair(nested, ["a", "b"]) is None


def test_a_pair_without_a_combination_is_a_gap() -> None:
    found = complete([{"a": 1, "b": 1}, {"a": 2, "b": 2}], [[0.5], [0.6]])
    assert heat_map(found, "a", "b").means == [[0.5, None], [None, 0.6]]


def test_many_numbers_are_gathered_into_ranges() -> None:
    found = complete([{"dropout": number / 100} for number in range(60)], [[0.5 + n / 200] for n in range(60)])
    (effect,) = main_effects(found)
    assert len(effect.levels) == RANGES < MOST_VALUES
    assert sum(one.count for one in effect.levels) == 60
    assert {one.count for one in effect.levels} == {10}
    assert (effect.levels[0].level.low, effect.levels[-1].level.high) == (0.0, 0.59)


def test_levels_of_every_kind_of_value() -> None:
    values: list[Any] = [True, 1, 1.0, "adam", [8, 4], None, False, 0.5]
    params = [{} if value is None else {"x": value} for value in values]
    found = complete(params, [[0.5]] * len(values))
    levels = levels_of(found, "x", with_absent=True)
    assert [level.text for level in levels] == ["false", "0.5", "true", "1", "[8, 4]", "adam", ABSENT]
    assert next(level.rows for level in levels if level.text == "1") == [1, 2]


def test_intervals_are_students() -> None:
    # As every table of Student's t has them.
    for freedom, quantile in ((1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (20, 2.08596), (1000, 1.96234)):
        assert student_quantile(0.975, freedom) == pytest.approx(quantile, rel=2e-3)
    scores = [0.7, 0.75, 0.72, 0.8]
    half = 3.18245 * statistics.stdev(scores) / math.sqrt(4)
    found = complete([{"epochs": 1}] * 4 + [{"epochs": 2}], [[score] for score in [*scores, 0.1]])
    first, second = main_effects(found)[0].levels
    assert first.interval is not None
    assert first.interval == pytest.approx([0.7425 - half, 0.7425 + half], rel=2e-3)
    assert second.interval is None
    assert mean_interval(0.5, 0.1, 1) is None


def test_combinations_near_the_best_and_tied_with_it() -> None:
    found = complete(
        [{"epochs": number} for number in (1, 2, 3)], [[0.80, 0.82, 0.79], [0.81, 0.80, 0.795], [0.5, 0.52, 0.49]]
    )
    assert [(one.index, one.rank, one.is_near) for one in top_combinations(found, 10)] == [
        (0, 1, True),
        (1, 2, True),
        (2, 3, False),
    ]
    assert count_near(found) == 2
    # What is known of ties takes the place of what one standard error hints at.
    assert [one.mark for one in top_combinations(found, 10)] == ["★", "~", ""]
    assert [one.mark for one in top_combinations(found, 10, tied=(0, 2))] == ["★", "", "≈"]
    assert paired_error([0.5], [0.6]) == float("inf")
    assert paired_error([0.5, 0.6], [0.4, 0.5]) == pytest.approx(0.0)


def test_a_line_meets_every_axis() -> None:
    params = [{"rate": 10.0**-power, "units": units} for power in range(1, 8) for units in (8, 16)]
    axes = parallel_axes(complete([*params, {"units": 8}], [[n / 20] for n in range(15)]), "accuracy")
    rate, units, score = axes
    assert (rate.name, units.name, score.name) == ("rate", "units", "accuracy")
    assert set(units.places) == {0.0, 1.0}
    assert rate.levels[-1].text == ABSENT
    assert rate.places[-1] == 1.0
    assert score.places == [pytest.approx(n / 14) for n in range(15)]
    assert parallel_axes(complete([{"units": 8}], [[0.5]]), "accuracy")[0].name == "accuracy"


def test_drawn_numbers_stand_by_their_logarithm() -> None:
    params = [{"rate": 10 ** (-n / 5)} for n in range(16)]
    (axis, _) = parallel_axes(complete(params, [[0.5 + n / 100] for n in range(16)]), "accuracy")
    assert [round(place * 15) for place in axis.places] == list(range(15, -1, -1))
    assert len(axis.levels) == RANGES
    assert axis.ends[-1][1] == 1.0


def test_many_lines_are_thinned_by_rank() -> None:
    assert thinned(range(10), 400) == list(range(10))
    shown = thinned(range(10_000), 400)
    assert len(shown) == len(set(shown)) == 400
    assert shown[:40] == list(range(40))
    assert shown[-1] > 9_900


def _grid() -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Schedules matter much, their decay rate some where there is one, the batch size not at all."""
    params: list[dict[str, Any]] = []
    scores = []
    for batch_size, epochs in itertools.product((32, 64, 128), (1, 2, 3)):
        params.append({"batch_size": batch_size, "epochs": epochs, "learning_rate": 0.01})
        scores.append([0.6 + 0.01 * epochs])
        for decay_rate in (0.8, 0.9):
            params.append(
                {
                    "batch_size": batch_size,
                    "epochs": epochs,
                    "learning_rate": "ExponentialDecay",
                    "learning_rate__decay_rate": decay_rate,
                }
            )
            scores.append([0.8 + 0.01 * epochs + 0.5 * (decay_rate - 0.85)])
    return params, scores


def test_importance_finds_what_scores_depend_on() -> None:
    found = importances(complete(*_grid()))
    assert found.explained is not None
    assert found.explained > 0.9
    assert found.warning == ""
    by_name = {one.name: one for one in found.hyperparameters}
    assert found.hyperparameters[0].name == "learning_rate"
    # An argument does not take the credit for its schedule, nor a schedule none for its argument.
    assert 0.0 < by_name["learning_rate__decay_rate"].importance < 0.2 < by_name["learning_rate"].importance
    assert by_name["learning_rate__decay_rate"].within == "learning_rate"
    assert abs(by_name["batch_size"].importance) < 0.02
    assert importances(complete(*_grid())) == found


def test_importances_that_sum_to_more_than_all_are_called_no_shares() -> None:
    # Both matter together alone, so each counts for all that depends on the two.
    cells = [(units, size) for units in (8, 16) for size in (10, 20)] * 6
    params = [{"hidden_units": units, "batch_size": size} for units, size in cells]
    found = importances(complete(params, [[float((units == 8) == (size == 10))] for units, size in cells]))
    assert sum(one.importance for one in found.hyperparameters) > 1.2
    said = importance_text(found, 80)
    assert "joint effects count for each" in said
    assert "share" not in said


def test_importance_of_noise_is_none_or_warned_of() -> None:
    params, scores = _grid()
    noise = [(number * 37 % 23) / 23 for number in range(len(params))]
    found = importances(complete(params, [[one] for one in noise]))
    assert (found.explained, found.hyperparameters) == (None, [])
    assert "explains nothing of the scores" in found.warning
    found = importances(complete(params, [[one + 5 * part[0]] for one, part in zip(noise, scores, strict=True)]))
    assert found.explained is not None
    assert found.explained < 0.5
    assert "do not rely on this" in found.warning


@pytest.mark.parametrize(
    ("count", "score", "said"), [(FEWEST - 1, 0.5, "there are 7"), (FEWEST, 0.5, "the same score"), (0, 0.5, "are 0")]
)
def test_without_enough_to_learn_from_there_is_no_importance(count: int, score: float, said: str) -> None:
    every = complete([{"epochs": n} for n in range(FEWEST)], [[score]] * FEWEST)
    found = importances(every.only(range(count)))
    assert (found.explained, found.hyperparameters) == (None, [])
    assert said in found.warning
