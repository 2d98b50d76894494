"""A plan runs once what serves several, in an order that never changes, and says what it could not share."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import SpecError
from engine.plan.plan import Plan, make_plan
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec

DECAY = {"schedule": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_rate": 0.9}


def _plan(space: dict[str, Any] | list[dict[str, Any]], rows: tuple[int, ...] = (), **values: Any) -> Plan:
    spec = SearchSpec.from_values({"dataset": "reuters", "space": space, **values})
    return make_plan(spec, combinations_of(spec), rows)


def test_epochs_share_one_training() -> None:
    plan = _plan({"epochs": [10, 5, 20]})
    assert plan.fits == 9
    assert plan.unshared_epochs == 105
    assert plan.epochs == 60
    assert len(plan.trainings) == 3
    for training in plan.trainings:
        assert training.epochs == 20
        assert training.params == {"epochs": 20}
        assert [(fit.combination, fit.epochs) for fit in training.fits] == [(1, 5), (0, 10), (2, 20)]
    assert plan.notes == ()


def test_rows_fewer_than_the_default_batch_are_one_batch_where_nobody_chose_its_size() -> None:
    few: dict[str, Any] = {"dataset": "reuters", "subsample": 50}
    spec = SearchSpec.from_values({**few, "space": {"epochs": 2}})
    plan = make_plan(spec, combinations_of(spec))
    assert (plan.fits, plan.epochs) == (3, 6)
    assert plan.notes == (
        "1 combinations name no batch_size, and the default, 128, is more than the 33 training rows of a fold: each of "
        "their epochs is one batch",
    )
    # Refused where somebody did choose it, before and after the data are read.
    with pytest.raises(SpecError, match=r"space.batch_size\[0\]: 128 is not accepted; accepted: at most 33"):
        SearchSpec.from_values({**few, "space": {"batch_size": 128}})
    with pytest.raises(SpecError, match=r"space\.batch_size: 34 is not accepted; accepted: at most 33"):
        make_plan(spec, [{"batch_size": 34}])
    # All rows by default are all rows by name.
    same = make_plan(spec, [{}, {"batch_size": 33}], fold_rows=(33, 33, 33))
    assert [one.same_as for one in same.combinations] == [None, 0]


def test_only_epochs_are_shared() -> None:
    plan = _plan({"epochs": [5, 10], "batch_size": [64, 128], "dropout": [0.0, 0.5]})
    assert (plan.fits, len(plan.trainings), plan.epochs) == (24, 12, 120)


def test_a_schedule_over_the_whole_training_is_not_shared_and_the_plan_says_why() -> None:
    plan = _plan({"epochs": [5, 10], "learning_rate": {**DECAY, "decay_epochs": "all"}})
    assert (len(plan.trainings), plan.epochs) == (6, 45)
    assert len(plan.notes) == 1
    assert "stretch" in plan.notes[0]
    shared = _plan({"epochs": [5, 10], "learning_rate": {**DECAY, "decay_epochs": 2}})
    assert (len(shared.trainings), shared.epochs, shared.notes) == (3, 30, ())
    # With one number of epochs there is nothing to share, and nothing to say.
    assert _plan({"epochs": 5, "learning_rate": {**DECAY, "decay_epochs": "all"}}).notes == ()


@pytest.mark.parametrize(
    "twins",
    [
        {"optimizer": ["sgd", {"name": "sgd", "momentum": 0.0}]},
        {"optimizer": [{"name": "adam", "amsgrad": False, "beta_1": 0.9}, "ADAM"]},
        {"learning_rate": [{**DECAY, "decay_epochs": 1}, {**DECAY, "decay_steps": 47}]},
        {"learning_rate": [{**DECAY, "decay_steps": 47}, {**DECAY, "decay_steps": 47, "staircase": False}]},
        {"learning_rate": [{**DECAY, "decay_epochs": "all"}, {**DECAY, "decay_epochs": 10}]},
        {"optimizer": ["adam"], "learning_rate": [0.001, 1e-3]},
        {"hidden_units": [64, [64, 64]]},
        {"activation": ["swish", "silu"]},
        {"dropout": [0, 0.0]},
        # All the others are compared bit for bit in training_tests/test_equal_effects.py.
        {"optimizer": ["sgd", {"name": "sgd", "nesterov": True}]},
        {"hidden_layers": 0, "activation": ["relu", "celu"]},
        {"learning_rate": [0.1, {**DECAY, "decay_rate": 1.0, "decay_epochs": "all"}]},
    ],
)
def test_equal_effect_runs_once_and_serves_both(twins: dict[str, Any]) -> None:
    # Reuters leaves 5,988 rows of three folds: 47 steps of 128.
    plan = _plan({"epochs": 10, **twins})
    assert [combination.same_as for combination in plan.combinations] == [None, 0]
    assert len(plan.trainings) == 3
    assert all([fit.combination for fit in training.fits] == [0, 1] for training in plan.trainings)
    assert "same effect" in plan.notes[0]


def test_a_default_learning_rate_equals_the_same_one_written_out() -> None:
    plan = _plan([{"optimizer": ["sgd"]}, {"optimizer": ["sgd"], "learning_rate": [0.01]}, {"optimizer": ["adam"]}])
    assert [combination.same_as for combination in plan.combinations] == [None, 0, None]


def test_schedules_in_epochs_and_steps_differ_where_folds_do() -> None:
    # 129 rows are 2 steps, 128 are 1: the same words mean another schedule on each fold.
    space = {"epochs": 3, "learning_rate": [{**DECAY, "decay_epochs": 1}, {**DECAY, "decay_steps": 1}]}
    assert [c.same_as for c in _plan(space, rows=(129, 128, 128)).combinations] == [None, None]
    assert [c.same_as for c in _plan(space, rows=(128, 128, 128)).combinations] == [None, 0]


def test_the_order_is_always_the_same_and_the_longest_come_first() -> None:
    space = {"epochs": [2, 40, 7], "hidden_units": [16, 128], "batch_size": [128, 32], "optimizer": ["sgd", "adam"]}
    plan = _plan(space, folds=5)
    assert plan == _plan(space, folds=5)
    costs = [training.cost for training in plan.trainings]
    assert min(costs) > 0
    assert costs == sorted(costs, reverse=True)
    assert [training.number for training in plan.trainings] == list(range(len(costs)))
    assert plan.cost == sum(costs)
    served = [(fit.combination, training.fold) for training in plan.trainings for fit in training.fits]
    assert sorted(served) == [(index, fold) for index in range(24) for fold in range(5)]
    first = plan.trainings[0]
    assert first.params == {"batch_size": 32, "epochs": 40, "hidden_units": 128, "optimizer": "adam"}


def test_repeats_are_splits_like_folds() -> None:
    plan = _plan({"epochs": [3]}, folds=4, repeats=3)
    assert (plan.splits, plan.fits, len(plan.trainings)) == (12, 12, 12)
    assert sorted(training.fold for training in plan.trainings) == list(range(12))


def test_each_combination_says_which_trainer_runs_it() -> None:
    space = {"optimizer": ["adam", "ftrl"], "activation": ["relu", "tanh"]}
    plan = _plan(space)
    by_params = {(c.params["optimizer"], c.params["activation"]): c for c in plan.combinations}
    assert by_params["adam", "relu"].trainer == "kernel"
    assert by_params["ftrl", "relu"].trainer == "keras"
    assert "ftrl" in by_params["ftrl", "relu"].trainer_reason
    assert any("ftrl" in note for note in plan.notes)
    assert {c.trainer for c in _plan(space, trainer="keras").combinations} == {"keras"}


def test_a_batch_must_fit_into_every_fold() -> None:
    with pytest.raises(SpecError, match=r"batch_size: 100 .* at most 99"):
        _plan({"batch_size": [50, 100]}, rows=(120, 99))


def test_the_empty_space_is_one_combination_of_defaults() -> None:
    plan = _plan({})
    assert [combination.params for combination in plan.combinations] == [{}]
    assert plan.epochs == 30
