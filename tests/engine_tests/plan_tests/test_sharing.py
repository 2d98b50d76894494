"""Which training serves which fit has one answer: the plan's, the queue's and that of whoever only reads events."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan.plan import Plan, make_plan
from engine.plan.sharing import epochs_due
from engine.plan.workload import workload_of
from engine.search.queue import TrainingQueue
from engine.session import events
from engine.session.state import SearchState
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec

ROWS, FOLDS = 300, 3
DECAY = {"schedule": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_rate": 0.9}
SPACES: dict[str, list[dict[str, Any]]] = {
    "epochs": [{"epochs": [5, 10, 20], "dropout": [0.0, 0.5]}],
    "a penalty without hidden layers": [{"epochs": [5, 10], "hidden_layers": [0], "l2": [0.0, 0.1]}],
    "equal effects after different numbers of epochs": [
        {"epochs": [5], "optimizer": {"name": "sgd", "nesterov": True}},
        {"epochs": [10], "optimizer": "sgd"},
    ],
    "a schedule in steps and in epochs": [
        {"epochs": [5], "batch_size": [20], "learning_rate": {**DECAY, "decay_epochs": 2}},
        {"epochs": [10], "batch_size": [20], "learning_rate": {**DECAY, "decay_steps": 20}},
    ],
    "a schedule over the whole training": [{"epochs": [5, 10], "learning_rate": {**DECAY, "decay_epochs": "all"}}],
    "a batch of all rows": [{"epochs": [5], "batch_size": [200]}, {"epochs": [10], "batch_size": [200]}],
}


def _plan(space: list[dict[str, Any]]) -> Plan:
    spec = SearchSpec.from_values({"dataset": "sample", "subsample": ROWS, "folds": FOLDS, "space": space})
    return make_plan(spec, combinations_of(spec))


def _begun(plan: Plan) -> SearchState:
    state = SearchState()
    state.apply(
        events.SearchStarted(
            time=1.0,
            session="a",
            segment=1,
            dataset="sample",
            synthetic=True,
            rows=ROWS,
            classes=46,
            splits=FOLDS,
            scoring=["accuracy"],
            workers=1,
            trainings=len(plan.trainings),
            cost=plan.cost,
            host="here",
            pid=1,
            num_words=10_000,
            folds=FOLDS,
        )
    )
    state.apply(events.CombinationsAdded(time=1.0, combinations=list(plan.combinations)))
    return state


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_who_reads_events_counts_the_trainings_of_the_plan(space: list[dict[str, Any]]) -> None:
    plan = _plan(space)
    state = _begun(plan)
    workload = workload_of(state)
    assert workload is not None
    assert len(workload) == len(plan.trainings)
    assert workload.parts_waiting == pytest.approx(plan.parts)
    assert workload.squares_waiting == pytest.approx(plan.squares)
    queue = TrainingQueue(plan, state)
    queue.fill()
    assert len(queue) == len(plan.trainings)
    taken = [queue.take([], None) for _ in plan.trainings]
    assert [one and tuple(one[1]) for one in taken] == [training.fits for training in plan.trainings]


def test_a_fit_is_due_as_far_as_its_strategy_allows_and_not_twice() -> None:
    state = _begun(_plan([{"epochs": [9]}]))
    (combination,) = state.combinations
    assert [epochs_due(combination, fold, 9) for fold in range(FOLDS)] == [9, 9, 9]
    combination.epochs_allowed, combination.folds_allowed = 3, 2
    assert [epochs_due(combination, fold, 9) for fold in range(FOLDS)] == [3, 3, 0]
    rung = events.RungScored(
        time=2.0, combination=0, fold=1, training=1, epochs=3, scores={"accuracy": 0.5}, seconds=1.0
    )
    state.apply(rung)
    assert [epochs_due(combination, fold, 9) for fold in range(FOLDS)] == [3, 0, 0]
    state.apply(events.CombinationDropped(time=3.0, combination=0, reason="asked"))
    assert [epochs_due(combination, fold, 9) for fold in range(FOLDS)] == [0, 0, 0]
