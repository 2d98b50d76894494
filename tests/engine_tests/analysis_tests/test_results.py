"""`cv_results_` is scikit-learn's: the same from our engine as from GridSearchCV over the same estimator and folds."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.analysis import results
from engine.cli.tables import results_table
from engine.errors import NoBestError
from engine.search.search import Search
from engine.session import events
from engine.session.events import EpochEnded
from engine.session.narration import describe
from engine.session.state import SearchState
from tests.fakes import SMALL

EIGHT: dict[str, list[Any]] = {
    "epochs": [1, 2],
    "hidden_units": [4, 8],
    "optimizer": ["adam", "rmsprop"],
    "batch_size": [50],
}


def _of_scikit_learn(search: Search, space: dict[str, list[Any]], scoring: list[str]) -> dict[str, Any]:
    """What GridSearchCV finds on the rows and folds of a search that has run."""
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    from engine import data
    from engine.data.subsample import stratified_subsample
    from engine.training.classifier import FoldwatchClassifier

    dataset = data.load("sample", num_words=search.spec.num_words)
    rows = dataset.training.take(stratified_subsample(dataset.training.labels, search.spec.subsample, 0))
    grid = GridSearchCV(
        FoldwatchClassifier(seed=0, classes=rows.classes),
        space,
        scoring=scoring[0] if len(scoring) == 1 else scoring,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        refit=False,
        error_score="raise",
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        grid.fit(rows.to_scipy(), rows.labels)
    found: dict[str, Any] = grid.cv_results_
    return found


@pytest.mark.slow
@pytest.mark.keras
def test_eight_combinations_are_as_grid_search_finds_them(surroundings: Path) -> None:
    scoring = ["accuracy", "f1_macro"]
    search = Search(sessions=surroundings, space=EIGHT, trainer="keras", scoring=scoring, workers=1, **SMALL)
    happened = list(search.run())
    assert search.outcome == "completed"
    assert search.state.fits_failed == 0, [fit.error for one in search.state.combinations for fit in one.fits]
    assert len([event for event in happened if isinstance(event, EpochEnded)]) == 4 * 3 * 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=Warning, module="sklearn|keras|scikeras")
        theirs = _of_scikit_learn(search, EIGHT, scoring)
    ours = search.cv_results_
    assert list(ours) == list(theirs)
    assert ours["params"] == theirs["params"]
    for name, values in theirs.items():
        if name.startswith("param_"):
            assert ours[name].tolist() == values.tolist()
            assert ours[name].mask.tolist() == values.mask.tolist()
            assert ours[name].dtype == values.dtype
        elif "_test_" in name:
            np.testing.assert_allclose(ours[name], values, atol=1e-6)
            if name.startswith("rank_"):
                assert ours[name].dtype == values.dtype
                assert ours[name].tolist() == values.tolist()
    assert len(set(ours["mean_test_accuracy"])) > 2


@pytest.mark.keras
@pytest.mark.slow
def test_shared_epochs_score_to_the_last_bit_as_trained_alone(surroundings: Path) -> None:
    space = {"hidden_units": [8], "batch_size": [50], "learning_rate": [0.01]}

    def run(name: str, epochs: list[int]) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {"space": {**space, "epochs": epochs}, "trainer": "keras", **SMALL, "folds": 2}
        search = Search(sessions=surroundings / name, workers=1, **values)
        trained = sum(isinstance(event, EpochEnded) for event in search.run())
        return search.cv_results_, trained

    together, trained = run("together", [2, 4])
    assert trained == 4 * 2
    for index, epochs in enumerate((2, 4)):
        alone, _ = run(str(epochs), [epochs])
        for fold in range(2):
            key = f"split{fold}_test_score"
            assert together[key][index].tobytes() == alone[key][0].tobytes()


def _state(
    params: list[dict[str, Any]], scores: list[list[float | None]], scoring: tuple[str, ...] = ("accuracy",)
) -> SearchState:
    """A search of two folds whose combinations have these parameters and scores; None: not scored.

    Each metric after the first scores half of the one before.
    """
    state = SearchState()
    state.apply(
        events.SearchStarted(
            time=0.0,
            session="a",
            segment=1,
            dataset="sample",
            synthetic=True,
            rows=10,
            classes=46,
            splits=2,
            scoring=list(scoring),
            workers=1,
            trainings=1,
            cost=1.0,
            host="here",
            pid=1,
        )
    )
    planned = [events.PlannedCombination(index=i, params=one, trainer="kernel") for i, one in enumerate(params)]
    state.apply(events.CombinationsAdded(time=0.0, combinations=planned))
    for index, folds in enumerate(scores):
        for fold, score in enumerate(folds):
            if score is not None:
                state.apply(
                    events.FitScored(
                        time=1.0,
                        combination=index,
                        fold=fold,
                        training=0,
                        epochs=1,
                        scores={metric: score / 2**place for place, metric in enumerate(scoring)},
                        seconds=1.0 + fold,
                        score_seconds=0.25 + fold,
                    )
                )
    return state


PARAMS: list[list[dict[str, Any]]] = [
    [{"epochs": 1}, {"epochs": 2, "optimizer": "sgd", "optimizer__momentum": 0.5}, {"optimizer__nesterov": True}],
    [{"hidden_units": [64, 32]}, {"hidden_units": [16, 8]}],
    [{"hidden_units": [64]}, {"hidden_units": [16, 8]}],
    [{"hidden_units": 64}, {"hidden_units": [16, 8]}],
    [{"learning_rate": 0.1}, {"learning_rate": "CosineDecay"}],
    [{"dropout": 0}, {"dropout": 0.5}],
    [{"flag": True}, {"flag": 1}],
    [{"flag": True}, {"flag": False}, {}],
    [{"value": None}, {"value": 0.5}],
    [{"number": 2**70}, {"number": 1}],
]


@pytest.mark.parametrize("params", PARAMS)
def test_parameters_are_arrays_as_scikit_learn_makes_them(params: list[dict[str, Any]]) -> None:
    from sklearn.model_selection._search import _yield_masked_array_for_each_param

    ours = results.cv_results(_state(params, [[0.5, 0.5]] * len(params)))
    theirs = dict(_yield_masked_array_for_each_param(params))
    assert {name for name in ours if name.startswith("param_")} == set(theirs)
    for name, values in theirs.items():
        assert ours[name].dtype == values.dtype, name
        assert ours[name].mask.tolist() == values.mask.tolist()
        assert ours[name].tolist() == values.tolist()


@pytest.mark.parametrize("scoring", [("accuracy",), ("accuracy", "f1_macro")])
def test_every_key_is_as_grid_search_has_it(scoring: tuple[str, ...]) -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    class Scripted(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """Scores what its parameters say, in each of two folds."""

        def __init__(self, zeal: int = 0, activation: str = "", units: Any = None, none: object = None) -> None:
            self.zeal, self.activation, self.units, self.none = zeal, activation, units, none

        def fit(self, rows: Any, labels: Any) -> Scripted:
            self.classes_ = np.unique(labels)
            return self

    def scorer(estimator: Scripted, rows: Any, labels: Any) -> Any:
        score = (estimator.zeal + len(estimator.activation) + int(rows[0, 0])) / 7
        return score if len(scoring) == 1 else {metric: score / 2**place for place, metric in enumerate(scoring)}

    # Neither in alphabetical order, nor named by every combination, nor without ties.
    spaces = [
        {"zeal": [3, 1, 1], "activation": ["relu", "tanh"]},
        {"units": [[64, 32], [16]], "none": [None, 0.5]},
    ]
    grid = GridSearchCV(Scripted(), spaces, scoring=scorer, cv=PredefinedSplit([0, 0, 1, 1]), refit=False)
    grid.fit(np.array([[0], [0], [1], [1]]), [0, 1, 0, 1])
    theirs = grid.cv_results_
    label = "score" if len(scoring) == 1 else scoring[0]
    folds: list[list[float | None]] = [
        [float(theirs[f"split{fold}_test_{label}"][index]) for fold in (0, 1)] for index in range(10)
    ]
    ours = results.cv_results(_state(theirs["params"], folds, scoring))
    assert list(ours) == list(theirs)
    for key, values in theirs.items():
        if key == "params":
            assert [list(one.items()) for one in ours[key]] == [list(one.items()) for one in values]
            continue
        assert type(ours[key]) is type(values), key
        assert (ours[key].dtype, ours[key].shape) == (values.dtype, values.shape), key
        if isinstance(values, np.ma.MaskedArray):
            assert ours[key].mask.tolist() == values.mask.tolist(), key
        if not key.endswith("_time"):
            assert ours[key].tolist() == values.tolist(), key
    assert set(ours["mean_score_time"]) == {0.75}
    assert set(ours["std_score_time"]) == {0.5}


def test_nothing_scored_ranks_as_in_grid_search() -> None:
    found = results.cv_results(_state([{"epochs": 1}, {"epochs": 2}], [[None, None], [None, None]]))
    assert found["rank_test_score"].tolist() == [1, 1]
    assert np.isnan(found["mean_score_time"]).all()


def test_missing_scores_are_nan_and_rank_last() -> None:
    state = _state([{"epochs": i} for i in range(1, 5)], [[0.5, None], [0.25, 0.5], [None, None], [0.5, 0.25]])
    found = results.cv_results(state)
    assert found["rank_test_score"].tolist() == [3, 1, 3, 1]
    assert np.isnan(found["mean_test_score"]).tolist() == [True, False, True, False]
    assert np.isnan(found["std_test_score"]).tolist() == [True, False, True, False]
    assert found["split0_test_score"][0] == 0.5
    assert np.isnan(found["split1_test_score"][0])
    assert found["mean_fit_time"][1] == 1.5
    assert results.best_of(state).index == 1


def test_a_mean_is_shown_of_complete_combinations_only() -> None:
    state = _state([{"epochs": i} for i in range(1, 5)], [[0.5, 0.25], [0.7534, None], [0.8125, None], [0.6875, None]])
    state.apply(events.FitFailed(time=2.0, combination=2, fold=1, training=0, error="E", traceback=""))
    diverged = events.FitScored(
        time=2.0, combination=1, fold=1, training=0, epochs=1, scores={}, seconds=1.0, diverged=True
    )
    state.apply(diverged)
    values = results.as_values(state, "a", "running")["combinations"]
    assert [one["mean"] for one in values] == [0.375, None, None, None]
    assert [one["std"] for one in values] == [0.125, None, None, None]
    assert [one["rank"] for one in values] == [1, None, None, None]
    shown = results_table(state, 200)
    assert "0.3750 ± 0.1250" in shown
    assert shown.count("±") == 1
    assert describe(diverged, state) == "combination 1 fold 1 diverged"
    # Whichever of its folds ends last.
    state = _state([{"epochs": 1}], [])
    last = events.FitScored(
        time=3.0, combination=0, fold=0, training=0, epochs=1, scores={"accuracy": 0.5}, seconds=1.0
    )
    for event in (msgspec.structs.replace(diverged, combination=0), last):
        state.apply(event)
    assert describe(last, state) is None


def test_every_combination_has_one_line_where_hyperparameters_fit() -> None:
    params = [{"epochs": n, "hidden_units": 64 * n, "optimizer": "adam" if n % 2 else "rmsprop"} for n in range(1, 5)]
    state = _state(params, [[0.5, 0.25], [0.25, 0.25]])
    state.apply(events.CombinationDropped(time=2.0, combination=3, reason="halving"))
    for width in (60, 200):
        head, *lines = results_table(state, width).splitlines()
        assert [line.split()[-1] if width == 60 else line.split()[1] for line in lines[2:]] == (
            ["adam", "rmsprop"] if width == 60 else ["waiting", "dropped"]
        )
        assert len(lines) == 4
        assert "complete" not in "".join(lines)
        assert ("fold 1" in head) == (width == 200)
    # Where they do not fit, what is left folds, and says nothing of what has gone as it should.
    assert "complete" not in results_table(state, 30)


def test_nothing_complete_has_no_best() -> None:
    with pytest.raises(NoBestError, match="no combination is complete"):
        results.best_of(_state([{"epochs": 1}], [[0.5, None]]))
    empty = results.cv_results(SearchState())
    assert empty["params"] == []


def test_a_spreadsheet_finds_no_formula_in_the_table() -> None:
    texts = ["=1+1", "+cmd", "-2", "@sum", "\tx", "\rx", "plain", "a=b"]
    state = _state([{"activation": text, "learning_rate": -0.5} for text in texts], [[0.5, -0.25]] * len(texts))
    rows = list(csv.DictReader(io.StringIO(results.to_csv(state), newline="")))
    assert [row["param_activation"] for row in rows] == [
        *("'=1+1", "'+cmd", "'-2", "'@sum", "'    x", "'␍x", "plain", "a=b")
    ]
    # Numbers stay numbers, however they begin.
    assert {row["param_learning_rate"] for row in rows} == {"-0.5"}
    assert {row["split1_test_score"] for row in rows} == {"-0.25"}
    assert [row["combination"] for row in rows] == [str(index) for index in range(len(texts))]


def test_a_frame_has_a_row_for_each_combination() -> None:
    state = _state([{"epochs": 1}, {"dropout": 0.5}], [[0.5, 0.75], [None, 0.5]])
    frame = results.to_frame(state)
    assert list(frame["status"]) == ["complete", "partial"]
    assert list(frame["trainer"]) == ["kernel", "kernel"]
    assert list(frame["param_epochs"]) == [1, None]
    assert frame["mean_test_score"][0] == 0.625
