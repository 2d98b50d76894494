"""Columns that hyperparameters share, and a combination written as a spec of its own."""

from __future__ import annotations

from typing import Any

from engine.session.state import SearchState
from engine.spec.space_of_one import combination_space
from tests.tui_tests.scripted_search import Script
from tui.live.snippet import python_snippet, rerun_command
from tui.results.model import ResultsModel, in_few_words
from tui.results.parameter_columns import grouped, shared_texts


def model_of(params: list[dict[str, Any]]) -> ResultsModel:
    state = SearchState()
    for event in Script(params=params).start():
        state.apply(event)
    model = ResultsModel()
    model.update(state)
    return model


def test_a_schedule_and_its_arguments_share_a_column() -> None:
    schedule: dict[str, Any] = {"learning_rate": "ExponentialDecay", "learning_rate__decay_epochs": 1}
    params: list[dict[str, Any]] = [
        schedule | {"learning_rate__initial_learning_rate": 0.1, "learning_rate__decay_rate": 0.8},
        schedule | {"learning_rate__initial_learning_rate": 0.5, "learning_rate__decay_rate": 0.96},
        {"learning_rate": 0.001},
        {},
    ]
    names = ["epochs", "learning_rate", "learning_rate__decay_rate"]
    assert grouped(names, names) == [
        ["epochs"],
        ["learning_rate", "learning_rate__decay_rate"],
    ]
    assert shared_texts("learning_rate", params) == ["Exp 0.1 0.8", "Exp 0.5 0.96", "0.001", "default"]
    model = model_of(params)
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
    from engine.spec.combinations import combinations_of
    from engine.spec.spec import SearchSpec

    assert combinations_of(SearchSpec.from_values({"dataset": "reuters", "space": space})) == [params]
    compile(python_snippet({"dataset": "reuters"}, params), "snippet", "exec")
    spec = {"dataset": "reuters", "early_stopping": {"patience": 3, "stop": False}, "seed": None}
    assert "    early_stopping={'patience': 3, 'stop': False},\n" in python_snippet(spec, params)
    assert "'early_stopping = { patience = 3, stop = false }'" in rerun_command(spec, params)
    assert "seed" not in python_snippet(spec, params)
    assert rerun_command({"dataset": "it's"}, params).endswith("foldwatch run one.toml")


def test_an_argument_that_tells_no_more_than_its_head_is_no_column() -> None:
    decay = {"learning_rate": "ExponentialDecay", "learning_rate__decay_epochs": 1}
    rates = [{**decay, "learning_rate__decay_rate": rate} for rate in (0.8, 0.9)]
    names = model_of([{"learning_rate": 0.1}, *rates]).params
    assert names == ["learning_rate", "learning_rate__decay_rate"]
    assert in_few_words(rates[0], names) == "Exp 0.8"
    assert model_of([{"optimizer": "sgd"}, {"optimizer": "sgd", "optimizer__nesterov": True}]).params == [
        "optimizer__nesterov"
    ]
