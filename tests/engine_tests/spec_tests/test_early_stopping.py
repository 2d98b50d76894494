"""Early stopping is Keras', costs a shared training nothing of its exactness, and is told wherever scores are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.cli.main import main
from engine.search.model_description import describe_model, refit_epochs
from engine.search.search import Search
from engine.session.combination import FitRecord
from engine.session.events import EpochEnded, FitScored, TrainingStarted
from engine.session.segments import Curve
from engine.spec.early_stopping import EarlyStopping, Patience
from tests.fakes import FAKE_WORKER, Fault, fake_search, same_results, told

EPOCHS = [2, 4, 7, 12]
SPACE: dict[str, Any] = {"epochs": EPOCHS, "hidden_units": [8, 16, 24]}
RULE = {"patience": 2}


def stopped(search: Search) -> dict[tuple[int, int], list[int | None]]:
    """Where each combination stopped, by epochs and units."""
    return {(one.params["epochs"], one.params["hidden_units"]): one.stopped_at for one in search.state.combinations}


def curve(search: Search, combination: int, fold: int) -> Curve:
    place = search.state.combinations[combination].fits[fold].curve
    assert place is not None
    assert search.session is not None
    found = search.session.curve(place)
    assert found is not None
    return found


@pytest.fixture
def whole(surroundings: Path) -> Search:
    """The space without early stopping."""
    search = fake_search(surroundings, SPACE, name="whole")
    list(search.run())
    return search


@pytest.mark.keras
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("min_delta", [0.0, 0.05])
def test_ends_where_keras_ends(patience: int, min_delta: float) -> None:
    from keras.callbacks import EarlyStopping as KerasEarlyStopping

    rule = EarlyStopping(patience=patience, min_delta=min_delta)
    generator = np.random.default_rng(patience)
    ends = set()
    for _ in range(20):
        losses = (1.0 / np.arange(1, 15) + generator.uniform(0, 0.3, 14)).astype(np.float32)
        theirs = KerasEarlyStopping(patience=patience, min_delta=min_delta, mode="min")
        theirs.set_model(SimpleNamespace(stop_training=False))
        theirs.on_train_begin()
        ours = Patience()
        for epoch, loss in enumerate(losses.tolist(), 1):
            theirs.on_epoch_end(epoch - 1, {"val_loss": loss})
            assert ours.runs_out(rule, epoch, loss) == theirs.model.stop_training
            if theirs.model.stop_training:
                break
        ends.add(ours.stopped_at)
    assert len(ends) > 2


@pytest.mark.slow
def test_a_shared_training_stops_as_each_would_alone(surroundings: Path, whole: Search) -> None:
    shared = fake_search(surroundings, SPACE, name="shared", early_stopping=RULE, fresh=True)
    happened = list(shared.run())
    assert shared.outcome == "completed"
    everything = stopped(shared)
    ended = {where for one in everything.values() for where in one}
    assert None in ended
    assert len(ended) > 2
    for epochs in EPOCHS:
        alone = fake_search(surroundings, {**SPACE, "epochs": epochs}, early_stopping=RULE, fresh=True)
        list(alone.run())
        for one in alone.state.combinations:
            key = (epochs, one.params["hidden_units"])
            twin = shared.state.combinations[list(everything).index(key)]
            assert [fit.scores for fit in one.fits] == [fit.scores for fit in twin.fits]
            assert one.stopped_at == twin.stopped_at
    # A score is that of the epoch where it stopped, and nothing was trained after it.
    places = {(one.params["epochs"], one.params["hidden_units"]): one.index for one in whole.state.combinations}
    for event in happened:
        if isinstance(event, FitScored):
            units = shared.state.combinations[event.combination].params["hidden_units"]
            found = curve(whole, places[12, units], event.fold)
            last = event.stopped_at or event.epochs
            assert last <= event.epochs
            assert event.scores["accuracy"] == found.validation_score[last - 1]
    trained = sum(isinstance(event, EpochEnded) for event in happened)
    assert trained == sum(where or 12 for units in SPACE["hidden_units"] for where in everything[12, units])


@pytest.mark.slow
def test_without_stop_it_is_recorded_and_changes_no_score(surroundings: Path, whole: Search) -> None:
    ending = fake_search(surroundings, SPACE, early_stopping=RULE, fresh=True)
    list(ending.run())
    recording = fake_search(surroundings, SPACE, early_stopping={**RULE, "stop": False}, fresh=True)
    list(recording.run())
    assert same_results(recording.cv_results_, whole.cv_results_)
    assert stopped(recording) == stopped(ending)
    for there, here in zip(ending.state.combinations, recording.state.combinations, strict=True):
        for fold, stopped_at in enumerate(here.stopped_at):
            would_be = here.stopped_scores[fold] if stopped_at else here.scores_of("accuracy")[fold]
            assert would_be == there.scores_of("accuracy")[fold]
            assert there.stopped_scores[fold] is None


def test_a_lost_worker_changes_nothing(surroundings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    undisturbed = fake_search(surroundings, SPACE, early_stopping=RULE, fresh=True)
    list(undisturbed.run())
    marks = {units: tmp_path / str(units) for units in (8, 24)}
    for folder in marks.values():
        folder.mkdir()
    # Never twice in one training: a second death would be its failure.
    faults = (Fault("kill", epoch=3, units=units, times=1, marks=str(folder)) for units, folder in marks.items())
    for name, value in told(*faults).items():
        monkeypatch.setenv(name, value)
    disturbed = fake_search(surroundings, SPACE, early_stopping=RULE, fresh=True)
    list(disturbed.run())
    assert disturbed.state.fits_failed == 0
    assert same_results(disturbed.cv_results_, undisturbed.cv_results_)
    assert stopped(disturbed) == stopped(undisturbed)


def taken(search: Search) -> int:
    """How many fits a search takes over; nothing that it finds there is unlike what it would have found itself."""
    happened = list(search.run())
    assert search.session is not None
    fresh = Search(
        search.spec, sessions=search.session.folder.parent, fresh=True, workers=2, worker_command=FAKE_WORKER
    )
    list(fresh.run())
    assert same_results(search.cv_results_, fresh.cv_results_)
    assert stopped(search) == stopped(fresh)
    for one, other in zip(search.state.combinations, fresh.state.combinations, strict=True):
        assert one.stopped_scores == other.stopped_scores
    assert fresh.session is not None
    fresh.session.delete()
    started = sum(len(event.fits) for event in happened if isinstance(event, TrainingStarted))
    assert started == 36 - sum(bool(event.taken_from) for event in happened if isinstance(event, FitScored))
    return 36 - started


@pytest.mark.slow
def test_only_what_is_the_same_is_taken_over(surroundings: Path, whole: Search) -> None:
    # What ran whole says nothing of where patience would have run out.
    ending = fake_search(surroundings, SPACE, name="ending", early_stopping=RULE)
    assert taken(ending) == 0
    assert whole.session is not None
    whole.session.delete()
    assert taken(fake_search(surroundings, SPACE, name="again", early_stopping={"patience": 2, "min_delta": 0})) == 36
    other_rule = fake_search(surroundings, SPACE, name="other", early_stopping={"patience": 3})
    assert taken(other_rule) == 0
    assert other_rule.session is not None
    other_rule.session.delete()
    # Fits that no patience ended are those of a search that has none.
    untouched = sum(where is None for one in stopped(ending).values() for where in one)
    assert 0 < untouched < 36
    assert taken(fake_search(surroundings, SPACE, name="plain")) == untouched


@pytest.mark.slow
def test_what_was_only_recorded_serves_a_search_that_asks_for_nothing(surroundings: Path) -> None:
    recording = fake_search(surroundings, SPACE, name="recording", early_stopping={**RULE, "stop": False})
    list(recording.run())
    plain = fake_search(surroundings, SPACE, name="plain")
    assert taken(plain) == 36
    assert {where for one in stopped(plain).values() for where in one} == {None}


def test_a_refit_lasts_as_long_as_the_folds_did(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, early_stopping=RULE)
    list(search.run())
    assert search.session is not None
    combination = search.state.combinations[-1]
    cases: list[tuple[list[int | None], int]] = [
        ([3, None, 4], 4),
        ([3, 3, 12], 3),
        ([None, None, 4], 12),
        ([None, None, None], 12),
        ([3, 4], 4),
    ]
    for folds, epochs in cases:
        combination.fits = [FitRecord(stopped_at=stopped_at) for stopped_at in folds]
        assert refit_epochs(combination, search.spec) == epochs
    combination.fits = [FitRecord(stopped_at=stopped_at) for stopped_at in (5, None, 3)]
    record = describe_model(search.session, search.state, combination.index)
    assert record["early_stopping"] == {"patience": 2, "stopped_at": [5, None, 3], "stopped_scores": [None] * 3}
    only_recorded = fake_search(surroundings, SPACE, early_stopping={**RULE, "stop": False})
    assert refit_epochs(combination, only_recorded.spec) == 12


@pytest.mark.slow
@pytest.mark.keras
def test_a_model_is_refitted_for_those_epochs_and_no_longer(surroundings: Path, tmp_path: Path) -> None:
    from engine import data
    from engine.training.keras.trainer import KerasTrainer
    from engine.training.refit import refit
    from tests.fakes import SMALL

    said = []
    params = {
        "epochs": 6,
        "hidden_units": 8,
        "learning_rate": "CosineDecay",
        "learning_rate__initial_learning_rate": 0.01,
        "learning_rate__decay_epochs": "all",
    }
    refit(
        KerasTrainer(),
        data.load("sample", num_words=SMALL["num_words"]),
        params,
        epochs=2,
        seed=0,
        scoring=["accuracy"],
        path=tmp_path / "best.keras",
        record={},
        on_epoch=lambda epoch, epochs: said.append((epoch.number, epochs, epoch.learning_rate)),
    )
    assert [(number, epochs) for number, epochs, _ in said] == [(1, 2), (2, 2)]
    # A third of the way down the whole schedule's half cosine, not at its end.
    assert said[-1][2] == pytest.approx(0.01 * 0.75, rel=0.05)
    assert json.loads((tmp_path / "best.json").read_text())["refit"]["epochs"] == 2


def test_it_is_told_wherever_scores_are(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = fake_search(surroundings, SPACE, name="told", early_stopping=RULE)
    list(search.run())
    frame = search.to_frame()
    for split in range(3):
        column = [None if np.isnan(value) else value for value in frame[f"split{split}_stopped_at"]]
        assert column == [one.stopped_at[split] for one in search.state.combinations]
    assert main(["show", "told", "--sessions", str(surroundings)]) == 0
    shown = capsys.readouterr().out
    assert "patience 2" in shown
    assert "stopped at" in shown
    last = search.state.combinations[-1]
    assert " ".join(str(where or "·") for where in last.stopped_at) in shown
    assert main(["show", "told", "--sessions", str(surroundings), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [one["stopped_at"] for one in values["combinations"]] == [
        one.stopped_at for one in search.state.combinations
    ]
    assert "trainings end when the validation loss has not fallen for 2 epochs" in " ".join(search.plan.notes)
