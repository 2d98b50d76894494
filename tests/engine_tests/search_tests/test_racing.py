"""Racing drops what is unlikely to win, by rows that it can show, and keeps to the error that it promises."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.cli.main import main
from engine.errors import UsageError
from engine.search.search import Search
from engine.search.strategies import strategy_of
from engine.search.strategies.paired import PairedTest
from engine.session.combination import CombinationStatus
from engine.session.events import RoundDecided, TrainingStarted
from engine.session.predictions import Predictions
from engine.session.segments import predictions_path
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.fakes import FAKE_WORKER, Fault, fake_search, told

if TYPE_CHECKING:
    from pathlib import Path

# Combinations of one network share their trainings.
SPACE: dict[str, Any] = {"epochs": [2, 8], "hidden_units": [8, 16, 24], "batch_size": [16, 32]}
RACING: dict[str, Any] = {"strategy": "racing", "folds": 5}


def _rows(right: int, wrong: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.repeat(np.array([1, 0], np.float32), [right, wrong])


def test_before_the_first_fold_is_done_the_test_is_mcnemars() -> None:
    own, ahead = _rows(60, 40), np.concatenate([_rows(55, 5), _rows(25, 15)])
    found = PairedTest("accuracy", level=0.05).compare(own, ahead, 0.0)
    # 25 rows for the one, 5 for the other; corrected for continuity: (25 - 5 - 1) / sqrt(30).
    assert found.chance == pytest.approx(math.erfc(19 / math.sqrt(30) / math.sqrt(2)) / 2)
    assert (found.own, found.ahead, found.rows, found.discordant) == pytest.approx((0.6, 0.8, 100, 30))


def test_what_still_rises_may_catch_up() -> None:
    test = PairedTest("accuracy", level=0.05)
    chances = [test.compare(_rows(60, 40), _rows(80, 20), 0.0, gain).chance for gain in (0.0, 0.1, 0.2)]
    assert chances[0] < chances[1] < 0.5 < chances[2]


def test_losses_are_compared_row_by_row() -> None:
    generator = np.random.default_rng(0)
    labels, classes = generator.integers(0, 3, (2, 200))
    chances = (generator.uniform(low, 1, 200).astype(np.float32) for low in (0.1, 0.3))
    own, ahead = (Predictions.of(labels, classes, chance) for chance in chances)
    test = PairedTest("neg_log_loss", level=0.05)
    found = test.compare(test.earned(own), test.earned(ahead), 0.0)
    differences = own.losses.astype(float) - ahead.losses
    assert found.ahead - found.own == pytest.approx(differences.mean())
    behind = differences.sum() / math.sqrt((differences**2).sum())
    assert found.chance == pytest.approx(math.erfc(behind / math.sqrt(2)) / 2)


def test_what_no_row_tells_apart_is_not_behind() -> None:
    test = PairedTest("accuracy", level=0.05)
    assert test.compare(_rows(60, 40), _rows(60, 40), 0.9).chance == 1


@pytest.mark.parametrize(("done", "allowed"), [(0.1, 0.05), (0.3, 0.2), (0.5, 0.01), (0.8, 0.05)])
def test_the_chance_is_not_exceeded_where_the_one_behind_would_have_won(done: float, allowed: float) -> None:
    rows, discordant = 4000, 400
    # Over all rows it ends above the other by just as much as is significant at this level.
    lead = round(1.96 * math.sqrt(discordant))
    won = (discordant + lead) // 2
    differences = np.repeat(np.array([1, -1, 0], np.float32), [won, discordant - won, rows - discordant])
    test, generator = PairedTest("accuracy", level=0.05), np.random.default_rng(0)
    misled = 0
    for _ in range(1000):
        drawn = generator.permutation(differences)[: round(rows * done)]
        misled += test.compare(drawn, np.zeros_like(drawn), done).chance < allowed
    assert misled / 1000 <= allowed + 2 * math.sqrt(allowed * (1 - allowed) / 1000)


def test_it_drops_with_evidence_and_trains_less(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = fake_search(surroundings, SPACE, **RACING, name="race")
    happened = list(search.run())
    state, whole = search.state, fake_search(surroundings, SPACE, folds=5, fresh=True)
    full = [event for event in whole.run() if isinstance(event, TrainingStarted)]
    assert search.outcome == "completed"
    trained = [event for event in happened if isinstance(event, TrainingStarted)]
    assert sum(one.epochs for one in trained) < sum(one.epochs for one in full)
    # A training that also served a longer combination ends where the longest of those left does.
    assert {one.epochs for one in trained} == {2, 8}
    for one, complete in zip(state.combinations, whole.state.combinations, strict=True):
        scored = [score for score in one.scores_of("accuracy") if score is not None]
        assert scored == complete.scores_of("accuracy")[: len(scored)]
        assert (one.status is CombinationStatus.DROPPED) == (len(scored) < 5) == ("tell them apart" in one.evidence)
    best = whole.state.best
    assert best is not None
    assert state.combinations[best.index].status is CombinationStatus.COMPLETE
    again = fake_search(surroundings, SPACE, **RACING)  # takes over what it needs
    assert not [event for event in again.run() if isinstance(event, TrainingStarted)]
    assert [one.dropped for one in again.state.rounds] == [one.dropped for one in state.rounds]
    capsys.readouterr()
    assert main(["show", "race", "--sessions", str(surroundings)]) == 0
    shown = capsys.readouterr().out
    dropped = next(one for one in state.combinations if one.dropped)
    assert dropped.evidence.split(";")[0] in " ".join(shown.split())


def test_all_take_a_fold_before_any_takes_the_next(surroundings: Path) -> None:
    folds: list[int] = []
    looks: list[int] = []
    for event in fake_search(surroundings, SPACE, **RACING, workers=3).run():
        if isinstance(event, TrainingStarted):
            folds.append(event.fold)
        elif isinstance(event, RoundDecided):
            looks.append(len(folds))
    before, after = folds[: looks[-1]], folds[looks[-1] :]
    assert before == sorted(before)
    # One that is left alone takes all others at once.
    assert min(after) > before[-1]
    assert all(folds[look - 1] == fold for fold, look in enumerate(looks))
    assert all(before < after for before, after in itertools.pairwise(looks))


def test_between_epochs_it_waits_for_a_second_look_and_drops_on_all_folds(surroundings: Path) -> None:
    racing = {"racing": "grid", "between": "epochs"}
    search = fake_search(surroundings, {**SPACE, "epochs": 8}, strategy=racing)
    list(search.run())
    first, *others = search.state.rounds
    assert (first.words, first.dropped) == ("1 of 8 epochs: 6 of 6 stay in the race", [])
    evidence = [one.evidence for decided in others for one in decided.dropped]
    assert evidence
    assert all(" of 300 rows tell them apart" in one for one in evidence)
    assert search.state.best is not None


def test_what_diverges_or_fails_leaves_the_race(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in told(Fault("nan", units=8), Fault("raise", units=16)).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, **RACING)
    list(search.run())
    evidence = {one.params["hidden_units"]: one.evidence for one in search.state.combinations}
    assert evidence[8] == "diverged on fold 0"
    assert evidence[16] == "failed on fold 0"
    assert search.state.best is not None


def test_after_the_race_a_dropped_combination_is_finished_on_request(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    race = fake_search(surroundings, SPACE, **RACING, name="race")
    list(race.run())
    dropped = next(one.index for one in race.state.combinations if one.dropped)
    assert main(["retry", "race", "--combination", str(dropped), "--sessions", str(surroundings)]) == 2
    assert f"foldwatch resume race --retry {dropped}" in capsys.readouterr().err.replace("\n", " ")
    again = Search.of_session("race", sessions=surroundings, worker_command=FAKE_WORKER)
    with pytest.raises(UsageError, match="0 to 11"):
        again.retry(12)
    again.retry(dropped)
    trained = {fit.combination for event in again.run() if isinstance(event, TrainingStarted) for fit in event.fits}
    assert trained == {dropped}
    assert again.outcome == "completed"
    assert again.state.combinations[dropped].status is CombinationStatus.COMPLETE
    assert not again.state.combinations[dropped].evidence


def test_without_predictions_nothing_is_dropped(surroundings: Path) -> None:
    whole = fake_search(surroundings, SPACE, folds=5)
    list(whole.run())
    assert whole.session is not None
    predictions_path(whole.session.folder, 1).write_bytes(b"")
    search = fake_search(surroundings, SPACE, **RACING)
    list(search.run())
    assert len(search.state.rounds) == 4
    assert all(one.status is CombinationStatus.COMPLETE for one in search.state.combinations)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [("racing", "after each of 5 folds"), ({"racing": "grid", "between": "epochs"}, "after 2 and 4 of 8 epochs")],
)
def test_the_plan_says_when_it_looks_and_how_often_it_errs(strategy: object, said: str) -> None:
    values = {"dataset": "reuters", "folds": 5, "strategy": strategy, "space": {"epochs": 8, "batch_size": [32, 64]}}
    spec = SearchSpec.from_values(values)
    combinations = combinations_of(spec)
    notes = " ".join(strategy_of(spec, len(combinations), combinations[0]).notes(len(combinations)))
    assert said in notes
    assert "at most 0.05" in notes
