"""What holds of every engine that is killed: no score that it acknowledged is lost, and nothing is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.analysis.results import cv_results
from engine.session.events import AnyEvent, FitScored
from engine.session.session import open_session
from tests.fakes import same_results
from tests.fault_tests.engine_forks import EngineForks

SPACE: dict[str, Any] = {"epochs": [1, 2], "hidden_units": [8, 16]}
FITS = 8


def scores_of(happened: list[AnyEvent]) -> dict[tuple[int, int], dict[str, float | None]]:
    return {(one.combination, one.fold): one.scores for one in happened if isinstance(one, FitScored)}


def assert_nothing_is_lost(
    forks: EngineForks, sessions: Path, acknowledged: list[AnyEvent], expected: dict[str, Any]
) -> None:
    """The invariant: what was acknowledged is there, once; a resume ends as undisturbed, and nothing else is left."""
    if acknowledged:
        recorded = scores_of(open_session("a", sessions).follow().poll())
        assert scores_of(acknowledged).items() <= recorded.items()
    resumed = forks.run(sessions)
    assert (resumed.status, resumed.left) == (0, [])
    session = open_session("a", sessions)
    happened = session.follow().poll()
    assert len([one for one in happened if isinstance(one, FitScored)]) == FITS
    assert scores_of(acknowledged).items() <= scores_of(happened).items()
    assert same_results(cv_results(session.state()), expected)
    assert os.listdir(sessions) == ["a"]
    hidden = [path for path in sessions.rglob("*") if path.name.startswith(".")]
    assert hidden == []
