"""Zoom: the finer space around what was good, from scripted scores; and a real search whose fits are taken over."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.analysis.refinement import Trial, refine
from engine.analysis.zoom import Zoom, zoom
from engine.cli.main import main
from engine.errors import UsageError
from engine.search.search import Search
from engine.spec.catalogue import HYPERPARAMETERS, LEARNING_RATE, OPTIMIZERS, Word
from engine.spec.combinations import combinations_of
from engine.spec.space import Distribution
from engine.spec.spec import SearchSpec
from tests.engine_tests.analysis_tests.test_trends import searched
from tests.fakes import FAKE_WORKER, fake_search

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDS = (0.0, 0.004, -0.005)  # what is hard about a fold is hard for all


def zoomed(space: Any, score: Callable[[dict[str, Any]], float], *, noise: float = 0.003, **values: Any) -> Zoom:
    """A zoom into a search with these scores, whose differences between folds are as large as the noise."""
    spec = SearchSpec.from_values({"dataset": "reuters", "space": space, **values})
    params = combinations_of(spec)
    wobble = noise * 2**0.5
    scores = [
        [score(one) + fold + sign * wobble * (number % 2) for fold, sign in zip(_FOLDS, (1, -1, 0), strict=True)]
        for number, one in enumerate(params)
    ]
    return zoom(spec, searched(params, scores))


def numbers(tried: list[float], best: float, name: str) -> tuple[list[Any], str]:
    """What numbers become of which one was the best by far."""
    trials = [Trial(value, float(value == best), value == best) for value in tried]
    kind = LEARNING_RATE if name == "learning_rate" else HYPERPARAMETERS[name][0]
    found = refine(name, trials, kind, 0.01, None)
    return found.proposed, found.why


@pytest.mark.parametrize(
    ("name", "tried", "best", "proposed"),
    [
        ("epochs", [5, 10, 20], 10, [7, 10, 14]),
        ("epochs", [5, 10, 20], 20, [14, 20, 40]),
        ("epochs", [10, 20, 30], 20, [15, 20, 25]),
        ("epochs", [1, 2, 3], 1, [1]),
        ("batch_size", [128, 512], 512, [256, 512, 2048]),
        ("hidden_units", [64, 128], 64, [32, 64, 96]),
        ("hidden_layers", [1, 2, 3], 1, [0, 1]),
        ("dropout", [0.0, 0.3, 0.6], 0.0, [0.0, 0.15]),
        ("dropout", [0.2, 0.5, 0.8], 0.8, [0.65, 0.8, 0.9]),
        ("l2", [0.0, 1e-4, 1e-3], 1e-4, [5e-5, 1e-4, 0.00032]),
        ("learning_rate", [1e-3, 1e-2, 1e-1], 1e-3, [1e-4, 1e-3, 0.0032]),
    ],
)
def test_numbers_are_refined_around_the_best(name: str, tried: list[float], best: float, proposed: list[Any]) -> None:
    assert numbers(tried, best, name)[0] == proposed


def test_at_the_border_it_says_so() -> None:
    assert numbers([5, 10, 20], 20, "epochs")[1] == "the best, 20, lies at the border, so wider"
    assert numbers([0.0, 0.5], 0.0, "dropout")[1].endswith("beyond which nothing is accepted")
    assert numbers([5, 10, 20], 10, "epochs")[1] == "finer around the best, 10"


def test_layers_named_one_by_one_are_kept_as_they_are() -> None:
    trials = [Trial(64, 0.5, False), Trial([128, 64], 0.9, True), Trial(128, 0.8, False)]
    assert refine("hidden_units", trials, HYPERPARAMETERS["hidden_units"][0], 0.01, None).proposed == [[128, 64]]


def test_a_range_shrinks_around_the_good_ones() -> None:
    values = [0.0002, 0.001, 0.003, 0.01, 0.05]
    trials = [Trial(value, 0.9 - abs(value - 0.003), value in (0.001, 0.003)) for value in values]
    found = refine("learning_rate", trials, LEARNING_RATE, 0.01, Distribution(1e-4, 1e-1, log=True))
    assert found.proposed == [{"low": 0.0002, "high": 0.01, "log": True}]
    assert str(found) == "learning_rate 0.0001..0.1 log -> 0.0002..0.01 log: the range of the good ones"


def test_a_range_whose_end_was_the_best_moves_on() -> None:
    trials = [Trial(value, float(value), value == 60) for value in (8, 20, 30, 60)]
    found = refine("hidden_units", trials, HYPERPARAMETERS["hidden_units"][0], 0.01, Distribution(8, 64, integer=True))
    assert found.proposed == [{"low": 30, "high": 98, "int": True}]
    assert "border" in found.why


def test_beyond_the_border_is_nothing_that_cannot_learn() -> None:
    trials = [Trial(value, value, value == 0.9) for value in (0.8, 0.9)]
    found = refine("optimizer__momentum", trials, OPTIMIZERS["sgd"].arguments["momentum"][0], 0.01, None)
    assert found.proposed == [0.85, 0.9, 0.95]


def test_good_words_stay() -> None:
    trials = [Trial("adam", 0.9, True), Trial("sgd", 0.5, False), Trial("nadam", 0.895, True)]
    found = refine("optimizer", trials, Word(("adam", "sgd", "nadam")), 0.01, None)
    assert found.proposed == ["adam", "nadam"]
    assert found.why == "sgd worse by more than the noise of 0.0100"


def test_what_matters_little_is_fixed_at_the_best() -> None:
    space = {"epochs": [5, 10, 20], "batch_size": [128, 512]}
    found = zoomed(space, lambda one: 0.7 + 0.01 * one["epochs"] + 0.0005 * (one["batch_size"] == 128))
    assert found.spec.space == {"batch_size": [128], "epochs": [14, 20, 40]}
    assert found.lines[0].startswith("batch_size 128, 512 -> 128: matters little (main effect 0.0005, within the noise")
    assert [found.plan.combinations[index].params["epochs"] for index in found.scored] == [20]


def test_what_matters_only_together_is_not_fixed() -> None:
    space = {"epochs": [5, 10], "optimizer": ["adam", "sgd"], "learning_rate": [0.001, 0.1]}
    fits = {("adam", 0.001), ("sgd", 0.1)}
    found = zoomed(space, lambda one: 0.7 + 0.1 * ((one["optimizer"], one["learning_rate"]) in fits))
    # The means of both are equal, and every value is in one of the best: but each in another.
    assert found.spec.to_values()["space"] == {
        "epochs": [5],
        "learning_rate": [1e-5, 0.001, 0.01, 0.1],
        "optimizer": ["adam", "sgd"],
    }


def test_arguments_are_refined_where_they_belong() -> None:
    decay = {"schedule": "ExponentialDecay", "initial_learning_rate": [0.01, 0.1], "decay_epochs": 1, "decay_rate": 0.9}
    space = {
        "epochs": [5, 10],
        "optimizer": ["rmsprop", {"name": "sgd", "momentum": [0.7, 0.8, 0.9], "nesterov": [True, False]}],
        "learning_rate": [0.001, decay],
    }

    def score(one: dict[str, Any]) -> float:
        good = one["optimizer"] == "sgd" and one.get("learning_rate__initial_learning_rate") == 0.1
        momentum: float = one.get("optimizer__momentum", 0.0)
        return 0.6 + 0.1 * good - 0.1 * abs(momentum - 0.8) + 0.001 * float(one["epochs"])

    found = zoomed(space, score)
    assert found.spec.space == {
        "epochs": [8, 10, 15],
        "learning_rate": [
            {
                "schedule": "ExponentialDecay",
                "decay_epochs": [1],
                "decay_rate": [0.9],
                "initial_learning_rate": [0.032, 0.1, 1.0],
            }
        ],
        "optimizer": [{"name": "sgd", "momentum": [0.75, 0.8, 0.85], "nesterov": [True]}],
    }
    assert any(line.startswith("sgd momentum 0.7, 0.8, 0.9 -> 0.75, 0.8, 0.85: finer") for line in found.lines)


def test_a_space_without_a_good_combination_is_left_out() -> None:
    space = [
        {"epochs": [5, 10], "optimizer": ["adam"], "learning_rate": [0.001, 0.01]},
        {"epochs": [5, 10], "optimizer": ["sgd"], "learning_rate": [0.1, 1.0]},
    ]
    one = zoomed(space, lambda one: 0.6 + 0.1 * (one["optimizer"] == "adam") + 0.01 * one["epochs"])
    assert isinstance(one.spec.space, dict)
    assert one.spec.space["optimizer"] == ["adam"]
    both = zoomed(space, lambda one: 0.6 + 0.01 * one["epochs"])
    assert isinstance(both.spec.space, list)
    assert [part["optimizer"] for part in both.spec.space] == [["adam"], ["sgd"]]
    assert both.lines[0].startswith("space 1: epochs")


def test_lists_that_belong_together_stay_together() -> None:
    tables = [
        {"schedule": "PiecewiseConstantDecay", "boundary_epochs": [[2]], "values": [[0.1, 0.01]]},
        {"schedule": "PiecewiseConstantDecay", "boundary_epochs": [[2, 4]], "values": [[0.1, 0.05, 0.01]]},
    ]
    found = zoomed({"epochs": [5, 10], "learning_rate": tables}, lambda one: 0.6 + 0.01 * one["epochs"])
    assert isinstance(found.spec.space, dict)
    assert found.spec.space["learning_rate"] == tables


def test_drawn_combinations_are_drawn_from_a_smaller_range() -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "optimizer": ["adam", "sgd"]}
    found = zoomed(space, lambda one: 0.9 - abs(one["learning_rate"] - 0.004), strategy={"random": 20})
    assert found.spec.strategy == {"random": 20}
    assert isinstance(found.spec.space, dict)
    drawn = found.spec.space["learning_rate"]
    assert 1e-4 <= drawn["low"] < 0.004 < drawn["high"] < 0.1
    listed = zoomed({"epochs": [5, 10, 20, 40]}, lambda one: one["epochs"] / 100, strategy={"random": 20})
    assert listed.spec.strategy == "grid"


def test_stages_give_a_grid_on_all_rows_of_the_last() -> None:
    spec = SearchSpec.from_values(
        {
            "dataset": "reuters",
            "stage": [{"subsample": 500, "keep": 3}, {"subsample": 2000}],
            "space": {"epochs": [5, 10, 20]},
        }
    )
    found = zoom(spec, searched(combinations_of(spec), [[0.5, 0.5, 0.5], [0.6, 0.6, 0.6], [0.7, 0.7, 0.7]]))
    assert (found.spec.stage, found.spec.subsample, found.spec.strategy) == ([], 2000, "grid")
    assert found.scored == []  # those scores are of the first stage's rows


@pytest.mark.parametrize("strategy", [{"halving": "grid"}, {"hyperband": 9}])
def test_a_strategy_over_epochs_stays(strategy: dict[str, Any]) -> None:
    found = zoomed({"epochs": 9, "hidden_units": [8, 16, 32]}, lambda one: one["hidden_units"] / 64, strategy=strategy)
    assert found.spec.strategy == strategy
    assert found.spec.space == {"epochs": [9], "hidden_units": [23, 32, 64]}


def test_it_needs_complete_combinations_and_something_left_to_refine() -> None:
    with pytest.raises(UsageError, match="too few combinations are complete on every fold to zoom into: 2; at least 3"):
        zoomed({"epochs": [5, 10]}, lambda one: 0.5)
    with pytest.raises(UsageError, match="nothing is left to be refined"):
        zoomed({"activation": ["relu", "tanh", "elu"]}, lambda one: 0.5 + 0.1 * (one["activation"] == "elu"))


def test_every_place_of_the_best_gives_a_spec_that_can_be_run() -> None:
    space: dict[str, list[Any]] = {"batch_size": [1, 5000], "dropout": [0.0, 0.99], "hidden_layers": [0, 32]}
    for best in itertools.product(*space.values()):
        wanted = dict(zip(space, best, strict=True))
        found = zoomed(space, functools.partial(_likeness, wanted))
        assert wanted in [one.params for one in found.plan.combinations]


def _likeness(wanted: dict[str, Any], one: dict[str, Any]) -> float:
    return len(wanted.items() & one.items()) / 9


def test_scored_fits_are_taken_over(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coarse = fake_search(surroundings, {"epochs": [2, 4, 8], "hidden_units": [8, 32]}, name="coarse")
    list(coarse.run())
    proposed = coarse.zoom()
    assert proposed.scored
    assert main(["zoom", "coarse", "--sessions", str(surroundings), "--to", "fine.toml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fits_scored"] == 3 * len(proposed.scored)
    assert told["spec"] == proposed.spec.to_values()
    assert main(["zoom", "coarse", "--sessions", str(surroundings)]) == 0
    text = capsys.readouterr().out
    assert all(line in text for line in proposed.lines)
    assert text.endswith(proposed.spec.to_toml())
    fine = Search(SearchSpec.read(Path("fine.toml")), workers=2, sessions=surroundings, worker_command=FAKE_WORKER)
    list(fine.run())
    taken = [one.index for one in fine.state.combinations if {fit.taken_from for fit in one.fits} == {"coarse"}]
    assert taken == proposed.scored
    assert fine.best_score_ >= coarse.best_score_


@pytest.mark.parametrize("strategy", [{"halving": "grid", "factor": 2}, "racing"], ids=["halving", "racing"])
def test_what_a_strategy_dropped_counts_by_what_it_was_dropped_for(surroundings: Path, strategy: object) -> None:
    space = {"epochs": 8, "hidden_units": [4, 8, 16, 32, 64], "batch_size": [32, 64]}
    search = fake_search(surroundings, space, strategy=strategy, folds=5)
    list(search.run())
    assert sum(one.is_complete for one in search.state.combinations) < len(search.state.combinations)
    found = search.zoom()
    tried = {one.name: one.tried for one in found.refinements}
    assert tried["hidden_units"] == [4, 8, 16, 32, 64]
    assert tried["batch_size"] == [32, 64]
