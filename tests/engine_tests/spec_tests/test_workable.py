"""What can be read but not be trained is refused before a search starts, and stays readable where one has begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import SpecError
from engine.plan.plan import make_plan
from engine.search.search import Search
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.fakes import FAKE_WORKER, SMALL, fake_search

Space = dict[str, Any]
FIVE = list(range(1, 6))


def _spec(space: Space, **values: Any) -> SearchSpec:
    return SearchSpec.from_values({"dataset": "sample", "space": space, **values})


def _plan(space: Space, **values: Any) -> None:
    spec = _spec(space, **values)
    make_plan(spec, combinations_of(spec))


def _piecewise(boundaries: list[int], values: list[float]) -> Space:
    return {"schedule": "PiecewiseConstantDecay", "boundaries": boundaries, "values": values}


def _cosine(**arguments: Any) -> Space:
    return {"schedule": "CosineDecay", "initial_learning_rate": 0.0, "decay_steps": 5, **arguments}


# Reuters' sample in three folds has 5,988 training rows: 47 steps of 128 an epoch.
UNTRAINABLE: dict[str, tuple[Space, str]] = {
    "two clips": ({"optimizer": [{"name": "adam", "clipnorm": 1.0, "clipvalue": 0.5}]}, "optimizer[0].clipvalue: 0.5"),
    "two others": (
        {"optimizer": {"name": "sgd", "clipvalue": 1, "global_clipnorm": 2}},
        "optimizer.global_clipnorm: 2",
    ),
    "two of many": (
        {"optimizer": ["sgd", {"name": "nadam", "clipnorm": ["none", 1.0], "global_clipnorm": ["none", 0.5]}]},
        "optimizer[1].global_clipnorm: 0.5",
    ),
    "two clips, one drawn": (
        {"optimizer": {"name": "adam", "clipnorm": 1.0, "clipvalue": {"low": 0.1, "high": 1.0}}},
        "optimizer.clipvalue: {'low': 0.1",
    ),
    "lion without its first beta": ({"optimizer": [{"name": "lion", "beta_1": [0.9, 0]}]}, "optimizer[0].beta_1: 0 "),
    "a rate of nothing in float32": ({"learning_rate": [0.1, 1e-46]}, "learning_rate[1]: 1e-46"),
    "a rate whose digits are lost": ({"learning_rate": 1e-39}, "learning_rate: 1e-39"),
    "a rate beyond float32": ({"learning_rate": 1e39}, "learning_rate: 1e+39"),
    "rates drawn from nothing": ({"learning_rate": {"low": 1e-50, "high": 0.1}}, "learning_rate: 1e-50"),
    "an epsilon of nothing": ({"optimizer": {"name": "adam", "epsilon": 1e-50}}, "optimizer.epsilon: 1e-50"),
    "a beta of one": ({"optimizer": {"name": "adam", "beta_2": 1 - 1e-12}}, "optimizer.beta_2: 0.999999999999"),
    "a norm without end": ({"optimizer": {"name": "adam", "clipnorm": 1e300}}, "optimizer.clipnorm: 1e+300"),
    "a dropout of everything": ({"dropout": [0.5, 1 - 1e-12]}, "dropout[1]: 0.999999999999"),
    "a penalty of nothing": ({"l2": 1e-46}, "l2: 1e-46"),
    "a schedule's rate of nothing": (
        {"learning_rate": _piecewise([3], [0.1, 1e-46])},
        "learning_rate.values: 1e-46",
    ),
    "epochs without end": (
        {"learning_rate": {"schedule": "PolynomialDecay", "initial_learning_rate": 0.1, "decay_epochs": 1e308}},
        "learning_rate.decay_epochs: 1e+308",
    ),
    "a warm-up without a target": (
        {"learning_rate": [_cosine(warmup_epochs=1)]},
        "learning_rate[0].initial_learning_rate: 0.0",
    ),
    "values of zero": ({"learning_rate": _piecewise([3], [0.0, 0])}, "learning_rate.values: [0.0, 0]"),
    "from zero to zero": (
        {"learning_rate": {**_cosine(end_learning_rate=0), "schedule": "PolynomialDecay"}},
        "learning_rate.initial_learning_rate: 0.0",
    ),
    "a rise after the last step": (
        {"epochs": 2, "learning_rate": _piecewise([93], [0.0, 0.1])},
        "learning_rate: [{'schedule': 'PiecewiseConstantDecay'",
    ),
    "a warm-up of the only step": (
        {"epochs": 1, "batch_size": 5988, "learning_rate": _cosine(warmup_target=0.1, warmup_steps=3)},
        "learning_rate: [{'schedule': 'CosineDecay'",
    ),
}


@pytest.mark.parametrize("name", UNTRAINABLE)
@pytest.mark.parametrize("place", ["space", "space[1]"])
def test_what_cannot_be_trained_is_refused(name: str, place: str) -> None:
    space, said = UNTRAINABLE[name]
    draws = {"strategy": {"random": 2}} if "drawn" in name else {}
    with pytest.raises(SpecError) as refused:
        _plan(space if place == "space" else [{}, space], **draws)  # type: ignore[arg-type]
    message = str(refused.value)
    # Which of several spaces a combination is from is not known any more when it is planned.
    assert f"{place}.{said}" in message or f"space.{said}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "space",
    [
        {"optimizer": {"name": "adam", "clipnorm": "none", "clipvalue": [0.5, "none"]}},
        {"optimizer": {"name": "adam", "beta_1": 0.0, "beta_2": 0.0}},
        {"learning_rate": _cosine(warmup_target=0.1, warmup_epochs=1)},
        {"learning_rate": _cosine(warmup_target=0.1)},
        {"learning_rate": {**_cosine(), "schedule": "PolynomialDecay"}},
        {"epochs": 2, "learning_rate": _piecewise([92], [0.0, 0.1])},
        {"learning_rate": _piecewise([0, 3, 3], [0.0, 0.1, 0.2, 0.0])},
        {"learning_rate": {**_cosine(alpha=2.5), "initial_learning_rate": 1e-37}},
        {
            "learning_rate": {
                "schedule": "CosineDecayRestarts",
                "initial_learning_rate": 0.1,
                "first_decay_epochs": 1,
                "m_mul": 0,
                "alpha": 1.5,
            }
        },
        {"dropout": 0.0, "l2": 0},
    ],
)
def test_what_can_be_trained_is_not_refused(space: Space) -> None:
    _plan(space)


@pytest.mark.parametrize(
    ("strategy", "epochs", "said"),
    [
        ({"hyperband": 9, "least": 50}, 9, "strategy.least: 50 is not accepted; accepted: at most 3"),
        ({"hyperband": 9, "least": 9}, 9, "strategy.least: 9"),
        ({"halving": 4, "least": 4}, 9, "strategy.least: 4"),
        ({"hyperband": 9, "factor": 50}, 9, "strategy.factor: 50 is not accepted; accepted: at most 9"),
        ({"halving": "grid", "factor": 10}, 9, "strategy.factor: 10 is not accepted; accepted: at most 5"),
        ({"halving": 3, "factor": 4}, 9, "strategy.factor: 4 is not accepted; accepted: at most 3"),
        ({"halving": "grid", "over": "rows", "least": 5000}, 9, "strategy.least: 5000 .* at most 2994"),
        ({"halving": "grid", "over": "rows", "factor": 6}, 9, "strategy.factor: 6 .* at most 5"),
        ({"racing": "grid", "between": "epochs"}, 2, "strategy.between: 'epochs' .* 3 epochs"),
        ({"bayes": 5, "first": 6}, 9, "strategy.first: 6 is not accepted; accepted: at most 5"),
        ({"bayes": 5, "lag": 5}, 9, "strategy.lag: 5 is not accepted; accepted: at most 4"),
    ],
)
def test_options_with_which_a_strategy_does_nothing_are_refused(
    strategy: dict[str, Any], epochs: int, said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        _spec({"epochs": epochs, "hidden_units": FIVE}, strategy=strategy)


@pytest.mark.parametrize(
    ("strategy", "epochs"),
    [
        ({"hyperband": 9, "least": 3}, 9),
        ({"hyperband": 9}, 2),
        ({"halving": "grid", "factor": 5}, 9),
        ({"halving": "grid", "over": "rows", "least": 2994}, 9),
        ({"racing": "grid", "between": "epochs"}, 3),
        ({"bayes": 5, "first": 5, "lag": 4}, 9),
        ({"bayes": 1}, 9),
    ],
)
def test_options_that_do_something_are_not(strategy: dict[str, Any], epochs: int) -> None:
    _spec({"epochs": epochs, "hidden_units": FIVE}, strategy=strategy)


def test_a_session_with_what_is_refused_today_is_still_resumed(surroundings: Path) -> None:
    clips = {"name": "adam", "clipnorm": 1.0, "clipvalue": 0.5}
    lions = {"name": "lion", "beta_1": 0.0}
    values = {**SMALL, "space": {"optimizer": ["sgd", clips, lions], "learning_rate": [0.1, 1e-46], "epochs": 1}}
    with pytest.raises(SpecError):
        SearchSpec.from_values(values)
    list(fake_search(surroundings, {}, spec=SearchSpec.recorded(values), name="old").run())
    resumed = Search.of_session("old", sessions=surroundings, worker_command=FAKE_WORKER)
    assert resumed.plan.fits == 18
    list(resumed.run())
    assert resumed.outcome == "completed"
    assert len(resumed.cv_results_["params"]) == 6


def test_a_recorded_rate_of_zero_is_planned_as_it_was() -> None:
    spec = _spec({"epochs": 2, "learning_rate": _piecewise([93], [0.0, 0.1])})
    with pytest.raises(SpecError, match="0 at all 94 of a training"):
        make_plan(spec, combinations_of(spec))
    assert make_plan(spec, combinations_of(spec), recorded=True).fits == 3
