"""The form's texts and the spec they mean: there, back, and what is wrong where."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spec.spec import SearchSpec
from tui.spec_text.completion import completed
from tui.spec_text.form import DEFAULTS, GENERAL, Form, field_of_place, form_of, read

SPECS: list[dict[str, Any]] = [
    {"dataset": "reuters", "space": {}},
    {
        "dataset": "imdb",
        "num_words": 5000,
        "subsample": 0.5,
        "folds": 5,
        "repeats": 2,
        "scoring": ["roc_auc", "accuracy"],
        "strategy": {"random": 30},
        "seed": 7,
        "trainer": "keras",
        "space": {
            "epochs": {"low": 5, "high": 20},
            "dropout": {"low": 0.0, "high": 0.5},
            "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        },
    },
    {
        "dataset": "sample",
        "subsample": 4000,
        "space": {
            "epochs": [5, 10, 20],
            "hidden_units": [64, [128, 64]],
            "activation": ["relu", "tanh"],
            "optimizer": ["rmsprop", {"name": "sgd", "momentum": [0.8, 0.9], "nesterov": True}],
            "learning_rate": [
                0.001,
                {
                    "schedule": "ExponentialDecay",
                    "initial_learning_rate": [0.1, 0.5],
                    "decay_epochs": 1,
                    "decay_rate": [0.8, 0.96],
                },
                {"schedule": "PiecewiseConstantDecay", "boundaries": [10, 20], "values": [0.1, 0.01, 0.001]},
            ],
        },
    },
    {"dataset": "imdb", "time_limit": 90.5, "space": {"optimizer": [{"name": "adam", "clipnorm": ["none", 1.0]}]}},
    {"dataset": "imdb", "early_stopping": {"patience": 3, "min_delta": 0.01, "stop": False}, "space": {}},
    {"dataset": "imdb", "strategy": {"halving": 60, "over": "rows", "factor": 2}, "space": {"batch_size": [64, 128]}},
    {"dataset": "imdb", "stage": [{"subsample": 0.2, "keep": 5}, {"subsample": 1.0}], "space": {"epochs": [5, 10]}},
    {"dataset": "reuters", "space": [{"epochs": [5], "optimizer": ["sgd"]}, {"epochs": [10], "optimizer": ["adam"]}]},
]


@pytest.mark.parametrize(
    "values", SPECS, ids=["bare", "random", "grid", "time limit", "early stopping", "halving", "stages", "two spaces"]
)
def test_a_spec_goes_into_the_form_and_comes_back(values: dict[str, Any]) -> None:
    spec = SearchSpec.from_values(values)
    form = form_of(spec.to_values(), workers=3, devices=["cpu", "gpu:1"])
    reading = read(form)
    assert reading.problems == {}
    assert (reading.workers, reading.devices) == (3, ["cpu", "gpu:1"])
    assert reading.spec is not None
    assert reading.spec.spaces == spec.spaces
    plain = {**reading.spec.to_values(), "space": None}
    assert plain == {**spec.to_values(), "space": None}
    assert form_of(reading.spec.to_values(), workers=3, devices=reading.devices) == form


def test_an_empty_form_means_the_defaults() -> None:
    empty = Form(dict.fromkeys(GENERAL, ""), ({},))
    reading = read(empty)
    assert reading.spec == SearchSpec.from_values({"dataset": "reuters", "space": {}})
    assert (reading.workers, reading.devices, reading.name) == (None, None, None)


def test_the_form_that_opens_is_valid() -> None:
    assert read(Form()).spec is not None


def test_defaults_are_shown_for_every_hyperparameter() -> None:
    assert DEFAULTS["epochs"] == "10"
    assert DEFAULTS["hidden_units"] == "64"
    assert DEFAULTS["optimizer"] == "rmsprop"


@pytest.mark.parametrize(
    ("field", "text", "key", "value"),
    [
        ("subsample", "50 %", "subsample", 0.5),
        ("subsample", "4,000", "subsample", 4000),
        ("num_words", "10,000", "num_words", 10_000),
        ("num_words", "10_000", "num_words", 10_000),
        ("strategy", "random 30", "strategy", {"random": 30}),
        ("strategy", "random=30", "strategy", {"random": 30}),
        ("strategy", "halving 60, factor=3", "strategy", {"halving": 60, "factor": 3}),
        ("strategy", "halving, over = rows", "strategy", {"halving": "grid", "over": "rows"}),
        ("strategy", "hyperband 60", "strategy", {"hyperband": 60}),
        ("strategy", "racing 60, error=0.1", "strategy", {"racing": 60, "error": 0.1}),
        ("strategy", "bayes 60, lag=2", "strategy", {"bayes": 60, "lag": 2}),
        ("scoring", "accuracy,f1_macro", "scoring", ["accuracy", "f1_macro"]),
        ("seed", "  7 ", "seed", 7),
        ("early_stopping", "3", "early_stopping", {"patience": 3}),
        ("early_stopping", "patience = 3, stop=false", "early_stopping", {"patience": 3, "stop": False}),
    ],
)
def test_friendly_spellings(field: str, text: str, key: str, value: Any) -> None:
    reading = read(Form().with_text("space.0.epochs", "10").with_text(field, text))
    assert reading.problems == {}
    assert reading.values[key] == value


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("folds", "1", "at least 2"),
        ("folds", "2, 3", "one number"),
        ("folds", "two", "a whole number"),
        ("subsample", "0", "a fraction above 0"),
        ("num_words", "1..5", "one number"),
        ("scoring", "accurac", "'accuracy'?"),
        ("scoring", "roc_auc", "46 classes"),
        ("scoring", "", ""),
        ("strategy", "all", "grid"),
        ("strategy", "random 0", "at least 1"),
        ("workers", "0", "from 1 to 512"),
        ("workers", "many", "whole number"),
        ("devices", "cpu, tpu", "'tpu' is not accepted; accepted: cpu, gpu:0"),
        ("time_limit", "0", "above 0, in seconds"),
        (
            "strategy",
            "hyperband",
            '"hyperband" is not accepted; as in: grid, random 30, halving 12, hyperband 12',
        ),
        ("strategy", "halvin 12", '"halvin 12" is not accepted; as in: grid, random 30, halving 12'),
        ("strategy", "halving 60, factor=1", "1.5"),
        ("strategy", "halving 60, factors=3", "factor, over, least"),
        ("early_stopping", "stop true", '"stop true" is not accepted; as in: patience 3'),
        ("early_stopping", "foo", "as in: patience 3"),
        ("early_stopping", "patience two", "a whole number"),
        ("early_stopping", "3, delta 1", "'min_delta'"),
        ("name", "My Search", "a-z"),
        ("space.0.epochs", "5 10", "comma"),
        ("space.0.epochs", "5, 0", "at least 1"),
        ("space.0.epochs", "5..10", "a distribution needs strategy"),
        ("space.0.batch_size", "9000", "training rows of a fold"),
        ("space.0.activation", "reluu", "relu"),
        ("space.0.optimizer", "sgd(momentum=2)", "momentum: 2"),
        ("space.0.optimizer", "sgd(rho=0.9)", "rho"),
        ("space.0.learning_rate", "ExponentialDecay(initial_learning_rate=0.1)", "decay_epochs"),
        ("space.0.learning_rate", "Exponential(initial_learning_rate=0.1)", "ExponentialDecay"),
        ("space.0.hidden_units", "[64, 0]", "at least 1"),
    ],
)
def test_a_mistake_is_told_at_its_field(field: str, text: str, says: str) -> None:
    reading = read(Form().with_text(field, text))
    if not says:
        assert reading.problems == {}
        return
    assert list(reading.problems) == [field]
    assert says in reading.problems[field]
    assert reading.spec is None


def test_all_mistakes_are_told_at_once() -> None:
    form = (
        Form()
        .with_text("folds", "1")
        .with_text("seed", "-1")
        .with_text("space.0.epochs", "5 x")
        .with_text("space.0.dropout", "1.5")
        .with_text("space.0.optimizer", "sdg")
        .with_text("name", "A B")
    )
    fields = {"folds", "seed", "space.0.epochs", "space.0.dropout", "space.0.optimizer", "name"}
    assert set(read(form).problems) == fields


def test_a_mistake_in_the_second_space_is_told_there() -> None:
    form = Form().with_space_added(0).with_text("space.1.epochs", "0")
    assert list(read(form).problems) == ["space.1.epochs"]


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ("folds", "folds"),
        ("scoring[1]", "scoring"),
        ("strategy.random", "strategy"),
        ("stage[1].subsample", "strategy"),
        ("early_stopping.patience", "early_stopping"),
        ("space.epochs[0]", "space.0.epochs"),
        ("space.learning_rate[1].decay_rate", "space.0.learning_rate"),
        ("space[2].optimizer.momentum[0]", "space.2.optimizer"),
        ("batch_size", "space.0.batch_size"),
        ("space", "space.0.epochs"),
    ],
)
def test_every_place_of_an_error_has_a_field(place: str, field: str) -> None:
    assert field_of_place(place) == field


def test_spaces_are_added_and_removed() -> None:
    form = Form().with_text("space.0.epochs", "5")
    two = form.with_space_added(0).with_text("space.1.epochs", "10")
    assert [space["epochs"] for space in two.spaces] == ["5", "10"]
    assert two.without_space(0).text("space.0.epochs") == "10"
    assert form.without_space(0) == form
    reading = read(two)
    assert isinstance(reading.values["space"], list)


@pytest.mark.parametrize(
    ("field", "text", "whole"),
    [
        ("scoring", "accuracy, f1_ma", "accuracy, f1_macro"),
        ("strategy", "ra", "random"),
        ("strategy", "halving 60, fac", "halving 60, factor"),
        ("strategy", "halving 60, over=r", "halving 60, over=rows"),
        ("strategy", "halving 60, over=rows, le", "halving 60, over=rows, least"),
        ("strategy", "unheard 60, fac", None),
        ("early_stopping", "patience 3, st", "patience 3, stop"),
        ("early_stopping", "patience 3, stop f", "patience 3, stop false"),
        ("space.0.activation", "re", "relu"),
        ("space.0.optimizer", "rmsprop, sg", "rmsprop, sgd"),
        ("space.0.optimizer", "sgd(mom", "sgd(momentum"),
        ("space.0.optimizer", "sgd(momentum=0.9, nesterov=t", "sgd(momentum=0.9, nesterov=true"),
        ("space.0.learning_rate", "0.001, exp", "0.001, ExponentialDecay"),
        ("space.0.learning_rate", "ExponentialDecay(dec", "ExponentialDecay(decay_epochs"),
        ("space.0.learning_rate", "CosineDecay(decay_epochs=a", "CosineDecay(decay_epochs=all"),
        ("space.0.learning_rate", "Unheard(dec", None),
        ("space.0.epochs", "5", None),
        ("space.0.epochs", "", None),
        ("space.0.activation", "relu", None),
        ("space.0.optimizer", "zzz", None),
    ],
)
def test_words_are_completed(field: str, text: str, whole: str | None) -> None:
    assert completed(field, text) == whole


def test_a_search_that_is_too_large_is_a_problem_while_typing() -> None:
    thirty = "|".join(str(step / 100) for step in range(1, 31))
    table = f"sgd({', '.join(f'{name}={thirty}' for name in ('momentum', 'clipnorm', 'clipvalue', 'weight_decay'))})"
    reading = read(Form().with_text("space.0.optimizer", table))
    assert reading.spec is None
    assert "a search of 810,000 combinations is not accepted" in reading.problems["space.0.optimizer"]
    assert reading.rest is not None  # the rest of the form is still worked out
    hundred = ", ".join(map(str, range(1, 101)))
    many = Form().with_text("space.0.epochs", hundred).with_text("space.0.batch_size", hundred)
    grid = read(many.with_text("space.0.hidden_units", hundred))
    assert any("1,000,000 combinations" in problem for problem in grid.problems.values())
    assert "strategy" in read(many.with_text("strategy", "random 999999").with_text("space.0.l2", "0.1..1")).problems
    fits = read(Form().with_text("folds", "1000").with_text("repeats", "1000"))
    assert any("12,000,000 fits" in problem for problem in fits.problems.values())


@pytest.mark.parametrize("name", ["scoring", "strategy", "early_stopping", "devices", "name", "space.0.epochs"])
def test_every_field_has_a_length(name: str) -> None:
    assert "at most 20,000 characters" in read(Form().with_text(name, "a" * 30_000)).problems[name]


def test_what_is_allowed_to_be_large_stays_so_in_the_form() -> None:
    form = form_of({**SPECS[0], "allow_large": True})
    assert read(form).values["allow_large"] is True
