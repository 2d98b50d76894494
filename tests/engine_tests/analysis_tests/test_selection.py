"""What is said of the best score: right on average once it is corrected, the same each time, and never made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from engine.analysis.selection.candidates import candidates
from engine.analysis.selection.resampling import Resampled, resample
from engine.analysis.selection.row_scores import METRICS, RowScores
from engine.analysis.selection.ties import may_be_best
from engine.analysis.selection.wording import corrected_facts, find_corrected
from engine.cli.main import main
from engine.errors import NoBestError, NotAvailableError, UsageError
from engine.session import events
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import this_process
from engine.session.predictions import Predictions
from engine.session.segments import predictions_path
from engine.training.scoring import predicted_classes
from tests.fakes import fake_search

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.search.search import Search

ROWS, CLASSES = 90, 4
SPACE: dict[str, Any] = {"epochs": [1, 4], "hidden_units": [8, 16]}


def _row_scores(metric: str, probabilities: NDArray[np.float32], labels: NDArray[np.intp], repeats: int = 1) -> Any:
    """Of candidates with these probabilities (candidates, rows, classes), rows dealt to three folds in every repeat."""
    splits = []
    for repeat in range(repeats):
        folds = np.random.default_rng(repeat).permutation(np.arange(len(labels)) % 3)
        for fold in range(3):
            rows = np.flatnonzero(folds == fold)
            earned = []
            for one in probabilities[:, rows]:
                own = one[np.arange(len(rows)), labels[rows]]
                earned.append(METRICS[metric].earned(Predictions.of(labels[rows], predicted_classes(one), own)))
            splits.append((rows, labels[rows], np.array(earned)))
    return RowScores.of(metric, len(labels), splits)


def _drawn(candidates: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, ROWS)
    shares = generator.random((candidates, ROWS, CLASSES)).astype(np.float32)
    shares[:, np.arange(ROWS), labels] += 0.5
    return shares / shares.sum(axis=2, keepdims=True), labels


SKLEARN: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": lambda labels, shares: accuracy_score(labels, shares.argmax(1)),
    "f1_micro": lambda labels, shares: f1_score(labels, shares.argmax(1), average="micro"),
    "balanced_accuracy": lambda labels, shares: balanced_accuracy_score(labels, shares.argmax(1)),
    "neg_log_loss": lambda labels, shares: -log_loss(labels, shares, labels=range(CLASSES)),
}


@pytest.mark.parametrize("metric", SKLEARN)
def test_scores_of_drawn_rows_are_scikit_learns_on_those_rows(metric: str) -> None:
    probabilities, labels = _drawn(3)
    row_scores = _row_scores(metric, probabilities, labels, repeats=2)
    weights = np.random.default_rng(5).integers(0, 4, (4, ROWS))
    scores = row_scores.scores(weights)
    assert scores.shape == (4, 3)
    for draw, counts in enumerate(weights):
        for candidate in range(3):
            by_split = []
            for groups in row_scores.splits:
                rows = np.sort(np.concatenate([group.rows for group in groups]))
                drawn = np.repeat(rows, counts[rows])
                by_split.append(SKLEARN[metric](labels[drawn], probabilities[candidate][drawn]))
            assert scores[draw, candidate] == pytest.approx(np.mean(by_split), rel=1e-4)
    chosen = np.array([2, 0, 1, 1])
    np.testing.assert_allclose(row_scores.scores_of(chosen, weights), scores[np.arange(4), chosen], rtol=1e-12)


def test_splits_without_a_row_are_left_out_of_the_mean() -> None:
    earned = np.array([[1, 0]], bool)
    labels = np.zeros(2, np.intp)
    row_scores = RowScores.of("accuracy", 4, [(np.array([0, 1]), labels, earned), (np.array([2, 3]), labels, earned)])
    weights = np.array([[1, 1, 0, 0], [2, 1, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(row_scores.scores(weights)[:, 0], [0.5, (2 / 3 + 1) / 2, np.nan])


def _guesses(candidates: int, rows: int, seed: int, rights: float = 0.5) -> RowScores:
    """Candidates that are right with that probability, all alike."""
    generator = np.random.default_rng(seed)
    right = generator.random((candidates, rows)) < rights
    folds = np.arange(rows) % 3
    labels = np.zeros(rows, np.intp)
    return RowScores.of(
        "accuracy", rows, [(np.flatnonzero(folds == f), labels[folds == f], right[:, folds == f]) for f in range(3)]
    )


def test_the_corrected_score_takes_back_what_choosing_the_best_of_many_gained() -> None:
    plain, corrected = [], []
    for seed in range(20):
        resampled = resample(_guesses(50, 150, seed), seed, draws=200)
        plain.append(resampled.estimates.max())
        corrected.append(resampled.estimates.max() - resampled.flattery)
    # All of them guess: whichever is chosen is right half the time.
    assert np.mean(plain) > 0.57
    assert abs(np.mean(corrected) - 0.5) < 0.02


def test_nothing_is_taken_back_where_nothing_was_chosen() -> None:
    resampled = resample(_guesses(1, 3000, 0), 0)
    assert resampled.left_out.mean() == pytest.approx(resampled.estimates[0], abs=0.003)
    assert resampled.flattery == 0.0
    assert resampled.scores.std() == pytest.approx(np.sqrt(0.25 / 3000), rel=0.1)


def test_the_seed_decides_what_is_drawn() -> None:
    row_scores = _guesses(5, 60, 0)
    one, same, other = (resample(row_scores, seed, draws=150) for seed in (7, 7, 8))
    assert one.scores.tobytes() == same.scores.tobytes()
    assert one.left_out.tobytes() == same.left_out.tobytes()
    assert one.scores.tobytes() != other.scores.tobytes()
    # Draws come one after another: more of them begin with the same.
    assert resample(row_scores, 7, draws=50).scores.shape == (50, 5)


def test_the_truly_best_is_among_the_tied_as_often_as_is_said() -> None:
    found, sizes = 0, []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        # Ten of nearly equal skill on the same rows, some easier than others; the first is the best by a little.
        easy = generator.normal(size=300)
        skill = np.concatenate([[0.05], np.linspace(0.0, -0.1, 9)])
        right = easy + generator.normal(size=(10, 300)) * 0.5 + skill[:, np.newaxis] > 0
        labels = np.zeros(300, np.intp)
        row_scores = RowScores.of("accuracy", 300, [(np.arange(300), labels, right)])
        tied = may_be_best(resample(row_scores, seed, draws=200))
        found += bool(tied[0])
        sizes.append(int(tied.sum()))
    assert found >= 92
    assert 2 < np.mean(sizes) < 10


def test_equal_candidates_are_tied_and_a_clearly_better_one_is_not() -> None:
    generator = np.random.default_rng(0)
    right = generator.random((4, 500)) < [[0.6], [0.9], [0.6], [0.3]]
    right[2] = right[1]
    labels = np.zeros(500, np.intp)
    for always, tied in ((None, [False, True, True, False]), (1, [False, True, False, False])):
        if always is not None:
            right[always] = True
        row_scores = RowScores.of("accuracy", 500, [(np.arange(500), labels, right)])
        assert may_be_best(resample(row_scores, 0, draws=200)).tolist() == tied


def test_a_distance_that_never_varies_is_no_tie() -> None:
    scores = np.array([[0.0, 1.0, 1.0]] * 10)
    resampled = Resampled(estimates=scores[0], scores=scores, left_out=scores[:, 1], left_out_of_best=scores[:, 1])
    assert may_be_best(resampled).tolist() == [False, True, True]


# Of races and halvings, whose dropped combinations are known in part


def _raced(seed: int, rows: int = 600, folds: int = 6) -> tuple[NDArray[np.bool_], list[int], int]:
    """Who was right on which row, of eight that are all alike; after how many folds each was dropped; and who is left.

    After each fold but the last, whoever is behind by more than one row in a hundred of those so far is dropped.
    """
    generator = np.random.default_rng(seed)
    right = (generator.random(rows) < 0.7) ^ (generator.random((8, rows)) < 0.05)
    part, alive, folds_of = rows // folds, set(range(8)), [folds] * 8
    for fold in range(1, folds):
        so_far = right[:, : fold * part].mean(axis=1)
        for one in [one for one in alive if so_far[one] < max(so_far[list(alive)]) - 0.01]:
            alive.remove(one)
            folds_of[one] = fold
    return right, folds_of, max(alive, key=lambda one: (right[one].mean(), -one))


def _known(right: NDArray[np.bool_], folds_of: list[int], best: int, folds: int = 6) -> RowScores:
    """As `engine.analysis.selection.candidates` completes them."""
    part = right.shape[1] // folds
    known = right.copy()
    for one, done in enumerate(folds_of):
        known[one, done * part :] = right[best, done * part :]
    labels = np.zeros(part, np.intp)
    numbers = [np.arange(fold * part, (fold + 1) * part) for fold in range(folds)]
    return RowScores.of("accuracy", right.shape[1], [(rows, labels, known[:, rows]) for rows in numbers])


def test_a_race_among_equals_is_taken_back_and_hides_none_that_may_be_best() -> None:
    plain, corrected, covered, dropped = [], [], 0, 0
    for seed in range(60):
        right, folds_of, best = _raced(seed)
        worth = right.mean()  # they are all alike, so what was chosen is worth no more than any other
        resampled = resample(_known(right, folds_of, best), seed, draws=200, best=best)
        plain.append(right[best].mean() - worth)
        corrected.append(right[best].mean() - resampled.flattery - worth)
        best_of_all = int(right.mean(axis=1).argmax())
        dropped += folds_of[best_of_all] < 6
        covered += bool(may_be_best(resampled, looks=6)[best_of_all])
    assert np.mean(plain) > 0.005
    assert abs(np.mean(corrected)) < np.mean(plain) / 3
    assert dropped > 15
    assert covered >= 57


# Of whole searches


@pytest.fixture
def search(surroundings: Path) -> Search:
    """A search of four combinations that is done."""
    done = fake_search(surroundings, SPACE, name="a", folds=2, repeats=2, seed=5)
    list(done.run())
    return done


def _spoil(search: Search, index: int) -> None:
    assert search.session is not None
    place = search.state.combinations[index].predictions[0]
    assert place is not None
    path = predictions_path(search.session.folder, place.segment)
    content = bytearray(path.read_bytes())
    content[place.offset + 8] ^= 1
    path.write_bytes(content)


def test_the_best_of_a_search(search: Search) -> None:
    honest = search.corrected_best()
    assert (honest.metric, honest.combination, honest.score) == ("accuracy", search.best_index_, search.best_score_)
    assert honest.interval[0] < honest.score < honest.interval[1]
    assert honest.corrected_interval[0] < honest.corrected < honest.corrected_interval[1]
    # One combination is the best by far: hardly anything was chosen.
    assert honest.corrected == pytest.approx(honest.score, abs=0.005)
    assert (honest.candidates, honest.without_predictions) == (4, 0)
    assert honest.tied[0] == honest.combination
    assert honest.cheapest_tied in honest.tied
    assert search.corrected_best() == honest
    means = search.cv_results_["mean_test_score"]
    assert means[honest.one_standard_error] >= honest.score - honest.standard_error - 1e-12


def test_of_stages_the_latest_counts(surroundings: Path) -> None:
    stages = [{"subsample": 300, "keep": 2}, {"subsample": 600}]
    search = fake_search(surroundings, SPACE, name="a", folds=2, repeats=2, subsample=1.0, stage=stages)
    list(search.run())
    honest = search.corrected_best()
    assert (honest.combination, honest.candidates) == (search.best_index_, 2)
    assert search.state.combinations[honest.combination].stage == 1
    assert honest.score == pytest.approx(search.best_score_)


NEARLY_EQUAL: dict[str, Any] = {"epochs": 8, "hidden_units": [16, 17, 18, 24], "batch_size": [16, 17]}


def test_dropped_combinations_count_on_the_folds_that_they_have(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    race = fake_search(surroundings, NEARLY_EQUAL, name="race", strategy="racing", folds=5)
    list(race.run())
    dropped = {one.index for one in race.state.combinations if one.dropped}
    assert race.session is not None
    found, honest = candidates(race.session, race.state), race.corrected_best()
    assert dropped
    assert found.indices == tuple(range(8))
    assert set(np.flatnonzero(found.in_part)) == dropped
    for index in dropped:
        for split, score in enumerate(race.state.combinations[index].scores_of("accuracy")):
            (group,) = found.row_scores.splits[split]
            if score is None:
                np.testing.assert_array_equal(group.earned[index], group.earned[honest.combination])
            else:
                assert group.earned[index].mean() == pytest.approx(score)
    assert (honest.candidates, honest.dropped_in_part, honest.chosen_before) == (8, len(dropped), 0)
    assert honest.corrected <= honest.score
    # A dropped one may be tied, but what is taken in place of the best is complete.
    assert {honest.cheapest_tied, honest.one_standard_error}.isdisjoint(dropped)
    assert main(["show", "race", "--sessions", _sessions(race)]) == 0
    assert f"in part    {len(dropped)} of the 8 were dropped" in capsys.readouterr().out


def test_what_was_dropped_after_fewer_epochs_is_corrected_for_but_not_judged(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halving = fake_search(surroundings, NEARLY_EQUAL, name="half", strategy={"halving": "grid"})
    list(halving.run())
    dropped = [one for one in halving.state.combinations if one.dropped]
    assert halving.session is not None
    found, honest = candidates(halving.session, halving.state), halving.corrected_best()
    best = halving.state.combinations[honest.combination]
    assert len(dropped) > 3
    assert (honest.candidates, honest.dropped_early, honest.dropped_in_part) == (8, len(dropped), 0)
    assert set(honest.tied).isdisjoint(one.index for one in dropped)
    for one in dropped:
        epochs = max(one.rung_epochs)
        for split, (own, of_best) in enumerate(zip(one.rung_scores(epochs), best.rung_scores(epochs), strict=True)):
            (group,) = found.row_scores.splits[split]
            final = best.scores_of("accuracy")[split]
            assert own is not None
            assert of_best is not None
            assert final is not None
            assert group.earned[one.index].mean() == pytest.approx(final + own - of_best, abs=1e-6)
    assert main(["show", "half", "--sessions", _sessions(halving)]) == 0
    assert f"not judged  {len(dropped)} of the 8, dropped after fewer epochs" in capsys.readouterr().out


def test_what_cannot_be_compared_is_counted_once(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = [{"subsample": 200, "keep": 3}, {"subsample": 300, "keep": 1}, {"subsample": 600}]
    search = fake_search(surroundings, SPACE, name="a", subsample=1.0, stage=stages)
    list(search.run())
    honest = search.corrected_best()
    assert (honest.candidates, honest.chosen_before) == (1, 3)
    assert main(["show", "a", "--sessions", _sessions(search)]) == 0
    shown = capsys.readouterr().out
    assert "not judged  3 others that the search dropped or left behind" in shown
    assert "tied        not known: there is no other to compare the best with" in shown


def test_what_is_chosen_is_what_is_saved(search: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    honest = search.corrected_best()
    path = tmp_path / "model.keras"
    assert search.save_request(path).combination == search.best_index_
    assert search.save_request(path, choose="cheapest-tied").combination == honest.cheapest_tied
    assert search.save_request(path, choose="one-standard-error").combination == honest.one_standard_error
    assert search.save_request(path, 3).combination == 3
    with pytest.raises(UsageError, match="nothing to choose"):
        search.save_request(path, 3, "cheapest-tied")
    command = ["save", "a", "--sessions", _sessions(search), "--to", str(path), "--choose", "prettiest"]
    assert main(command) == 2
    assert "accepted: best, one-standard-error, cheapest-tied" in capsys.readouterr().err


def test_of_equals_the_first_is_chosen(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": [2], "optimizer": ["sgd", {"name": "sgd", "momentum": 0.0}]})
    list(search.run())
    honest = search.corrected_best()
    assert honest.tied == (0, 1)
    assert honest.cheapest_tied == honest.one_standard_error == 0


def test_combinations_without_predictions_are_left_out_and_counted(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    ranked = [combination.index for _, combination in search.state.ranked()]
    whole = search.corrected_best()
    _spoil(search, ranked[-1])
    rest = search.corrected_best()
    assert (rest.candidates, rest.without_predictions) == (3, 1)
    assert rest.interval == whole.interval
    assert main(["show", "a", "--sessions", _sessions(search)]) == 0
    assert "left out   1 complete" in capsys.readouterr().out
    _spoil(search, ranked[0])
    with pytest.raises(NotAvailableError, match=f"combination {ranked[0]}, the best, has no predictions"):
        search.corrected_best()
    assert main(["show", "a", "--sessions", _sessions(search)]) == 0
    assert "the best, has no predictions" in capsys.readouterr().out


def _sessions(search: Search) -> str:
    assert search.session is not None
    return str(search.session.folder.parent)


def test_it_is_shown_and_in_the_json_of_show_and_export(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    honest = search.corrected_best()
    assert main(["show", "a", "--sessions", _sessions(search)]) == 0
    shown = capsys.readouterr().out
    assert f"{honest.score:.4f}, 95 % interval {honest.interval[0]:.4f} to {honest.interval[1]:.4f}" in shown
    assert f"corrected  {honest.corrected:.4f}" in shown
    assert "test set" not in shown
    for command in (["show", "a", "--json"], ["export", "a", "--format", "json"]):
        assert main([*command, "--sessions", _sessions(search)]) == 0
        values = json.loads(capsys.readouterr().out)["honest"]
        assert values["corrected"] == honest.corrected
        assert values["tied"] == list(honest.tied)


def test_a_second_look_at_the_test_set_is_told(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    assert search.session is not None
    writer = JournalWriter(search.session.folder, this_process())
    for combination, told in ((0, False), (1, True)):
        scored = events.TestScored(time=2e9, combination=combination, scores={"accuracy": 0.5}, rows=10)
        writer.append(scored)
        assert main(["show", "a", "--sessions", _sessions(search)]) == 0
        assert ("looked at 2 times" in capsys.readouterr().out) == told
    writer.close()


@pytest.mark.slow
def test_other_metrics_are_said_to_be_missing(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = fake_search(surroundings, {"epochs": 1}, name="a", scoring=["f1_macro"], folds=2, workers=1)
    with pytest.raises(NoBestError):
        search.corrected_best()
    list(search.run())
    with pytest.raises(NotAvailableError, match="not available for f1_macro; it is for accuracy"):
        search.corrected_best()
    assert main(["show", "a", "--sessions", str(surroundings)]) == 0
    assert "not available for f1_macro" in capsys.readouterr().out
    assert main(["show", "a", "--json", "--sessions", str(surroundings)]) == 0
    assert "f1_macro" in json.loads(capsys.readouterr().out)["honest"]["unavailable"]


def test_nothing_is_said_before_a_combination_is_complete(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1}, workers=1)
    for event in search.run():
        if isinstance(event, events.CombinationsAdded):
            break
    assert search.session is not None
    assert corrected_facts(find_corrected(search.session, search.session.state())) == []
