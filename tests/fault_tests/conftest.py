"""What the tests of faults compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.analysis.results import cv_results
from engine.session.session import open_session
from tests.fakes import fake_search
from tests.fault_tests.engine_forks import Ended, EngineForks
from tests.fault_tests.engine_kills import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def undisturbed(
    request: pytest.FixtureRequest, parsed_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """`cv_results_` of the module's `SPACE` when nothing goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        search = fake_search(tmp_path_factory.mktemp("undisturbed") / "sessions", request.module.SPACE)
        list(search.run())
    return search.cv_results_


@pytest.fixture(scope="module")
def forks(parsed_data: Path) -> Iterator[EngineForks]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        made = EngineForks(SPACE, folds=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed_engine(forks: EngineForks, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Any]]:
    """How it ends, and with what `cv_results_`, when nothing goes wrong."""
    sessions = tmp_path_factory.mktemp("undisturbed") / "sessions"
    ended = forks.run(sessions)
    assert ended.status == 0
    return ended, cv_results(open_session("a", sessions).state())
