"""The workers of a script's searches: kept from one search to the next, and what cannot be sent to them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from engine import watch
from engine.session.events import WorkerStarted
from engine.session.session import open_session
from tests.script_estimators import Recorded, data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRID = {"factor": [0.5, 2.0]}


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o700)
    return folder


def _processes(name: str, sessions: Path) -> set[int]:
    return {one.pid for one in open_session(name, sessions).follow().poll() if isinstance(one, WorkerStarted)}


def test_a_search_has_the_workers_of_the_one_before(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        GridSearchCV(Recorded(), GRID, cv=2).fit(X, y)
        GridSearchCV(Recorded(factor=3.0), {"factor": [7.0]}, cv=2).fit(X, y)
        monkeypatch.setenv("OF_THE_SCRIPT", "1")  # a worker sees the environment that the script has now
        GridSearchCV(Recorded(), {"factor": [9.0]}, cv=2).fit(X, y)
    (first,), (second,), (third,) = (_processes(name, sessions) for name in ("a", "a-2", "a-3"))
    assert first == second != third
    logs = {name: (sessions / name / "worker.0.log").read_text() for name in ("a", "a-2")}
    assert logs["a"].count("fitted") == 4
    assert logs["a-2"].count("fitted 7.0") == logs["a-2"].count("fitted") == 2


class _OfOneUse(KFold):  # type: ignore[misc]
    """Its splits are made beforehand, and come once."""

    def __init__(self, rows: int) -> None:
        super().__init__(2)
        self._splits = iter(list(KFold(2).split(np.zeros(rows))) * 2)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Any]:
        for _ in range(2):
            yield next(self._splits)

    def __reduce__(self) -> Any:
        message = "no copy of it"
        raise TypeError(message)


def test_a_splitter_that_cannot_be_pickled_is_not_sent(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        search = GridSearchCV(Recorded(), GRID, cv=_OfOneUse(len(X))).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert open_session("a", sessions).state().fits_finished == 4


def test_what_cannot_be_sent_is_said_to_the_script(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1), pytest.raises(TypeError, match="pickle"):
        cross_validate(Recorded(), X, y, cv=2, params={"lock": threading.Lock()})
    assert "cannot be sent to a worker" in str(open_session("a", sessions).state().combinations[0].fits[0].error)


class _SearchWithin(GridSearchCV):  # type: ignore[misc]
    """Runs another search between its own two rounds."""

    def _run_search(self, evaluate: Any) -> None:
        evaluate([{"factor": 0.5}])
        self.within_ = GridSearchCV(Recorded(), GRID, cv=2).fit(*data())
        evaluate([{"factor": 2.0}])


def test_a_search_between_the_rounds_of_another(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        search = _SearchWithin(Recorded(), GRID, cv=2).fit(X, y)
    plain = GridSearchCV(Recorded(), GRID, cv=2).fit(X, y).cv_results_["mean_test_score"]
    for one in (search, search.within_):
        np.testing.assert_array_equal(one.cv_results_["mean_test_score"], plain)
    for name in ("a", "a-2"):
        state = open_session(name, sessions).state()
        assert (state.status, state.fits_finished) == ("completed", 4)


def test_a_large_result_comes_in_parts(sessions: Path) -> None:
    X, y = data()
    with watch("a", sessions=sessions, workers=1):
        results = cross_validate(Recorded(folder="x" * 3_000_000), X, y, cv=2, return_estimator=True)
    assert [len(one.folder) for one in results["estimator"]] == [3_000_000] * 2
