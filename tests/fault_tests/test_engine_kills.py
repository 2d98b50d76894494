"""An engine killed at any file operation, or at any moment, loses no score that it acknowledged and leaves nothing."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.analysis.results import cv_results
from engine.session.events import AnyEvent, FitScored
from engine.session.session import open_session
from tests.fakes import same_results
from tests.fault_tests.engine_forks import Ended, EngineForks

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE: dict[str, Any] = {"epochs": [1, 2], "hidden_units": [8, 16]}
FITS = 8
KILLS = 200


@pytest.fixture(scope="module")
def forks(parsed_data: Path) -> Iterator[EngineForks]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        made = EngineForks(SPACE, folds=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed(forks: EngineForks, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Any]]:
    """How it ends, and with what `cv_results_`, when nothing goes wrong."""
    sessions = tmp_path_factory.mktemp("undisturbed") / "sessions"
    ended = forks.run(sessions)
    assert ended.status == 0
    return ended, cv_results(open_session("a", sessions).state())


def _scores(happened: list[AnyEvent]) -> dict[tuple[int, int], dict[str, float | None]]:
    return {(one.combination, one.fold): one.scores for one in happened if isinstance(one, FitScored)}


def _assert_nothing_is_lost(
    forks: EngineForks, sessions: Path, acknowledged: list[AnyEvent], expected: dict[str, Any]
) -> None:
    """The invariant: what was acknowledged is there, once; a resume ends as undisturbed, and nothing else is left."""
    if acknowledged:
        recorded = _scores(open_session("a", sessions).follow().poll())
        assert _scores(acknowledged).items() <= recorded.items()
    resumed = forks.run(sessions)
    assert (resumed.status, resumed.left) == (0, [])
    session = open_session("a", sessions)
    happened = session.follow().poll()
    assert len([one for one in happened if isinstance(one, FitScored)]) == FITS
    assert _scores(acknowledged).items() <= _scores(happened).items()
    assert same_results(cv_results(session.state()), expected)
    assert os.listdir(sessions) == ["a"]
    hidden = [path for path in sessions.rglob("*") if path.name.startswith(".")]
    assert hidden == []


@pytest.mark.slow
def test_killed_where_a_file_gets_its_content_or_its_name(
    forks: EngineForks, undisturbed: tuple[Ended, dict[str, Any]], tmp_path: Path
) -> None:
    """The first operation of every such kind, of each sort of file."""
    kinds = [
        kind
        for kind in dict.fromkeys(undisturbed[0].operations)
        if kind.startswith(("half a write", "sync", "rename", "link"))
    ]
    # The journal goes by the name that its segment had before it got its own.
    assert {"half a write .foldwatch-N.N.N.segment", "link journal.N.jsonl", "half a write curves.N.jsonl"} <= set(
        kinds
    )
    for number, kind in enumerate(kinds):
        sessions = tmp_path / str(number) / "sessions"
        killed = forks.run(sessions, fatal=kind)
        assert (killed.was_killed, killed.left) == (True, []), kind
        _assert_nothing_is_lost(forks, sessions, killed.acknowledged, undisturbed[1])


@pytest.mark.slow
@pytest.mark.parametrize("beginning", ["new", "resumed"])
def test_killed_at_every_operation(
    forks: EngineForks, undisturbed: tuple[Ended, dict[str, Any]], tmp_path: Path, beginning: str
) -> None:
    half_done = tmp_path / "half done"
    if beginning == "resumed":
        assert forks.run(half_done / "sessions", kill_after=(12, 0.0)).was_killed
    for number in range(1000):
        root = tmp_path / str(number)
        if beginning == "resumed":
            shutil.copytree(half_done, root)
        ended = forks.run(root / "sessions", fatal=number)
        assert ended.left == []
        if not ended.was_killed:
            assert ended.status == 0
            break
        _assert_nothing_is_lost(forks, root / "sessions", ended.acknowledged, undisturbed[1])
        shutil.rmtree(root)
    # How much was left for a resume depends on when the kill came.
    assert number > (30 if beginning == "new" else 10)


@pytest.mark.slow
def test_killed_at_random_moments(
    forks: EngineForks, undisturbed: tuple[Ended, dict[str, Any]], tmp_path: Path
) -> None:
    """Before the first score, between any two, in resumes and at the end; the number seeds its moment.

    On a fast machine an engine is often done before its moment: sessions go on until enough were killed.
    """
    killed = 0
    for seed in range(2 * KILLS):
        chance = random.Random(seed)
        sessions = tmp_path / str(seed) / "sessions"
        acknowledged: list[AnyEvent] = []
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            moment = (chance.randrange(len(undisturbed[0].acknowledged)), chance.expovariate(100))
            ended = forks.run(sessions, workers=2, kill_after=moment)
            assert ended.left == [], seed
            assert ended.was_killed or ended.status == 0, seed
            killed += ended.was_killed
            acknowledged += ended.acknowledged
        _assert_nothing_is_lost(forks, sessions, acknowledged, undisturbed[1])
        if killed >= KILLS:
            return
    pytest.fail(f"only {killed} of {KILLS} engines were killed before they had ended")
