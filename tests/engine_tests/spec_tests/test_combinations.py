"""Spaces expand and are drawn from as scikit-learn does it, and as the design says where scikit-learn says nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from engine.errors import SpecError
from engine.spec.combinations import combinations_of, draw, grid
from engine.spec.space import grid_size, parse_space
from engine.spec.spec import SearchSpec

PLAIN: dict[str, list[Any]] = {
    "optimizer": ["rmsprop", "adam", "sgd"],
    "epochs": [5, 10, 20],
    "hidden_units": [64, [128, 64], 16],
    "batch_size": [512, 128],
    "learning_rate": [0.01, 0.001],
    "activation": ["relu", "tanh"],
}
OTHER: dict[str, list[Any]] = {"dropout": [0.5, 0.0], "epochs": [3]}


def _spaces(*raw: dict[str, Any]) -> list[Any]:
    return [parse_space(one, "space") for one in raw]


@pytest.mark.parametrize("raw", [[PLAIN], [PLAIN, OTHER], [OTHER, PLAIN, OTHER], [{}]])
def test_a_grid_of_plain_axes_is_parameter_grid(raw: list[dict[str, list[Any]]]) -> None:
    from sklearn.model_selection import ParameterGrid

    ours, theirs = grid(_spaces(*raw)), list(ParameterGrid(raw))
    assert ours == theirs
    assert [list(params) for params in ours] == [list(params) for params in theirs]
    assert grid_size(_spaces(*raw)) == len(ours)


@pytest.mark.parametrize("count", [1, 7, 216, 10_000])
@pytest.mark.parametrize("raw", [[PLAIN], [PLAIN, OTHER]])
def test_draws_from_lists_are_those_of_parameter_sampler(raw: list[dict[str, list[Any]]], count: int) -> None:
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    count_possible = min(count, len(ParameterGrid(raw)))
    theirs = list(ParameterSampler(raw, count_possible, random_state=3))
    assert draw(_spaces(*raw), count, 3) == theirs


def test_draws_of_a_distribution_are_those_of_parameter_sampler() -> None:
    from scipy import stats
    from sklearn.model_selection import ParameterSampler

    raw = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "epochs": [2, 3]}
    theirs = ParameterSampler({"epochs": [2, 3], "learning_rate": stats.loguniform(1e-4, 1e-1)}, 20, random_state=5)
    expected = [{name: pytest.approx(value, rel=1e-15) for name, value in params.items()} for params in theirs]
    assert draw(_spaces(raw), 20, 5) == expected


def test_none_is_a_word_where_an_argument_may_be_none() -> None:
    raw: dict[str, Any] = {"optimizer": [{"name": "sgd", "clipnorm": ["none", 1.0, None]}]}
    spec = SearchSpec.from_values({"dataset": "sample", "space": raw})
    assert [one["optimizer__clipnorm"] for one in combinations_of(spec)] == [None, 1.0, None]
    again = SearchSpec.from_toml(spec.to_toml())
    assert combinations_of(again) == combinations_of(spec)
    with pytest.raises(SpecError, match="'none' is not accepted; accepted: a number at least 0 and below 1"):
        parse_space({"dropout": ["none"]}, "space")
    with pytest.raises(SpecError, match='accepted: a number above 0, or "none"'):
        parse_space({"optimizer": {"name": "sgd", "clipnorm": 0}}, "space")


def test_a_table_expands_to_the_product_of_its_lists_keys_sorted() -> None:
    raw = {
        "optimizer": ["rmsprop", {"name": "sgd", "nesterov": True, "momentum": [0.8, 0.9]}],
        "learning_rate": [
            0.001,
            {
                "schedule": "ExponentialDecay",
                "initial_learning_rate": [0.1, 0.5],
                "decay_rate": [0.8, 0.96],
                "decay_epochs": 1,
            },
        ],
    }
    made = grid(_spaces(raw))
    assert len(made) == 5 * 3
    assert [params["learning_rate"] for params in made[::3]] == [0.001, *["ExponentialDecay"] * 4]
    assert [
        (params["learning_rate__decay_rate"], params["learning_rate__initial_learning_rate"]) for params in made[3::3]
    ] == [(0.8, 0.1), (0.8, 0.5), (0.96, 0.1), (0.96, 0.5)]
    assert made[0] == {"learning_rate": 0.001, "optimizer": "rmsprop"}
    assert made[1] == {
        "learning_rate": 0.001,
        "optimizer": "sgd",
        "optimizer__momentum": 0.8,
        "optimizer__nesterov": True,
    }
    assert made[-1] == {
        "learning_rate": "ExponentialDecay",
        "learning_rate__decay_epochs": 1,
        "learning_rate__decay_rate": 0.96,
        "learning_rate__initial_learning_rate": 0.5,
        "optimizer": "sgd",
        "optimizer__momentum": 0.9,
        "optimizer__nesterov": True,
    }


def test_words_get_their_own_spelling_and_lists_by_nature_stay_lists() -> None:
    raw = {
        "optimizer": "RMSprop",
        "activation": ["ReLU"],
        "learning_rate": {
            "schedule": "piecewiseconstantdecay",
            "boundaries": [10, 20],
            "values": [[1.0, 0.5, 0.1], [0.5, 0.2, 0.1]],
        },
    }
    made = grid(_spaces(raw))
    assert {(p["activation"], p["optimizer"], p["learning_rate"]) for p in made} == {
        ("relu", "rmsprop", "PiecewiseConstantDecay")
    }
    assert [p["learning_rate__values"] for p in made] == [[1.0, 0.5, 0.1], [0.5, 0.2, 0.1]]
    assert [p["learning_rate__boundaries"] for p in made] == [[10, 20]] * 2


DISTRIBUTIONS: dict[str, Any] = {
    "hidden_units": {"low": 16, "high": 40, "int": True},
    "batch_size": {"low": 16, "high": 512, "log": True},
    "epochs": {"choices": [2, 4]},
    "dropout": {"low": 0.1, "high": 0.5},
    "l2": {"low": 1e-6, "high": 1e-2, "log": True},
    "optimizer": ["adam", {"name": "sgd", "momentum": {"low": 0.5, "high": 0.99}}],
    "learning_rate": [
        0.01,
        {
            "schedule": "CosineDecay",
            "initial_learning_rate": {"low": 0.01, "high": 0.1, "log": True},
            "decay_epochs": "all",
        },
    ],
}


def test_draws_of_distributions_are_plain_numbers_within_bounds() -> None:
    made = draw(_spaces(DISTRIBUTIONS), 400, 11)
    assert len(made) == 400
    assert json.loads(json.dumps(made)) == made
    assert all(type(value) in (int, float, str) for params in made for value in params.values())
    assert {type(params["hidden_units"]) for params in made} == {int}
    # Whole numbers reach both ends; both included.
    assert {params["hidden_units"] for params in made} == set(range(16, 41))
    assert {params["epochs"] for params in made} == {2, 4}
    for name, low, high in (("batch_size", 16, 512), ("dropout", 0.1, 0.5), ("l2", 1e-6, 1e-2)):
        values = [params[name] for params in made]
        assert low <= min(values) <= max(values) <= high
    # Uniform in the logarithm: half of the draws below the geometric mean.
    for name, middle in (("batch_size", math.sqrt(16 * 512)), ("l2", 1e-4)):
        assert 150 < sum(params[name] < middle for params in made) < 250
    assert {type(params["batch_size"]) for params in made} == {int}


def test_a_distribution_inside_a_table_is_drawn_only_where_the_table_is() -> None:
    made = draw(_spaces(DISTRIBUTIONS), 200, 2)
    for params in made:
        assert ("optimizer__momentum" in params) == (params["optimizer"] == "sgd")
        assert ("learning_rate__initial_learning_rate" in params) == (params["learning_rate"] == "CosineDecay")
    momenta = {params["optimizer__momentum"] for params in made if "optimizer__momentum" in params}
    assert len(momenta) > 50
    assert all(0.5 <= momentum <= 0.99 for momentum in momenta)
    assert {params["optimizer"] for params in made} == {"adam", "sgd"}


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    def drawn(seed: int) -> list[dict[str, Any]]:
        values = {"dataset": "imdb", "space": DISTRIBUTIONS, "strategy": {"random": 20}, "seed": seed}
        return combinations_of(SearchSpec.from_values(values))

    assert drawn(4) == drawn(4)
    assert drawn(4) != drawn(5)


def test_lists_are_drawn_without_replacement_and_no_more_than_there_are() -> None:
    made = draw(_spaces({"epochs": [1, 2, 3], "dropout": [0.0, 0.5]}), 100, 0)
    assert len(made) == 6
    assert len({json.dumps(params) for params in made}) == 6
