"""How much of a search is behind it rises to 1 and never falls, whatever its strategy drops and adds."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from engine.analysis.forecast.progress import share_done
from engine.session.state import SearchState
from tests.fakes import fake_search

if TYPE_CHECKING:
    from pathlib import Path

SPACE: dict[str, Any] = {"epochs": 9, "hidden_units": [8, 16, 24], "batch_size": [32, 64, 128]}

NEEDS_OPTUNA = pytest.mark.skipif(find_spec("optuna") is None, reason="Optuna is not installed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        {"strategy": "grid"},
        {"strategy": "halving"},
        {"strategy": {"hyperband": 9}},
        pytest.param({"strategy": {"bayes": 60, "first": 2, "lag": 2}}, marks=NEEDS_OPTUNA),
        {"subsample": 1.0, "stage": [{"subsample": 200, "keep": 3}, {"subsample": 400, "keep": 2}, {"subsample": 600}]},
    ],
    ids=["grid", "halving", "hyperband", "bayes", "stages"],
)
def test_progress_rises_to_the_end(surroundings: Path, spec: dict[str, Any]) -> None:
    search = fake_search(surroundings, SPACE, fresh=True, **spec)
    state, shares = SearchState(), [0.0]
    for event in search.run():
        state.apply(event)
        shares.append(share_done(state, search.spec))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(0.2 < share < 0.8 for share in shares)
    assert max(share for share in shares if share < 1.0) > 0.9
