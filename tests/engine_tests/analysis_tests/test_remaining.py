"""The remaining time: learned from what ran, for what is still to run, and never surer than what was seen allows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.analysis.forecast.remaining import forecast, interval, remaining_seconds
from engine.plan.cost import cost_of
from engine.plan.pace import Pace
from engine.plan.workload import Workload, workload_of
from engine.session import events
from engine.session.events import PlannedCombination, ServedFit
from engine.session.search_facts import MOST_ENDED
from engine.session.state import SearchState
from engine.spec.resolved import resolved_params_of

NOON = 1_000_000.0
SPLITS = 3


def workload(state: SearchState) -> Workload:
    found = workload_of(state)
    assert found is not None
    return found


def started(combinations: list[dict[str, Any]], *, workers: int = 1, **changes: Any) -> SearchState:
    state = SearchState()
    values: dict[str, Any] = {"rows": 3000, "splits": SPLITS, "num_words": 1000, "workers": workers, "segment": 1}
    state.apply(
        events.SearchStarted(
            time=NOON,
            session="a",
            dataset="sample",
            synthetic=True,
            classes=46,
            scoring=["accuracy"],
            trainings=0,
            cost=0.0,
            host="here",
            pid=1,
            **{**values, **changes},
        )
    )
    planned = [PlannedCombination(index=i, params=p, trainer="kernel") for i, p in enumerate(combinations)]
    state.apply(events.CombinationsAdded(time=NOON, combinations=planned))
    for worker in range(workers):
        state.apply(events.WorkerStarted(time=NOON, worker=worker, pid=worker, device="cpu"))
    return state


def begin(state: SearchState, combination: int, fold: int, time: float, *, worker: int = 0) -> int:
    number, epochs = combination * SPLITS + fold, state.combinations[combination].params["epochs"]
    state.apply(
        events.TrainingStarted(
            time=time,
            training=number,
            worker=worker,
            fold=fold,
            fits=[ServedFit(combination, epochs)],
            epochs=epochs,
            steps_per_epoch=10,
            cost=1.0,
            trainer="kernel",
            seed=1,
        )
    )
    return number


def end(state: SearchState, combination: int, fold: int, time: float, **changes: Any) -> None:
    epochs = state.combinations[combination].params["epochs"]
    state.apply(
        events.FitScored(
            time=time,
            combination=combination,
            fold=fold,
            training=combination * SPLITS + fold,
            epochs=epochs,
            scores={"accuracy": 0.5},
            seconds=1.0,
            **changes,
        )
    )


def planned_cost(params: dict[str, Any]) -> float:
    return cost_of(resolved_params_of(params), "kernel", 2000, 1000).seconds(params["epochs"])


def test_nothing_is_said_before_anything_was_seen() -> None:
    state = started([{"epochs": 10}])
    assert remaining_seconds(state, NOON + 1) is None
    guess = forecast(state, NOON)
    assert guess is not None
    assert guess.estimate == pytest.approx(3 * planned_cost({"epochs": 10}))
    assert guess.most > 1.5 * guess.least


@pytest.mark.parametrize("slowness", [0.2, 1.0, 30.0])
def test_a_machine_of_any_speed_is_learned(slowness: float) -> None:
    params = [{"epochs": 10, "hidden_units": units} for units in (128, 64, 32, 16)]
    state, now = started(params), NOON
    for combination in (0, 1):
        for fold in range(SPLITS):
            begin(state, combination, fold, now)
            now += slowness * planned_cost(params[combination])
            end(state, combination, fold, now)
    found = remaining_seconds(state, now)
    truth = slowness * SPLITS * sum(planned_cost(params[i]) for i in (2, 3))
    assert found is not None
    assert found[0] < truth < found[1]
    assert found[1] < 3 * found[0]


def test_what_makes_trainings_slow_is_learned_apart() -> None:
    """Adam's pass is ten times as slow here as planned, the rest is as planned: what waits is sgd only."""
    params = [{"epochs": 10, "optimizer": name, "l2": l2} for l2 in (0.0, 0.001) for name in ("adam", "sgd")]
    state, now = started(params), NOON
    for combination in (0, 1, 2):
        for fold in range(SPLITS):
            begin(state, combination, fold, now)
            parts = cost_of(resolved_params_of(params[combination]), "kernel", 2000, 1000).parts(10)
            now += sum(parts.values()) + 9 * parts.get("kernel adam", 0.0)
            end(state, combination, fold, now)
    found = forecast(state, now)
    assert found is not None
    assert found.estimate == pytest.approx(SPLITS * planned_cost(params[3]), rel=0.3)


def test_the_interval_is_wider_where_what_waits_is_unlike_what_was_seen() -> None:
    def spread(**unlike: Any) -> float:
        params: list[dict[str, Any]] = [{"epochs": 10, "optimizer": "sgd", "l2": 0.01 * i} for i in range(4)]
        state, now = started([*params, {"epochs": 10, "optimizer": "sgd", **unlike}]), NOON
        for combination in range(4):
            for fold in range(SPLITS):
                begin(state, combination, fold, now)
                now += planned_cost(params[combination])
                end(state, combination, fold, now)
        found = remaining_seconds(state, now)
        assert found is not None
        return found[1] / found[0]

    assert spread(optimizer="nadam", activation="tanh") > 1.2 * spread(dropout=0.1)


def test_a_training_that_runs_is_worth_the_epochs_it_has_shown() -> None:
    state = started([{"epochs": 10}], workers=SPLITS)
    for fold in range(SPLITS):
        number = begin(state, 0, fold, NOON, worker=fold)
        for epoch in range(1, 6):
            state.apply(
                events.EpochEnded(
                    time=NOON + 2 * epoch,
                    training=number,
                    epoch=epoch,
                    loss=1.0,
                    validation_loss=1.0,
                    validation_score=0.5,
                    learning_rate=0.1,
                )
            )
    found = remaining_seconds(state, NOON + 10)
    assert found is not None
    assert found[0] < 10 < found[1]
    # Time that passes without an epoch is not taken off twice, and never makes less than what follows the epoch.
    later = remaining_seconds(state, NOON + 100)
    assert later is not None
    assert later[1] > 6


def test_a_pause_takes_nothing_away() -> None:
    state, now = started([{"epochs": 10, "l2": l2} for l2 in (0.0, 0.1)]), NOON
    for fold in range(SPLITS):
        begin(state, 0, fold, now)
        now += 5
        end(state, 0, fold, now)
    begin(state, 1, 0, now)
    state.apply(events.SearchPaused(time=now + 1))
    before = remaining_seconds(state, now + 1)
    assert before is not None
    assert remaining_seconds(state, now + 10_000) == before
    state.apply(events.SearchResumed(time=now + 10_000))
    assert remaining_seconds(state, now + 10_000) == pytest.approx(before)


def test_the_last_trainings_are_not_shared_between_workers() -> None:
    """Three equal trainings on two workers take two turns, not one and a half."""
    state = started([{"epochs": 10}], workers=2)
    found = forecast(state, NOON)
    assert found is not None
    assert found.estimate == pytest.approx(2 * planned_cost({"epochs": 10}))


def test_shared_epochs_twins_and_dropped_ones_are_not_counted() -> None:
    state = started([{"epochs": 5}, {"epochs": 20}, {"epochs": 20, "l2": 0.1}])
    assert len(workload(state)) == 2 * SPLITS
    state.apply(events.CombinationDropped(time=NOON, combination=2, reason="asked"))
    assert len(workload(state)) == SPLITS
    found = forecast(state, NOON)
    assert found is not None
    assert found.estimate == pytest.approx(SPLITS * planned_cost({"epochs": 20}))
    state.apply(events.CombinationDropped(time=NOON, combination=1, reason="asked"))
    shorter = forecast(state, NOON)
    assert shorter is not None
    assert shorter.estimate == pytest.approx(SPLITS * planned_cost({"epochs": 5}))
    state.apply(events.CombinationRestored(time=NOON, combination=2))
    assert len(workload(state)) == 2 * SPLITS


def test_what_waits_is_the_same_however_it_came_about() -> None:
    """Kept from event to event, or worked out at the end: the same."""
    generator = random.Random(5)
    params = [
        {"epochs": e, "batch_size": b, "optimizer": o} for e in (2, 4) for b in (64, 128) for o in ("sgd", "adam")
    ]
    often, once = started(params), started(params)
    for step in range(300):
        index, fold = generator.randrange(len(params)), generator.randrange(SPLITS)
        what = generator.choice(["begin", "end", "drop", "restore"])
        for state in (often, once):
            if what == "begin" and not state.combinations[index].fits[fold].status.is_finished:
                begin(state, index, fold, NOON + step)
            elif what == "end":
                end(state, index, fold, NOON + step)
            elif what == "drop":
                state.apply(events.CombinationDropped(time=NOON + step, combination=index, reason="asked"))
            elif what == "restore":
                state.apply(events.CombinationRestored(time=NOON + step, combination=index))
            workload(often).pace.fit()
        len(workload(often))
    assert len(workload(often)) == len(workload(once))
    assert workload(often).parts_waiting == pytest.approx(workload(once).parts_waiting)
    assert workload(often).squares_waiting == pytest.approx(workload(once).squares_waiting)
    assert remaining_seconds(often, NOON + 300) == pytest.approx(remaining_seconds(once, NOON + 300))


def test_diverged_trainings_say_nothing_of_the_pace() -> None:
    state = started([{"epochs": 10, "l2": l2} for l2 in (0.0, 0.1)])
    begin(state, 0, 0, NOON)
    end(state, 0, 0, NOON + 1, diverged=True)
    assert remaining_seconds(state, NOON + 1) is None


def test_an_accident_counts_only_up_to_a_limit() -> None:
    parts = {"kernel rows": 1.0}
    pace = Pace()
    for seconds in (1.0, 1.0, 1.0, 1000.0):
        pace.learn(parts, seconds)
    assert pace.fit().seconds(parts) < 2


def test_a_pace_that_changes_makes_the_interval_wider_than_noise_does() -> None:
    def deviation(seconds: list[float]) -> float:
        pace = Pace()
        for one in seconds:
            pace.learn({"kernel rows": 1.0}, one)
        return pace.fit().deviation({"kernel rows": 100.0}, 100.0)

    noise = deviation([1.0, 1.5] * 15)
    changes = deviation([1.0] * 10 + [1.5] * 10 + [1.0] * 10)
    assert changes > 1.1 * noise


def test_times_too_long_and_too_short_are_equally_bad() -> None:
    least, most = interval(100.0, 0.2, 1e9)
    assert least * most == pytest.approx(100.0**2)
    assert most / 100 == pytest.approx(1 + 0.2 * 1.2816)
    assert interval(100.0, 0.2, 2.0)[1] > most


def test_a_record_with_parameters_that_no_spec_accepts_is_still_read() -> None:
    state = started([{"epochs": "many", "optimizer": ["?"], "hidden_units": {}}, {"epochs": 10, "batch_size": 0}])
    assert forecast(state, NOON) is not None


def test_what_ended_long_ago_counts_for_nothing() -> None:
    """So that a reader of a long record need not learn from all of it."""
    chance = random.Random(0)
    trainings = [({"a": chance.uniform(1, 2), "b": chance.uniform(1, 2)}, chance.uniform(1, 9)) for _ in range(1000)]
    whole, latest = Pace(), Pace()
    for number, (parts, seconds) in enumerate(trainings):
        whole.learn(parts, seconds)
        if number >= len(trainings) - MOST_ENDED:
            latest.learn(parts, seconds)
    assert latest.evidence == pytest.approx(whole.evidence, rel=1e-12)
    ours, theirs = ({name: fit.seconds({name: 1.0}) for name in ("a", "b")} for fit in (latest.fit(), whole.fit()))
    assert ours == pytest.approx(theirs, rel=1e-9)
