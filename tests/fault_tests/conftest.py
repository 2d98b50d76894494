"""What the tests of faults compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import fake_search

if TYPE_CHECKING:
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
