"""The reducer: what each event makes of a search, and numbers equal to NumPy's and scikit-learn's to the last bit."""

from __future__ import annotations

import math
import typing
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from engine.formatting.times import moment_in_words
from engine.plan.workload import Workload, workload_of
from engine.session import events
from engine.session.combination import CombinationStatus, FitRecord, FitStatus, RungRecord
from engine.session.events import PlannedCombination, ServedFit
from engine.session.journal_reader import Damage
from engine.session.narration import describe
from engine.session.ranking import mean_and_deviation, ranks
from engine.session.record_limits import MOST_LOST
from engine.session.rules.combinations import LOST
from engine.session.search_status import SearchStatus
from engine.session.state import RULES, SearchState

NOON = 1000.0


def workload(state: SearchState) -> Workload:
    found = workload_of(state)
    assert found is not None
    return found


def _started(time: float = NOON, segment: int = 1, **changes: Any) -> events.SearchStarted:
    values: dict[str, Any] = {
        "session": "a",
        "dataset": "sample",
        "synthetic": True,
        "rows": 100,
        "classes": 46,
        "splits": 2,
        "scoring": ["accuracy", "f1_macro"],
        "workers": 2,
        "trainings": 4,
        "cost": 40.0,
        "host": "here",
        "pid": 1,
    }
    return events.SearchStarted(time=time, segment=segment, **{**values, **changes})


def _added(count: int = 3) -> events.CombinationsAdded:
    planned = [PlannedCombination(index=i, params={"epochs": i + 1}, trainer="kernel") for i in range(count)]
    return events.CombinationsAdded(time=NOON, combinations=planned)


def _training(number: int, fits: list[tuple[int, int]], *, fold: int = 0, worker: int = 0) -> events.TrainingStarted:
    return events.TrainingStarted(
        time=NOON + 1,
        training=number,
        worker=worker,
        fold=fold,
        fits=[ServedFit(*fit) for fit in fits],
        epochs=max(epochs for _, epochs in fits),
        steps_per_epoch=10,
        cost=10.0,
        trainer="kernel",
        seed=7,
    )


def _epoch(training: int, epoch: int) -> events.EpochEnded:
    return events.EpochEnded(
        time=NOON + 1 + epoch,
        training=training,
        epoch=epoch,
        loss=1.0,
        validation_loss=1.0,
        validation_score=0.5,
        learning_rate=0.1,
    )


def _scored(combination: int, fold: int, score: float | None, training: int = 0, **changes: Any) -> events.FitScored:
    values: dict[str, Any] = {"scores": {"accuracy": score, "f1_macro": score}, "seconds": 2.0, "epochs": 1}
    return events.FitScored(
        time=NOON + 5, combination=combination, fold=fold, training=training, **{**values, **changes}
    )


def _worker(number: int = 0) -> events.WorkerStarted:
    return events.WorkerStarted(time=NOON, worker=number, pid=100 + number, device="cpu")


def _state(*happened: events.Event) -> SearchState:
    state = SearchState()
    for event in (_started(), _added(), *happened):
        state.apply(event)
    return state


def _failed(combination: int, fold: int, training: int = 0) -> events.FitFailed:
    return events.FitFailed(
        time=NOON + 6, combination=combination, fold=fold, training=training, error="it broke", traceback="where"
    )


def test_there_is_a_rule_for_every_event() -> None:
    assert set(RULES) == set(typing.get_args(events.AnyEvent))


def test_a_new_search_waits() -> None:
    state = _state()
    assert state.status is SearchStatus.RUNNING
    assert [combination.status for combination in state.combinations] == [CombinationStatus.WAITING] * 3
    assert (state.fits_finished, state.fits_failed, state.fits_total) == (0, 0, 6)
    assert state.best is None
    assert state.changed == {0, 1, 2}
    assert math.isnan(state.combinations[0].mean("accuracy")[0])


def test_a_training_runs_its_fits_until_each_is_scored() -> None:
    state = _state(_worker(), _training(0, [(0, 1), (1, 3)]))
    assert [combination.fits[0].status for combination in state.combinations] == ["running", "running", "waiting"]
    assert [worker.training for worker in state.workers.values()] == [0]
    state.apply(_epoch(0, 1))
    state.apply(_scored(0, 0, 0.5))
    assert state.combinations[0].status is CombinationStatus.PARTIAL
    assert state.trainings[0].epoch == 1
    state.apply(_epoch(0, 1))  # an epoch that is seen again
    state.apply(_epoch(0, 3))
    state.apply(_scored(1, 0, 0.75))
    assert state.trainings == {}
    assert [worker.training for worker in state.workers.values()] == [None]
    assert state.fits_finished == 2


def test_what_happens_to_one_fit_changes_the_record_of_no_other() -> None:
    state = _state(_training(0, [(0, 1)]))
    rung = events.RungScored(
        time=NOON + 2, combination=0, fold=0, training=0, epochs=3, scores={"accuracy": 0.25}, seconds=1.5
    )
    state.apply(rung)
    combination = state.combinations[0]
    assert combination.fits[0] == FitRecord(seconds=1.5, rungs=(RungRecord(3, 0.25),))
    assert (combination.rung_epochs, combination.rung_scores(3)) == ([3], [0.25, None])
    state.apply(_scored(0, 0, 0.5, stopped_at=4))
    first, second = combination.fits
    assert first == FitRecord(
        FitStatus.SCORED, (0.5, 0.5), seconds=2.0, stopped_at=4, rungs=(RungRecord(3, 0.25),), older_revision=0
    )
    assert {fit for one in state.combinations[1:] for fit in one.fits} == {second} == {FitRecord()}
    assert combination.scores_of("f1_macro") == [0.5, None]
    with pytest.raises(ValueError, match="log_loss"):
        combination.scores_of("log_loss")


def test_a_combination_is_complete_when_every_fold_is_scored() -> None:
    state = _state(_scored(1, 0, 0.5), _scored(1, 1, 0.75), _scored(0, 0, 1.0))
    assert state.combinations[1].status is CombinationStatus.COMPLETE
    assert state.combinations[1].mean("accuracy") == (0.625, 0.125)
    assert state.combinations[1].total_seconds == 4.0
    assert state.best is state.combinations[1]
    assert state.ranked() == [(1, state.combinations[1])]


def test_the_first_of_equals_is_best_in_whatever_order_they_end() -> None:
    happened = [_scored(i, fold, 0.5) for i in (2, 0, 1) for fold in (0, 1)]
    state = _state(*happened)
    assert state.best is state.combinations[0]
    assert [(rank, one.index) for rank, one in state.ranked()] == [(1, 0), (1, 1), (1, 2)]


def test_best_is_always_the_first_of_the_ranking() -> None:
    generator = np.random.default_rng(3)
    state = SearchState()
    state.apply(_started())
    state.apply(_added(40))
    for index in generator.permutation(40):
        for fold in (0, 1):
            score = float(generator.choice([0.25, 0.5, 0.75]))
            state.apply(_scored(int(index), fold, score, diverged=score == 0.25 and fold == 0))
            ranked = state.ranked()
            assert state.best is (ranked[0][1] if ranked else None)


def test_a_combination_without_a_mean_is_best_only_where_none_has_one() -> None:
    undefined = [_scored(0, fold, None) for fold in (0, 1)]
    state = _state(*undefined)
    assert state.best is state.combinations[0]
    for fold in (0, 1):
        state.apply(_scored(1, fold, 0.1))
    assert state.best is state.combinations[1]


def test_a_score_that_counts_is_never_taken_back_or_changed() -> None:
    state = _state(_scored(0, 0, 0.5), _scored(0, 0, 0.9), _scored(0, 0, None, diverged=True), _failed(0, 0))
    assert state.combinations[0].scores_of("accuracy") == [0.5, None]
    assert state.combinations[0].fits[0].status is FitStatus.SCORED
    assert (state.fits_finished, state.fits_failed) == (1, 0)


def test_divergence_is_finished_but_not_failed_and_never_best() -> None:
    state = _state(_scored(0, 0, None, diverged=True), _scored(0, 1, 0.5))
    assert state.combinations[0].status is CombinationStatus.DIVERGED
    assert (state.fits_finished, state.fits_failed) == (2, 0)
    assert state.best is None
    assert all(map(math.isnan, state.combinations[0].mean("accuracy")))


def test_only_a_complete_combination_has_a_mean() -> None:
    state = _state(_scored(0, 0, 0.5))
    assert all(map(math.isnan, state.combinations[0].mean("accuracy")))
    assert state.combinations[0].mean_so_far("accuracy") == (0.5, 0.0)
    state.apply(_scored(0, 1, 0.75, scores={"accuracy": 0.75, "f1_macro": None}))
    assert state.combinations[0].mean("accuracy") == (0.625, 0.125)
    # A fold that cannot define a metric leaves it without a mean.
    assert all(map(math.isnan, state.combinations[0].mean("f1_macro")))


def test_an_engine_that_ended_without_saying_so_is_told_of_when_the_search_goes_on() -> None:
    again = _started(NOON + 60, segment=2)
    state = _state(_scored(0, 0, 0.5), again)
    lost = "search goes on (the previous engine did not record its end; its last event was at "
    assert (describe(again, state) or "").startswith(f"{lost}{moment_in_words(NOON + 5)})")
    state.apply(events.SearchPaused(time=NOON + 70))
    state.apply(later := _started(NOON + 80, segment=3))
    assert (describe(later, state) or "").startswith(lost)
    state.apply(events.SearchFinished(time=NOON + 90, outcome="stopped"))
    state.apply(last := _started(NOON + 95, segment=4))
    assert (describe(last, state) or "").startswith("search goes on: sample")


def test_a_failed_fit_is_retried_on_request() -> None:
    state = _state(_failed(0, 0), _scored(0, 1, 0.5))
    combination = state.combinations[0]
    assert str(combination.status) == "failed"
    assert [(fit.error, fit.traceback) for fit in combination.fits] == [("it broke", "where"), (None, "")]
    assert (state.fits_finished, state.fits_failed) == (2, 1)
    state.apply(events.CombinationRestored(time=NOON + 7, combination=0))
    assert combination.statuses == [FitStatus.WAITING, FitStatus.SCORED]
    assert [(fit.error, fit.traceback) for fit in combination.fits] == [(None, "")] * 2
    assert (state.fits_finished, state.fits_failed) == (1, 0)
    state.apply(_scored(0, 0, 0.5))
    assert str(combination.status) == "complete"


@pytest.mark.parametrize("how", ["died", "recycled", "retried", "new engine", "finished"])
def test_fits_of_a_training_that_is_lost_wait_again(how: str) -> None:
    lost: dict[str, events.Event] = {
        "died": events.WorkerDied(time=NOON + 9, worker=0, pid=100, signal="SIGKILL", training=0),
        "recycled": events.WorkerRecycled(time=NOON + 9, worker=0, pid=100, reason="memory"),
        "retried": events.FitRetried(time=NOON + 9, combination=1, fold=0, training=0, reason="it died"),
        "new engine": _started(NOON + 9, segment=2),
        "finished": events.SearchFinished(time=NOON + 9, outcome="interrupted"),
    }
    state = _state(_worker(), _training(0, [(0, 1), (1, 3)]), _epoch(0, 1), _scored(0, 0, 0.5), lost[how])
    assert [combination.fits[0].status for combination in state.combinations] == ["scored", "waiting", "waiting"]
    assert state.trainings == {}
    assert all(worker.training is None for worker in state.workers.values())


def test_work_that_was_lost_waits_again() -> None:
    dead = events.WorkerDied(time=NOON + 9, worker=0, pid=100, exit_code=1, training=0)
    state = _state(_worker(), _training(0, [(0, 1), (1, 2), (2, 3)]))
    waiting = len(workload(state))
    state.apply(dead)
    assert len(workload(state)) == waiting + 1


def test_a_dropped_combination_counts_no_more_and_can_be_restored() -> None:
    dropped = events.CombinationDropped(time=NOON + 6, combination=1, reason="asked", evidence="seen")
    state = _state(_worker(), _training(0, [(0, 1), (1, 3)]), dropped)
    combination = state.combinations[1]
    assert str(combination.status) == "dropped"
    assert (combination.dropped, combination.evidence) == ("asked", "seen")
    assert state.fits_total == 4
    assert combination.statuses == [FitStatus.WAITING] * 2
    assert state.combinations[0].fits[0].status is FitStatus.RUNNING
    state.apply(_scored(0, 0, 0.5))
    assert state.trainings == {}
    state.apply(events.CombinationRestored(time=NOON + 7, combination=1))
    assert str(combination.status) == "waiting"
    assert state.fits_total == 6


def test_dropping_all_that_a_training_serves_frees_its_worker() -> None:
    dropped = events.CombinationDropped(time=NOON + 6, combination=1, reason="asked")
    state = _state(_worker(), _training(0, [(1, 3)]), dropped)
    assert state.trainings == {}
    assert state.workers[0].training is None


def test_dropping_a_complete_combination_leaves_it_complete() -> None:
    dropped = events.CombinationDropped(time=NOON + 6, combination=0, reason="asked")
    state = _state(_scored(0, 0, 0.5), _scored(0, 1, 0.5), dropped)
    assert state.combinations[0].status is CombinationStatus.COMPLETE
    assert (state.fits_total, state.best) == (6, state.combinations[0])


def test_time_leaves_pauses_out_and_adds_up_over_engines() -> None:
    state = _state()
    assert state.elapsed(NOON + 5) == 5
    state.apply(events.SearchPaused(time=NOON + 10))
    assert str(state.status) == "paused"
    assert state.elapsed(NOON + 50) == 10
    state.apply(events.SearchResumed(time=NOON + 60))
    assert state.elapsed(NOON + 65) == 15
    state.apply(events.SearchFinished(time=NOON + 70, outcome="interrupted", message="why"))
    assert (state.status, state.message) == (SearchStatus.INTERRUPTED, "why")
    assert state.elapsed(NOON + 999) == state.elapsed() == 20
    state.apply(_started(NOON + 10_000, segment=2))
    assert state.status is SearchStatus.RUNNING
    assert state.elapsed(NOON + 10_003) == 23
    state.apply(events.SearchPaused(time=NOON + 10_005))
    # Killed while it was paused; the pause counts for nothing.
    state.apply(_started(NOON + 20_000, segment=3))
    assert state.elapsed(NOON + 20_001) == 26


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_makes_no_negative_time(jump: float) -> None:
    state = _state(events.SearchPaused(time=NOON + 10), events.SearchResumed(time=NOON + 10 + jump))
    assert state.elapsed(NOON + 11 + jump) >= 0
    state.apply(events.SearchFinished(time=NOON + 20 + jump, outcome="completed"))
    assert state.elapsed() >= 0
    state.apply(_started(NOON + jump, segment=2))
    assert state.elapsed(NOON + jump) >= 0


def test_a_refit_from_first_epoch_to_test_score() -> None:
    state = _state(
        events.RefitEpochEnded(time=NOON, combination=1, epoch=1, epochs=2, loss=0.5),
        events.RefitEpochEnded(time=NOON, combination=1, epoch=2, epochs=2, loss=0.25),
    )
    assert state.refit is not None
    assert (state.refit.epoch, state.refit.loss, state.refit.path) == (2, 0.25, "")
    state.apply(events.ModelSaved(time=NOON, combination=1, path="/a.keras", sha256="ab"))
    state.apply(events.TestScored(time=NOON, combination=1, scores={"accuracy": 0.75}, rows=10))
    assert [(one.path, one.test_scores, one.test_rows) for one in state.saved] == [("/a.keras", {"accuracy": 0.75}, 10)]
    assert (state.test_looks(1), state.test_looks(0)) == (1, 0)
    state.apply(events.SaveFailed(time=NOON, combination=1, path="/b.keras", error="full"))
    assert state.refit is not None
    assert state.refit.error == "full"
    assert len(state.saved) == 1


def test_an_engine_that_only_saves_changes_neither_status_nor_time() -> None:
    state = _state(events.SearchFinished(time=NOON + 20, outcome="completed"))
    before = state.elapsed()
    state.apply(structs.replace(_started(NOON + 100, segment=2), only_save=True))
    state.apply(events.RefitStarted(time=NOON + 101, combination=1, epochs=2, path="/a.keras"))
    assert state.refit is not None
    assert state.refit.in_words == "refitting #1 on all training rows: epoch 0/2"
    assert (state.status, state.elapsed(NOON + 150)) == (SearchStatus.COMPLETED, before)
    state.apply(events.RefitEpochEnded(time=NOON, combination=1, epoch=2, epochs=2, loss=0.25, path="/a.keras"))
    assert state.refit.in_words == "saving #1 with Keras, then scoring it on the test set"
    state.apply(events.SearchFinished(time=NOON + 160, outcome="completed"))
    assert (state.status, state.elapsed()) == (SearchStatus.COMPLETED, before)
    state.apply(_started(NOON + 200, segment=3))
    assert state.elapsed(NOON + 205) == pytest.approx(before + 5)


def test_scores_whose_combinations_a_damaged_record_lost_count_once_they_are_known_again() -> None:
    state = SearchState()
    for event in (_started(), _scored(0, 0, 0.5), _training(3, [(1, 2)], fold=1), _failed(2, 1)):
        state.apply(event)
    assert state.combinations == []
    state.apply(_started(NOON + 50, segment=2))
    state.apply(_added())
    assert state.combinations[0].scores_of("accuracy") == [0.5, None]
    assert state.combinations[2].statuses == [FitStatus.WAITING, FitStatus.FAILED]
    # A training that an engine of the past had begun is not running.
    assert state.combinations[1].statuses == [FitStatus.WAITING] * 2
    assert (state.fits_finished, state.fits_failed, state.fits_total) == (2, 1, 6)


def test_a_record_that_lost_its_start_is_whole_with_the_next_engine() -> None:
    state = SearchState()
    for event in (_added(), _scored(0, 0, 0.5), events.SearchFinished(time=NOON, outcome="interrupted")):
        state.apply(event)
    assert (state.combinations, state.fits_total, state.elapsed()) == ([], 0, 0.0)
    state.apply(_started(NOON + 50, segment=2))
    assert len(state.combinations) == 3
    assert state.combinations[0].scores_of("accuracy") == [0.5, None]


def test_means_and_deviations_are_numpys_to_the_last_bit() -> None:
    generator = np.random.default_rng(0)
    for splits in [*range(1, 41), 127, 128, 129, 136, 200, 300]:
        for _ in range(20):
            # Scores as they are: so many right of so many rows.
            scores = generator.integers(0, 3000, splits) / 2994
            array = scores[np.newaxis]
            mean = np.average(array, axis=1)
            deviation = np.sqrt(np.average((array - mean[:, np.newaxis]) ** 2, axis=1))
            assert mean_and_deviation(scores.tolist()) == (float(mean[0]), float(deviation[0]))


@pytest.mark.parametrize("splits", [3, 5, 8, 10, 40])
def test_ranks_are_scikit_learns(splits: int) -> None:
    from scipy.stats import rankdata

    generator = np.random.default_rng(splits)
    for _ in range(20):
        scores = generator.integers(10, 13, (60, splits)) / 13
        scores[generator.random(60) < 0.1] = np.nan
        means = np.average(scores, axis=1)
        filled = np.where(np.isnan(means), np.nanmin(means) - 1, means)
        ours = ranks([mean_and_deviation(row)[0] for row in scores.tolist()])
        assert ours == rankdata(-filled, method="min").astype(int).tolist()
        assert len(set(ours)) < 60


def test_ranks_of_nothing_but_nan_are_all_first() -> None:
    assert ranks([math.nan, math.nan]) == [1, 1]
    assert ranks([]) == []


def _one_more(index: int, epochs: int) -> events.Steered:
    return events.Steered(
        time=NOON, words="", added=[PlannedCombination(index=index, params={"epochs": epochs}, trainer="kernel")]
    )


def test_scores_stay_with_their_numbers_where_an_announcement_between_is_lost() -> None:
    # Number 3 was announced in a line that is lost.
    state = _state(_one_more(4, 50), _scored(3, 0, 0.25), _scored(4, 0, 0.75))
    assert [one.params for one in state.combinations[3:]] == [{}, {"epochs": 50}]
    assert state.combinations[4].scores_of("accuracy") == [0.75, None]
    assert state.combinations[3].scores_of("accuracy") == [None, None]
    assert (state.combinations[3].status, state.combinations[3].dropped) == (CombinationStatus.DROPPED, LOST)
    assert (state.fits_finished, state.fits_total) == (1, 8)


def test_a_number_whose_announcement_is_lost_is_never_given_again() -> None:
    state = _state(_scored(3, 0, 0.25), events.CombinationDropped(time=NOON, combination=4, reason="by hand"))
    state.apply(_started(NOON + 50, segment=2))
    assert [one.dropped for one in state.combinations[3:]] == [LOST, LOST]
    state.apply(_one_more(5, 60))
    state.apply(_scored(5, 0, 0.5))
    assert state.combinations[5].scores_of("accuracy") == [0.5, None]
    assert (state.fits_finished, state.fits_total, state.damages) == (1, 8, [])


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (_scored(0, 2, 0.5), "split 2 of 2"),
        (_failed(0, 9), "split 9 of 2"),
        (_training(0, [(0, 1)], fold=2), "split 2 of 2"),
        (_added(1), "combination 0 is announced twice"),
        (_one_more(MOST_LOST + 4, 1), f"combination {MOST_LOST + 4} is announced after combination 2"),
        (_started(segment=2, splits=3), "it has 2 splits, not 3"),
        (_started(segment=2, scoring=["f1_macro"]), "it is scored by accuracy, f1_macro, not f1_macro"),
    ],
)
def test_what_cannot_be_of_the_search_is_left_out_and_named(event: events.Event, why: str) -> None:
    state, before = _state(), _state()
    assert state.apply(event) is False
    assert state.damages == [f"{type(event).__name__} does not fit the search: {why}"]
    assert not state.is_complete
    assert state.combinations == before.combinations
    assert (state.started, state.trainings, state.status) == (before.started, before.trainings, before.status)
    state.apply(_started(NOON + 50, segment=2))
    assert state.damages == []  # whatever is missing for it is run again


def test_a_fault_of_the_reducer_is_not_taken_for_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(state: SearchState, event: events.FitScored) -> None:
        [][event.fold]

    rules: dict[Any, Any] = RULES
    monkeypatch.setitem(rules, events.FitScored, faulty)
    with pytest.raises(IndexError):
        _state(_scored(0, 0, 0.5))


def test_damage_is_open_until_an_engine_has_gone_on_after_it() -> None:
    state = _state(*(_scored(index, fold, 0.5) for index in range(3) for fold in range(2)))
    state.apply(events.SearchFinished(time=NOON, outcome="completed"))
    complete = [state.is_complete]
    state.note_damages([Damage("journal.1.jsonl", 7, "the checksum does not fit", 1)])
    assert state.damages == ["journal.1.jsonl at byte 7: the checksum does not fit"]
    complete.append(state.is_complete)
    state.apply(_started(NOON + 20, segment=2, only_save=True))
    assert state.damages
    state.apply(_started(NOON + 30, segment=3))
    state.apply(events.SearchFinished(time=NOON + 31, outcome="completed"))
    assert state.damages == []
    assert [*complete, state.is_complete] == [True, False, True]


def test_completed_is_not_complete_while_fits_are_missing() -> None:
    state = _state(_scored(0, 0, 0.5), events.SearchFinished(time=NOON, outcome="completed"))
    assert (state.status, state.is_complete) == (SearchStatus.COMPLETED, False)
