"""Strategies decide the same from the same scores: however many workers there are, and whatever was killed when."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import SpecError
from engine.search.search import Search
from engine.search.strategies.halving import Rung, halving_bracket, hyperband_brackets
from engine.session.events import RoundDecided, RungScored, TrainingStarted
from engine.spec.spec import SearchSpec
from engine.spec.stages import Stage
from engine.spec.strategy_options import parse_strategy, strategy_in_words
from tests.fakes import FAKE_WORKER, Fault, fake_search, same_results, told
from tests.marks import first_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.session.events import Event

SPACE: dict[str, Any] = {"epochs": 8, "hidden_units": [8, 16, 24, 32], "batch_size": [16, 32, 64]}
HALVING = {"halving": "grid", "factor": 2}
STAGES = [{"subsample": 100, "keep": 4}, {"subsample": 200, "keep": 2}, {"subsample": 300}]
STRATEGIES: dict[str, dict[str, Any]] = {
    "halving": {"strategy": HALVING},
    "hyperband": {"strategy": {"hyperband": 12, "factor": 2}},
    "halving over rows": {"strategy": {"halving": "grid", "factor": 2, "over": "rows", "least": 100}},
    "stages": {"stage": STAGES, "subsample": 1.0},
    "racing": {"strategy": "racing", "folds": 4},
    "racing between epochs": {"strategy": {"racing": "grid", "between": "epochs", "error": 0.5}},
}


def _decisions(happened: list[Event]) -> list[tuple[object, ...]]:
    """In order of their words: brackets do not wait for each other."""
    rounds = sorted((event for event in happened if isinstance(event, RoundDecided)), key=lambda one: one.words)
    return [(one.strategy, one.words, one.dropped, one.allowed, [c.params for c in one.added]) for one in rounds]


@pytest.mark.parametrize("options", first_of((one,) for one in STRATEGIES.values()), ids=STRATEGIES)
def test_decisions_do_not_depend_on_the_number_of_workers(surroundings: Path, options: dict[str, Any]) -> None:
    searches = [fake_search(surroundings, SPACE, **options, workers=workers, fresh=True) for workers in (1, 3)]
    one, other = (_decisions(list(search.run())) for search in searches)
    assert one
    assert one == other
    assert same_results(searches[0].cv_results_, searches[1].cv_results_)


@pytest.mark.parametrize("options", first_of((one,) for one in STRATEGIES.values()), ids=STRATEGIES)
def test_interrupted_after_every_few_scores_it_decides_the_same(surroundings: Path, options: dict[str, Any]) -> None:
    undisturbed = fake_search(surroundings, SPACE, **options)
    expected = _decisions(list(undisturbed.run()))
    search = fake_search(surroundings, SPACE, **options, name="a", fresh=True)
    happened: list[Event] = []
    for _ in range(100):
        scored = 0
        for event in search.run():
            happened.append(event)
            scored += type(event).__name__ in ("RungScored", "FitScored")
            if scored == 7:
                break
        if search.outcome == "completed":
            break
        search = Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER)
    assert search.outcome == "completed"
    state = search.session.state() if search.session else search.state
    assert _decisions(list(state.rounds)) == expected
    assert same_results(search.cv_results_, undisturbed.cv_results_)


def test_halving_trains_the_best_further_and_says_why_others_were_dropped(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, strategy=HALVING)
    happened = list(search.run())
    state = search.state
    trained = [event for event in happened if isinstance(event, TrainingStarted)]
    # 12 to 1 epoch, 6 to 2, 3 to 4, 2 to 8: a promoted training goes on where it was.
    assert [sum(event.epochs == epochs for event in trained) // 3 for epochs in (1, 2, 4, 8)] == [12, 6, 3, 2]
    assert {(event.start, event.epochs) for event in trained} == {(0, 1), (1, 2), (2, 4), (4, 8)}
    assert [str(one.status) for one in state.combinations].count("complete") == 2
    dropped = [one for one in state.combinations if one.dropped]
    assert len(dropped) == 10
    assert all("epochs: place" in one.evidence for one in dropped)
    last = max(dropped, key=lambda one: max(one.rung_epochs))
    judged = [one for one in state.combinations if 4 in one.rung_epochs]
    means = {one.index: sum(map(float, filter(None, one.rung_scores(4)))) for one in judged}
    assert means[last.index] == min(means.values())
    assert state.best is not None
    place = state.best.fits[0].curve
    assert place is not None
    assert search.session is not None
    curve = search.session.curve(place)
    assert curve is not None
    assert len(curve.loss) == 8
    assert not (search.session.folder / "checkpoints").exists()


def test_a_promoted_training_that_lost_its_checkpoint_starts_again_with_the_same_scores(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    undisturbed = fake_search(surroundings, SPACE, strategy=HALVING)
    list(undisturbed.run())
    for name, value in told(Fault("kill", epoch=5, times=1, marks=str(tmp_path))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, strategy=HALVING, fresh=True)
    for event in search.run():
        if isinstance(event, RungScored) and event.epochs == 2 and search.session is not None:
            # The last one to be decided on takes the folder with it.
            with contextlib.suppress(FileNotFoundError):
                for path in (search.session.folder / "checkpoints").glob("*.checkpoint"):
                    path.write_bytes(b"damaged")
    assert same_results(search.cv_results_, undisturbed.cv_results_)


def test_known_fits_serve_rungs_too(surroundings: Path) -> None:
    whole = fake_search(surroundings, SPACE)
    list(whole.run())
    search = fake_search(surroundings, SPACE, strategy=HALVING)
    happened = list(search.run())
    assert not [event for event in happened if isinstance(event, TrainingStarted)]
    fresh = fake_search(surroundings, SPACE, strategy=HALVING, fresh=True)
    assert _decisions(list(fresh.run())) == _decisions(happened)
    assert same_results(search.cv_results_, fresh.cv_results_)


@pytest.mark.parametrize("strategy", [HALVING, "racing"], ids=["halving", "racing"])
def test_a_dropped_combination_can_be_finished_all_the_same(surroundings: Path, strategy: object) -> None:
    search = fake_search(surroundings, SPACE, strategy=strategy, name="a")
    dropped = [event.dropped for event in search.run() if isinstance(event, RoundDecided)]
    again = Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER)
    finished = next(one.combination for round_ in dropped for one in round_)
    again.retry(finished)
    list(again.run())
    assert again.outcome == "completed"
    assert str(again.state.combinations[finished].status) == "complete"


@pytest.mark.parametrize("strategy", [HALVING, {"racing": "grid", "between": "epochs"}], ids=["halving", "racing"])
def test_one_fold_that_diverges_before_a_rung_keeps_nobody_waiting(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, strategy: object
) -> None:
    for name, value in told(Fault("nan", units=8, times=1, marks=str(tmp_path))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {**SPACE, "batch_size": 32}, strategy=strategy)
    list(search.run())
    assert search.outcome == "completed"
    assert search.state.combinations[0].evidence.startswith("diverged on fold")
    assert search.state.best is not None


def test_a_stage_takes_the_best_of_the_one_before_and_only_the_last_can_win(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, stage=STAGES, subsample=1.0)
    list(search.run())
    state = search.state
    stages = [[one for one in state.combinations if one.stage == stage] for stage in range(3)]
    assert [len(members) for members in stages] == [12, 4, 2]
    for before, after in itertools.pairwise(stages):
        best = sorted(before, key=lambda one: -one.mean("accuracy")[0])[: len(after)]
        assert [one.params for one in after] == [one.params for one in best]
    assert state.best in stages[2]
    results = search.cv_results_
    assert results["stage"].tolist() == [1] * 12 + [2] * 4 + [3] * 2
    assert sorted(results["rank_test_score"][16:]) == [1, 2]
    assert [rank for rank, one in state.ranked() if one.stage == 2] == [1, 2]


def test_rungs_and_brackets() -> None:
    assert halving_bracket(range(60), 40, 3, 1).rungs == (Rung(1, 20), Rung(4, 7), Rung(13, 3))
    assert halving_bracket(range(60), 40, 3, 4).rungs == (Rung(4, 20), Rung(13, 7))
    assert halving_bracket(range(1), 40, 3, 1).rungs == ()
    assert halving_bracket(range(60), 1, 3, 1).rungs == ()
    brackets = hyperband_brackets(60, 27, 3, 1)
    assert [index for bracket in brackets for index in bracket.members] == list(range(60))
    assert [[rung.epochs for rung in bracket.rungs] for bracket in brackets] == [[1, 3, 9], [3, 9], [9], []]


def test_rows_grow_by_the_factor_up_to_all() -> None:
    values = {"dataset": "reuters", "space": {"batch_size": {"low": 16, "high": 256, "int": True}}}
    spec = SearchSpec.from_values({**values, "strategy": {"halving": 27, "over": "rows", "least": 900}})
    assert spec.stages == (Stage(998, 9), Stage(2994, 3), Stage(1.0, None))
    assert spec.rows == 8982
    # Of no more combinations than there are.
    small = SearchSpec.from_values(
        {
            **values,
            "space": {"batch_size": [32, 64, 128]},
            "strategy": {"halving": 27, "over": "rows", "least": 900},
        }
    )
    assert small.stages == (Stage(2994, 1), Stage(1.0, None))


@pytest.mark.parametrize(
    ("strategy", "place", "accepted"),
    [
        ("hallving", "strategy", "halving"),
        ({"halving": 0}, "strategy.halving", "at least 1"),
        ({"halving": 10, "factor": 1}, "strategy.factor", "at least 1.5"),
        ({"halving": 10, "over": "words"}, "strategy.over", "epochs, rows"),
        ({"halving": 10, "fator": 3}, "strategy.fator", "factor"),
        ({"grid": 10}, "strategy.grid", '"grid"'),
        ({"random": "grid"}, "strategy.random", "at least 1"),
        ({"random": 3, "halving": 3}, "strategy", "halving"),
        ({"racing": "grid", "error": 0}, "strategy.error", "above 0 and below 1"),
        ({"racing": "grid", "error": 1}, "strategy.error", "above 0 and below 1"),
        ({"racing": 40, "between": "rows"}, "strategy.between", "folds, epochs"),
    ],
)
def test_refused_strategies(strategy: object, place: str, accepted: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_strategy(strategy)
    assert refused.value.place == place
    assert accepted in str(refused.value)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"strategy": {"halving": 4}, "space": {"epochs": [5, 10]}}, "space.epochs"),
        ({"strategy": {"halving": 4}, "space": [{"epochs": 5}, {"batch_size": 32}]}, "space.epochs"),
        ({"stage": [{"subsample": 0.2}, {}], "space": {}}, "stage[0].keep"),
        ({"stage": [{"subsample": 0.5, "keep": 3}, {"subsample": 0.2}], "space": {}}, "stage[1].subsample"),
        ({"stage": [{"subsample": 0.5, "keep": 3}, {"keep": 2}], "space": {}}, "stage[1].keep"),
        ({"stage": [{"subsample": 0.5, "kep": 3}, {}], "space": {}}, "stage[0].kep"),
        ({"stage": [{"subsample": 0.5, "keep": 3}, {}], "subsample": 0.5, "space": {}}, "subsample"),
        ({"stage": [{"subsample": 0.5, "keep": 3}, {}], "strategy": "halving", "space": {}}, "stage"),
        ({"strategy": {"halving": 9, "over": "rows", "least": 9000}, "space": {}}, "strategy.least"),
        ({"strategy": "racing", "scoring": ["f1_macro", "accuracy"], "space": {}}, "scoring[0]"),
        ({"strategy": "racing", "stage": [{"subsample": 0.5, "keep": 3}, {}], "space": {}}, "stage"),
        ({"strategy": {"racing": "grid", "between": "epochs"}, "space": {"epochs": [5, 10]}}, "space.epochs"),
        (
            {"strategy": {"racing": 4, "between": "epochs"}, "space": {}, "early_stopping": {"patience": 1}},
            "early_stopping",
        ),
    ],
)
def test_refused_combinations_of_strategy_space_and_stages(values: dict[str, Any], place: str) -> None:
    with pytest.raises(SpecError) as refused:
        SearchSpec.from_values({"dataset": "reuters", **values})
    assert refused.value.place == place


def test_a_strategy_in_words() -> None:
    assert strategy_in_words("grid") == "grid"
    assert strategy_in_words({"halving": "grid", "factor": 3}) == "halving, factor=3"
    assert strategy_in_words({"random": 30}) == "random 30"
