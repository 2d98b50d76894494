"""Trends: what the grid says, in numbers."""

from __future__ import annotations

from typing import Any

import pytest

from engine.events import FitScored
from engine.state import SearchState
from tests.tui_tests.scripted_search import Script
from tui.parameter_columns import grouped, shared_texts
from tui.results_model import ResultsModel
from tui.snippet import combination_space, python_snippet, rerun_command
from tui.trend_numbers import MOST_VALUES, RANGES, pair_means, paired_error, parameter_trends, top_combinations


def model_of(params: list[dict[str, Any]], scores: list[list[float]]) -> ResultsModel:
    script = Script(params=params, splits=len(scores[0]), scoring=["accuracy"])
    state = SearchState()
    for event in script.start():
        state.apply(event)
    for index, folds in enumerate(scores):
        for fold, score in enumerate(folds):
            state.apply(
                FitScored(
                    time=1.0,
                    combination=index,
                    fold=fold,
                    training=0,
                    epochs=1,
                    scores={"accuracy": score},
                    seconds=1.0,
                )
            )
    model = ResultsModel()
    model.update(state)
    return model


def test_the_hyperparameter_that_explains_most_is_first() -> None:
    params = [{"epochs": epochs, "hidden_units": units} for epochs in (5, 10) for units in (32, 64)]
    model = model_of(params, [[0.6, 0.6], [0.61, 0.61], [0.8, 0.8], [0.81, 0.81]])
    first, second = parameter_trends(model)
    assert first.name == "epochs"
    assert first.effect == pytest.approx(0.2)
    assert first.share + second.share == pytest.approx(1.0)
    assert [(value.text, value.count) for value in first.values] == [("5", 2), ("10", 2)]
    assert pair_means(model, "epochs", "hidden_units")[2] == [
        [pytest.approx(0.6), pytest.approx(0.61)],
        [pytest.approx(0.8), pytest.approx(0.81)],
    ]


def test_an_argument_is_compared_only_where_it_is() -> None:
    params: list[dict[str, Any]] = [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "optimizer__momentum": 0.8, "optimizer__nesterov": True},
        {"optimizer": "sgd", "optimizer__momentum": 0.9, "optimizer__nesterov": True},
    ]
    model = model_of(params, [[0.9, 0.9], [0.6, 0.6], [0.7, 0.7]])
    trends = {trend.name: trend for trend in parameter_trends(model)}
    assert set(trends) == {"optimizer", "optimizer__momentum"}  # nesterov is the same wherever it is
    assert trends["optimizer__momentum"].effect == pytest.approx(0.1)


def test_many_numbers_are_gathered_into_ranges() -> None:
    params = [{"dropout": number / 100} for number in range(60)]
    model = model_of(params, [[0.5 + number / 200, 0.5] for number in range(60)])
    (trend,) = parameter_trends(model)
    assert len(trend.values) == RANGES < MOST_VALUES
    assert sum(value.count for value in trend.values) == 60


def test_combinations_that_cannot_be_told_apart_from_the_best() -> None:
    params = [{"epochs": number} for number in (1, 2, 3)]
    model = model_of(params, [[0.80, 0.82, 0.79], [0.81, 0.80, 0.795], [0.5, 0.52, 0.49]])
    top = top_combinations(model, 10)
    assert [combination.ties_best for combination in top] == [True, True, False]
    assert paired_error([0.5], [0.6]) == float("inf")
    assert paired_error([0.5, 0.6], [0.4, 0.5]) == pytest.approx(0.0)


def test_a_schedule_and_its_arguments_share_a_column() -> None:
    schedule: dict[str, Any] = {"learning_rate": "ExponentialDecay", "learning_rate__decay_epochs": 1}
    params: list[dict[str, Any]] = [
        schedule | {"learning_rate__initial_learning_rate": 0.1, "learning_rate__decay_rate": 0.8},
        schedule | {"learning_rate__initial_learning_rate": 0.5, "learning_rate__decay_rate": 0.96},
        {"learning_rate": 0.001},
        {},
    ]
    assert grouped(["epochs", "learning_rate", "learning_rate__decay_rate"]) == [
        ["epochs"],
        ["learning_rate", "learning_rate__decay_rate"],
    ]
    assert shared_texts("learning_rate", params) == ["Exp 0.1 0.8", "Exp 0.5 0.96", "0.001", "default"]
    model = model_of(params, [[0.1, 0.1]] * 4)
    assert [column.title for column in model.columns if column.kind == "param"] == ["learning rate"]


def test_a_combination_is_written_as_a_spec_of_one() -> None:
    params = {
        "epochs": 5,
        "optimizer": "sgd",
        "optimizer__momentum": 0.9,
        "learning_rate": "PiecewiseConstantDecay",
        "learning_rate__boundaries": [10, 20],
        "learning_rate__values": [0.1, 0.01, 0.001],
    }
    space = combination_space(params)
    assert space == {
        "epochs": [5],
        "learning_rate": [
            {"schedule": "PiecewiseConstantDecay", "boundaries": [[10, 20]], "values": [[0.1, 0.01, 0.001]]}
        ],
        "optimizer": [{"name": "sgd", "momentum": 0.9}],
    }
    from engine.space import combinations_of
    from engine.spec import SearchSpec

    assert combinations_of(SearchSpec.from_values({"dataset": "reuters", "space": space})) == [params]
    compile(python_snippet({"dataset": "reuters"}, params), "snippet", "exec")
    assert rerun_command({"dataset": "it's"}, params).endswith("foldwatch run one.toml")
