"""A script's searches: scikit-learn's own, with each fit in one of our workers and each score in a session."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import engine
from engine import watch
from engine.errors import SearchStopped, UsageError, WorkerDiedError
from engine.session import events, requests
from engine.session.session import Session, open_session
from tests.marks import first_of
from tests.script_estimators import Recorded, abandoned_folders, data, fits_in

GRID = {"factor": [0.5, 1.0, 2.0]}
TIMES = ("fit_time", "score_time")


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def _same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Every key, and every value but times, to the last bit."""
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        if not any(time in key for time in TIMES):
            np.testing.assert_array_equal(np.asarray(ours[key]), np.asarray(value), err_msg=key)
    return True


def _events(session: Session, kind: type[Any]) -> list[Any]:
    return [event for event in session.follow().poll() if isinstance(event, kind)]


def test_a_grid_has_the_results_of_scikit_learn_and_a_session(sessions: Path) -> None:
    X, y = data()
    grid = {"logisticregression__C": [0.01, 0.1, 1.0], "standardscaler__with_mean": [True, False]}
    options: dict[str, Any] = {"cv": 3, "scoring": ["f1", "accuracy"], "refit": "accuracy", "return_train_score": True}
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), grid, **options)
    theirs = clone(search).fit(X, y)
    with watch("mine", sessions=sessions, workers=2):
        ours = search.fit(X, y)
    assert ours is search
    assert _same(ours.cv_results_, theirs.cv_results_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))

    session = open_session("mine", sessions)
    state = session.state()
    assert state.status == "completed"
    assert state.scoring == ["accuracy", "f1"]  # what `refit` names ranks
    assert [one.params for one in state.combinations] == ours.cv_results_["params"]
    assert state.best is not None
    assert state.best.index == ours.best_index_
    assert {event.worker for event in _events(session, events.TrainingStarted)} == {0, 1}
    scored = _events(session, events.FitScored)
    assert len(scored) == 18
    assert all(event.train_scores.keys() == {"accuracy", "f1"} for event in scored)
    with pytest.raises(UsageError, match="this search lives in "):
        _ = session.spec


def _halving() -> Any:
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    return HalvingGridSearchCV(Recorded(), GRID, cv=KFold(2), factor=2, min_resources=10, random_state=0)


FIRST = ("nested", "halving", "callable")  # the others wait for the slow run
SEARCHES: dict[str, Any] = {
    "random": lambda X, y: RandomizedSearchCV(Recorded(), GRID, n_iter=2, cv=2, random_state=3).fit(X, y).cv_results_,
    "halving": lambda X, y: _halving().fit(X, y).cv_results_,
    "validate": lambda X, y: cross_validate(Recorded(), X, y, cv=3, return_train_score=True),
    "score": lambda X, y: {"scores": cross_val_score(Ridge(), X, y, cv=3)},
    "curve": lambda X, y: dict(enumerate(learning_curve(Recorded(), X, y, cv=2, train_sizes=[10, 20]))),
    "lambda": lambda X, y: (
        GridSearchCV(
            make_pipeline(FunctionTransformer(lambda rows: rows * 2), Recorded()),
            {"recorded__factor": [1.0, -1.0]},
            cv=2,
        )
        .fit(X, y)
        .cv_results_
    ),
    "nested": lambda X, y: cross_validate(GridSearchCV(Recorded(), GRID, cv=2, n_jobs=2), X, y, cv=2),
    "callable": lambda X, y: (
        GridSearchCV(
            Recorded(), GRID, cv=2, scoring=lambda model, X, y: {"a": model.factor, "b": float(len(X))}, refit="a"
        )
        .fit(X, y)
        .cv_results_
    ),
}


@pytest.mark.parametrize(
    "name", first_of([(name,) for name in sorted(SEARCHES, key=lambda name: name not in FIRST)], len(FIRST))
)
def test_every_kind_of_search_has_its_own_results(name: str, sessions: Path) -> None:
    X, y = data()
    theirs = SEARCHES[name](X, y)
    with watch(name, sessions=sessions, workers=1):
        ours = SEARCHES[name](X, y)
    assert _same({str(key): value for key, value in ours.items()}, {str(key): value for key, value in theirs.items()})
    state = open_session(name, sessions).state()
    assert state.status == "completed"
    assert state.fits_finished == state.fits_total > 0
    if name == "halving":
        assert [one.params["n_resources"] for one in state.combinations] == list(ours["n_resources"])


def test_what_is_scored_is_not_run_again(sessions: Path, marks: Path) -> None:
    X, y = data()
    search = GridSearchCV(Recorded(folder=str(marks)), GRID, cv=3, refit=False)
    with watch("a", sessions=sessions, workers=1):
        first = clone(search).fit(X, y).cv_results_
    assert len(fits_in(marks)) == 9
    for workers in (1, 2):
        with watch("a", sessions=sessions, workers=workers):
            again = clone(search).fit(X, y).cv_results_
        assert len(fits_in(marks)) == 9
        np.testing.assert_array_equal(first["mean_fit_time"], again["mean_fit_time"])
        assert _same(again, first)
    # Another grid is another session, which takes over what is known of the first.
    with watch("a", sessions=sessions, workers=1):
        clone(search).set_params(param_grid={"factor": [0.5, 3.0]}).fit(X, y)
    assert len(fits_in(marks)) == 12
    state = open_session("a-2", sessions).state()
    assert [fit.taken_from for fit in state.combinations[0].fits] == ["a", "a", "a"]
    with watch("a", sessions=sessions, workers=1, fresh=True):
        clone(search).fit(X, y)
    assert len(fits_in(marks)) == 21
    # Other data are other fits.
    with watch("a", sessions=sessions, workers=1):
        clone(search).fit(X + 1e-9, y)
    assert len(fits_in(marks)) == 30


def test_a_refit_with_parallel_calls_of_its_own_is_still_the_same_search(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        GridSearchCV(RandomForestClassifier(3, random_state=0), {"max_depth": [1, 2]}, cv=2).fit(X, y)
        GridSearchCV(Recorded(), GRID, cv=2).fit(X, y)
    assert [one.id for one in engine.list_sessions(sessions)] == ["a-2", "a"]
    assert {open_session(name, sessions).state().status for name in ("a", "a-2")} == {"completed"}


def test_a_search_that_was_stopped_takes_no_more_fits(sessions: Path) -> None:
    X, y = data()

    class TwoRounds(GridSearchCV):  # type: ignore[misc]
        def _run_search(self, evaluate_candidates: Any) -> None:
            evaluate_candidates([{"factor": 1.0}])
            session = open_session("a", sessions)
            session.request(requests.Stop())
            _wait_for(session, events.SearchStopping)
            evaluate_candidates([{"factor": 2.0}])

    with watch("a", sessions=sessions, workers=1), pytest.raises(SearchStopped, match="run the script again"):
        TwoRounds(Recorded(), {}, cv=2).fit(X, y)
    assert open_session("a", sessions).state().status == "stopped"


def test_a_splitter_that_raises_is_heard(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1), pytest.raises(ValueError, match="'groups' parameter"):
        cross_val_score(Recorded(), X, y, cv=LeaveOneGroupOut())


def test_searches_of_one_watch_are_numbered(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        GridSearchCV(Recorded(), GRID, cv=2).fit(X, y)
        cross_val_score(Recorded(), X, y, cv=2)
    assert [open_session(name, sessions).record.spec["strategy"] for name in ("a", "a-2")] == [
        "GridSearchCV",
        "cross-validation",
    ]


@pytest.mark.parametrize("jobs", first_of([(1,), (None,), (2,)], 2))
def test_jobs_are_workers(jobs: int | None, sessions: Path) -> None:
    X, y = data()

    def of_a_worker(model: Any, X: Any, y: Any) -> float:
        return float(os.getpid() != here)

    here = os.getpid()
    with watch("a", sessions=sessions, workers=2):
        search = GridSearchCV(Recorded(), GRID, cv=2, n_jobs=jobs, scoring=of_a_worker).fit(X, y)
    assert set(search.cv_results_["mean_test_score"]) == {1.0}
    started = open_session("a", sessions).state().started
    assert started is not None
    assert started.workers == (jobs or 2)


@pytest.mark.parametrize("fault", first_of([("kill once",), ("memory once",)]))
def test_a_lost_fit_is_run_once_more(fault: str, sessions: Path, marks: Path) -> None:
    X, y = data()
    estimator = Recorded(folder=str(marks), fault=fault, faulty=1.0)
    theirs = GridSearchCV(Recorded(), GRID, cv=2).fit(X, y).cv_results_["mean_test_score"]
    with watch("a", sessions=sessions, workers=2):
        ours = GridSearchCV(estimator, GRID, cv=2, refit=False).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(ours, theirs)
    session = open_session("a", sessions)
    (retried,) = _events(session, events.FitRetried)
    assert retried.combination == 1
    assert session.state().status == "completed"


@pytest.mark.parametrize("fault", first_of([("kill",), ("hang",)]))
def test_a_fit_that_loses_two_workers_gets_the_error_score(fault: str, sessions: Path) -> None:
    X, y = data()
    estimator = Recorded(fault=fault, faulty=1.0)
    with (
        watch("a", sessions=sessions, workers=1, time_limit=2.0 if fault == "hang" else 60.0),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        search = GridSearchCV(estimator, GRID, cv=2, refit=False, error_score=-7.0).fit(X, y)
    assert search.cv_results_["split0_test_score"][1] == search.cv_results_["split1_test_score"][1] == -7.0
    state = open_session("a", sessions).state()
    errors = [str(fit.error) for fit in state.combinations[1].fits]
    assert "for the second time" in errors[0]
    assert ("SIGKILL" if fault == "kill" else "too long") in errors[1]
    if fault == "kill":
        with watch("b", sessions=sessions, workers=1), pytest.raises(WorkerDiedError, match="SIGKILL"):
            GridSearchCV(estimator, GRID, cv=2, error_score="raise").fit(X, y)


def test_the_end_of_each_search_is_notified(sessions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    command = "sh -c 'echo told $FOLDWATCH_SESSION $FOLDWATCH_OUTCOME'"
    with watch("a", sessions=sessions, workers=1, notify=command):
        cross_val_score(Recorded(), X, y, cv=2)
        cross_val_score(Recorded(), X, y, cv=3)
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("told")]
    assert sorted(told) == ["told a completed", "told a-2 completed"]
    with watch("b", sessions=sessions, workers=1, notify="/nowhere/tell"):
        cross_val_score(Recorded(), X, y, cv=2)
    assert "foldwatch: notify: " in capfd.readouterr().err


def test_a_fit_that_raises_is_as_scikit_learn_has_it(sessions: Path) -> None:
    X, y = data()
    search = GridSearchCV(Recorded(fault="raise", faulty=1.0), GRID, cv=2, refit=False)
    with watch("a", sessions=sessions, workers=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours = clone(search).fit(X, y).cv_results_
    (failed,) = (one for one in caught if one.category is FitFailedWarning)
    assert "2 fits failed out of a total of 6" in str(failed.message)
    assert np.isnan(ours["mean_test_score"][1])
    failed_fit = open_session("a", sessions).state().combinations[1].fits[0]
    assert failed_fit.error == "ValueError: it cannot be fitted"
    assert "_fail" in failed_fit.traceback
    with watch("b", sessions=sessions, workers=1), pytest.raises(ValueError, match="it cannot be fitted"):
        clone(search).set_params(error_score="raise").fit(X, y)
    assert open_session("b", sessions).state().fits_failed > 0


def test_what_is_printed_and_warned(sessions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    search = GridSearchCV(Recorded(fault="warn", faulty=1.0), GRID, cv=2, verbose=2, refit=False)
    with watch("a", sessions=sessions, workers=1), warnings.catch_warnings():
        warnings.simplefilter("default")
        search.fit(X, y)
    out, err = capfd.readouterr()
    assert out.count("[CV] END") == 6
    assert "fitted" not in out
    assert err.count("UserWarning: something to know") == 1
    log = (sessions / "a" / "worker.0.log").read_text()
    assert log.count("fitted 0.5") == 2
    assert "something to know" in log


def _steered(sessions: Path, marks: Path, step: Any, **options: Any) -> tuple[GridSearchCV, list[BaseException]]:
    """A search whose fits wait for a mark; `step` is called, with its session, once the first has begun."""
    X, y = data()
    search = GridSearchCV(Recorded(folder=str(marks), wait_for=str(marks / "go")), GRID, cv=2, refit=False, **options)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with watch("a", sessions=sessions, workers=1):
                search.fit(X, y)
        except SearchStopped as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    pause = threading.Event()
    while not list(marks.glob("*.fit")):
        pause.wait(0.01)
    step(open_session("a", sessions))
    (marks / "go").touch()
    thread.join()
    return search, failures


def _wait_for(session: Session, kind: type[Any]) -> None:
    pause = threading.Event()
    while not _events(session, kind):
        pause.wait(0.01)


def test_a_stop_ends_the_script_and_its_next_run_goes_on(sessions: Path, marks: Path) -> None:
    def stop(session: Session) -> None:
        session.request(requests.Stop())
        _wait_for(session, events.SearchStopping)

    _, failures = _steered(sessions, marks, stop)
    (failure,) = failures
    assert "run the script again to go on with the" in str(failure)
    state = open_session("a", sessions).state()
    assert state.status == "stopped"
    assert 1 <= state.fits_finished < 6
    search, failures = _steered(sessions, marks, lambda session: None)
    assert not failures
    assert len(search.cv_results_["params"]) == 3
    assert len(fits_in(marks)) == 6
    assert open_session("a", sessions).state().status == "completed"


def test_a_pause_holds_what_follows(sessions: Path, marks: Path) -> None:
    def pause_and_go_on(session: Session) -> None:
        session.request(requests.Pause())
        _wait_for(session, events.SearchPaused)
        session.request(requests.Resume())
        _wait_for(session, events.SearchResumed)

    _, failures = _steered(sessions, marks, pause_and_go_on)
    assert not failures
    assert open_session("a", sessions).state().status == "completed"


@pytest.mark.parametrize("error_score", first_of([(-1.0,), ("raise",)]))
def test_a_skip_gives_the_error_score(error_score: Any, sessions: Path, marks: Path) -> None:
    def skip(session: Session) -> None:
        session.request(requests.Skip(combination=2))
        if error_score == "raise":
            pause = threading.Event()
            while not (sessions / "a" / "engine.log").exists():
                pause.wait(0.01)
        else:
            _wait_for(session, events.CombinationDropped)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search, _ = _steered(sessions, marks, skip, error_score=error_score)
    if error_score == "raise":
        assert 'error_score="raise"' in (sessions / "a" / "engine.log").read_text()
        assert len(fits_in(marks)) == 6
    else:
        assert search.cv_results_["mean_test_score"][2] == -1.0
        assert len(fits_in(marks)) == 4
        # What was left out runs in the next run of the script.
        again, _ = _steered(sessions, marks, lambda session: None, error_score=error_score)
        assert len(fits_in(marks)) == 6
        assert again.cv_results_["mean_test_score"][2] > 0
        state = open_session("a", sessions).state()
        assert not state.combinations[2].dropped
        assert state.status == "completed"


def test_other_work_runs_as_without_us(sessions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    theirs = cross_val_predict(Recorded(), X, y, cv=3)
    with watch("a", sessions=sessions, workers=2):
        np.testing.assert_array_equal(cross_val_predict(Recorded(), X, y, cv=3), theirs)
        cross_val_predict(Recorded(), X, y, cv=3)
    assert capfd.readouterr().err.count("no fit of a search") == 1
    assert not (sessions / "a").exists()


def test_what_cannot_be_known_again_is_said(sessions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        cross_validate(Recorded(), X, y, cv=2, return_estimator=True)
        GridSearchCV(Recorded(), GRID, cv=KFold(2, shuffle=True)).fit(X, y)
    err = capfd.readouterr().err
    assert "return_estimator" in err
    assert "seed: KFold(random_state=...)" in err


def test_large_arrays_are_mapped_and_gone_at_the_end(sessions: Path) -> None:
    X, y = data(60_000)
    with watch("a", sessions=sessions, workers=1):
        search = GridSearchCV(Recorded(), GRID, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    assert abandoned_folders() == []


def test_the_backend_by_its_name(sessions: Path) -> None:
    X, y = data()
    with joblib.parallel_config(backend="foldwatch", name="named", sessions=str(sessions), workers=1):
        GridSearchCV(Recorded(), GRID, cv=2).fit(X, y)
    assert open_session("named", sessions).state().fits_finished == 6


def test_the_classes_are_scikit_learns_with_a_session(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWATCH_SESSIONS", str(sessions))
    X, y = data()
    search = engine.GridSearchCV(Recorded(), GRID, cv=2, session="mine")
    assert isinstance(search, GridSearchCV)
    assert clone(search).get_params()["session"] == "mine"
    assert clone(search).get_params().keys() - {"session"} == GridSearchCV(Recorded(), GRID).get_params().keys()
    assert _same(search.fit(X, y).cv_results_, GridSearchCV(Recorded(), GRID, cv=2).fit(X, y).cv_results_)
    assert open_session("mine", sessions).state().status == "completed"
    random = engine.RandomizedSearchCV(Recorded(), GRID, n_iter=2, random_state=0, session="other").fit(X, y)
    assert len(random.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    "options", [{"workers": 0}, {"workers": True}, {"name": "No Name"}, {"time_limit": -1}, {"notify": 3}]
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], sessions: Path) -> None:
    with pytest.raises(engine.errors.FoldwatchError, match="is not accepted"), watch(sessions=sessions, **options):
        pass
