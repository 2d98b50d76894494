"""Deadlines: what one means, what is said of one that is too early, and a search that ends by it and goes on later."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.analysis.forecast.deadline import Deadline, DeadlineWatch, forecast_of_plan, request_of
from engine.errors import UsageError
from engine.plan.plan import make_plan
from engine.search.queue import TrainingQueue
from engine.search.search import Search
from engine.session import events
from engine.session.narration import describe
from engine.session.requests import SetDeadline
from engine.session.session import open_session
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.engine_tests.analysis_tests.test_remaining import NOON, begin, end, planned_cost, started
from tests.fakes import FAKE_WORKER, FAULT_VARIABLE, Clock, Fault, fake_search, told

AFTERNOON = datetime(2026, 3, 4, 15, 30)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("20m", 1200), (" 2H ", 7200), ("1.5h", 5400), ("1d", 86_400)]
)
def test_a_span_counts_from_when_it_is_told(text: str, seconds: float) -> None:
    assert Deadline.read(text) == Deadline(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:00", AFTERNOON.replace(hour=18, minute=0)),
        ("9:05", AFTERNOON.replace(hour=9, minute=5) + timedelta(days=1)),
        ("15:30", AFTERNOON + timedelta(days=1)),
        ("2026-03-05T08:00", datetime(2026, 3, 5, 8)),
        ("2026-03-05 08:00:30", datetime(2026, 3, 5, 8, 0, 30)),
        ("2026-03-05T08:00+00:00", datetime(2026, 3, 5, 8, tzinfo=UTC)),
    ],
)
def test_a_named_time_is_the_next_one(text: str, moment: datetime) -> None:
    assert Deadline.read(text, AFTERNOON.astimezone()) == Deadline(at=moment.timestamp())


def test_none_is_no_deadline() -> None:
    assert Deadline.read("None") is None


@pytest.mark.parametrize(
    "text", ["", "soon", "20", "0s", "-5m", "24:00", "12:60", "2020-01-01", "99999999d", "1e9s", "\x1b[2J"]
)
def test_anything_else_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError, match=r"not accepted; accepted, in the future: a span such as 90s"):
        Deadline.read(text)


@pytest.mark.parametrize("deadline", [None, Deadline(at=5.0), Deadline(seconds=7.0)])
def test_a_request_says_the_same(deadline: Deadline | None) -> None:
    assert Deadline.of(request_of(deadline)) == deadline


def test_a_span_is_deaf_to_a_clock_that_jumps_and_says_the_moment_anew() -> None:
    wall, monotonic = Clock(NOON), Clock(50.0)
    watch = DeadlineWatch(started([{"epochs": 1}]), wall, monotonic)
    assert watch.set(Deadline(seconds=600)).at == NOON + 600
    for jump in (86_400, -2 * 86_400):
        wall.now += jump
        monotonic.now += 60
        said = [event for event in watch.look() if isinstance(event, events.DeadlineSet)]
        assert not watch.is_over
        assert [event.at for event in said] == [wall.now + watch.seconds_left]
    assert watch.seconds_left == 480
    monotonic.now += 480
    assert watch.is_over


def test_a_named_time_is_what_the_wall_clock_says() -> None:
    wall, monotonic = Clock(NOON), Clock(50.0)
    watch = DeadlineWatch(started([{"epochs": 1}]), wall, monotonic)
    watch.set(Deadline(at=NOON + 600))
    monotonic.now += 86_400
    assert watch.seconds_left == 600
    wall.now += 86_400
    assert watch.is_over
    watch.set(None)
    assert not watch.is_over


def _watched(left: float) -> DeadlineWatch:
    """A search at exactly the planned pace, one of three values done, with so much time left."""
    params = [{"epochs": 40, "l2": 0.1, "hidden_units": units} for units in (64, 32, 16)]
    state, now = started(params), NOON
    for fold in range(3):
        begin(state, 0, fold, now)
        now += planned_cost(params[0])
        end(state, 0, fold, now)
    watch = DeadlineWatch(state, Clock(now), Clock(0.0))
    watch.set(Deadline(seconds=left))
    return watch


def test_nothing_is_said_of_a_deadline_that_is_met() -> None:
    watch = _watched(3600)
    assert watch.look() == []


def test_a_delay_is_foreseen_once_with_what_would_help() -> None:
    watch = _watched(2 * planned_cost({"epochs": 40, "l2": 0.1, "hidden_units": 32}))
    (delay,) = watch.look()
    assert isinstance(delay, events.DelayForeseen)
    assert delay.is_certain
    assert delay.least > delay.left
    assert delay.proposals[0].startswith("dropping the 1 combination with hidden_units=")
    assert "subsample" in delay.proposals[-1]
    assert watch.look() == []


def test_nothing_is_foreseen_where_nothing_is_left_to_train() -> None:
    state, now = started([{"epochs": 5}]), NOON
    for fold in range(3):
        training = begin(state, 0, fold, now)
        now += 1
        if fold < 2:
            end(state, 0, fold, now)
    # The last fit's epochs are over, its score is on its way.
    for epoch in range(1, 6):
        state.apply(
            events.EpochEnded(
                time=now,
                training=training,
                epoch=epoch,
                loss=0.1,
                validation_loss=0.1,
                validation_score=0.9,
                learning_rate=0.01,
            )
        )
    watch = DeadlineWatch(state, Clock(now), Clock(0.0))
    watch.set(Deadline(at=1.0))
    assert watch.is_over
    assert watch.look() == []
    spec = SearchSpec.from_values({"dataset": "reuters", "space": {"epochs": 5}})
    plan = make_plan(spec, combinations_of(spec))
    late = forecast_of_plan(spec, plan, 2, Deadline(at=1.0))[1]
    assert late is not None
    assert not any("subsample" in proposal for proposal in late.proposals)


def test_only_what_ends_in_time_may_start() -> None:
    one = planned_cost({"epochs": 40, "l2": 0.1, "hidden_units": 32})
    watch = _watched(0.9 * one)
    may_start = watch.may_start()
    assert not may_start([events.ServedFit(1, 40)])
    assert watch.refused
    assert may_start([events.ServedFit(2, 40)])


def test_a_plan_says_the_same_before_anything_runs() -> None:
    spec = SearchSpec.from_values({"dataset": "reuters", "space": {"epochs": [5, 40], "batch_size": [64, 128]}})
    plan = make_plan(spec, combinations_of(spec))
    found, delay = forecast_of_plan(spec, plan, 2, Deadline(seconds=1.0))
    assert found.least < plan.cost / 2 < found.most
    assert delay is not None
    assert not delay.is_certain
    said = describe(delay, started([]))
    assert said is not None
    assert said.startswith("it may take ")
    assert "epochs=40" in said
    assert forecast_of_plan(spec, plan, 2, Deadline(seconds=1e6))[1] is None
    assert forecast_of_plan(spec, plan, 2, None)[1] is None


def test_what_was_scored_says_what_a_saving_costs() -> None:
    state = started([{"epochs": epochs, "l2": l2} for l2 in (0.0, 0.1, 0.2) for epochs in (5, 40)])
    now = NOON
    for combination, score in ((0, 0.800), (1, 0.802), (2, 0.700), (3, 0.702)):
        for fold in range(3):
            begin(state, combination, fold, now)
            now += 2
            state.apply(
                events.FitScored(
                    time=now,
                    combination=combination,
                    fold=fold,
                    training=combination * 3 + fold,
                    epochs=5,
                    scores={"accuracy": score},
                    seconds=1.0,
                )
            )
    watch = DeadlineWatch(state, Clock(now), Clock(0.0))
    watch.set(Deadline(seconds=1.0))
    (delay,) = watch.look()
    assert isinstance(delay, events.DelayForeseen)
    said = [text for text in delay.proposals if "epochs=40" in text]
    assert len(said) == 1
    assert "epochs=40 is 0.0020 above epochs=5 in accuracy, over 6 pairs of fits" in said[0]


def test_where_not_all_can_end_in_time_whole_combinations_come_first() -> None:
    spec = SearchSpec.from_values(
        {"dataset": "sample", "space": {"epochs": 40, "l2": 0.1, "hidden_units": [16, 32, 64]}}
    )
    plan = make_plan(spec, combinations_of(spec))
    state = started([one.params for one in plan.combinations])
    waiting = TrainingQueue(plan, state)

    def taken() -> list[tuple[int, int]]:
        found = []
        while (next_one := waiting.take([], None)) is not None:
            found.append((next_one[1][0].combination, next_one[0].fold))
        return found

    waiting.fill()
    assert [combination for combination, _ in taken()] == [2, 2, 2, 1, 1, 1, 0, 0, 0]
    begin(state, 1, 2, NOON)
    end(state, 1, 2, NOON + 1)
    waiting.fill()
    waiting.prefer_complete()
    assert taken() == [(1, 0), (1, 1), (0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)]


def test_a_search_ends_by_its_deadline_and_is_completed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    for name, value in told(Fault("gate", epoch=1, units=32, path=str(gate))).items():
        monkeypatch.setenv(name, value)
    sessions = tmp_path / "sessions"
    search = fake_search(sessions, {"epochs": [1], "hidden_units": [32, 16]}, workers=1, deadline="1s", name="late")
    said = list(search.run())
    assert search.outcome == "stopped"
    assert [type(event).__name__ for event in said].count("DeadlineSet") == 1
    state = open_session("late", sessions).state()
    assert state.message.startswith("the deadline, ")
    assert f"foldwatch resume late --sessions {sessions}" in state.message
    assert state.fits_finished < state.fits_total
    monkeypatch.delenv(FAULT_VARIABLE)
    again = Search.of_session("late", sessions=sessions, worker_command=FAKE_WORKER)
    for _ in again.run():
        pass
    assert again.outcome == "completed"
    assert again.state.deadline is None


@pytest.mark.parametrize(("given", "kept"), [(None, True), ("none", False)])
def test_a_deadline_outlives_its_engine(
    given: str | None, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    for name, value in told(Fault("gate", path=str(gate))).items():
        monkeypatch.setenv(name, value)
    sessions = tmp_path / "sessions"
    search = fake_search(sessions, {"epochs": [1]}, workers=1, deadline="1h", name="a")
    for event in search.run():
        if isinstance(event, events.DeadlineSet):
            search.stop(at_once=True)
    first = search.state.deadline
    assert first is not None
    monkeypatch.delenv(FAULT_VARIABLE)
    again = Search.of_session("a", sessions=sessions, worker_command=FAKE_WORKER, deadline=given)
    list(again.run())
    assert again.outcome == "completed"
    assert again.state.deadline == (pytest.approx(first, abs=0.01) if kept else None)


def test_a_running_search_is_told_of_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    for name, value in told(Fault("gate", epoch=1, path=str(gate))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(tmp_path / "sessions", {"epochs": [1]}, workers=1)
    told_of: list[float | None] = []
    for event in search.run():
        if isinstance(event, events.TrainingStarted):
            search.set_deadline("1h")
        if isinstance(event, events.DeadlineSet):
            told_of.append(event.at)
            if len(told_of) == 1:
                search.set_deadline("none")
            elif len(told_of) == 2:
                assert search.session is not None
                search.session.request(SetDeadline(seconds=0.01))
    assert search.outcome == "stopped"
    assert [at is None for at in told_of] == [False, True, False]
