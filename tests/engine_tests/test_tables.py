"""Which parameters a table of results has columns for, and what stands in them."""

from __future__ import annotations

from typing import Any

from engine.events import CombinationsAdded, PlannedCombination
from engine.state import SearchState
from engine.tables import results_table, shown_parameter, varying
from tests.tui_tests.scripted_search import Script


def _state(*params: dict[str, Any]) -> SearchState:
    state = SearchState()
    state.apply(Script().start()[0])
    planned = [PlannedCombination(index=index, params=one, trainer="kernel") for index, one in enumerate(params)]
    state.apply(CombinationsAdded(time=1.0, combinations=planned))
    return state


def test_a_parameter_that_some_combinations_do_not_name_has_a_column() -> None:
    state = _state({"epochs": 2}, {"epochs": 2, "learning_rate": 0.01})
    assert varying(state.combinations) == ["learning_rate"]
    text = results_table(state, 80)
    assert "rate" in text.splitlines()[0]
    assert "default" in text
    assert "0.01" in text


def test_an_argument_says_nothing_where_its_head_is_another() -> None:
    sgd = {"optimizer": "sgd", "optimizer__momentum": 0.9}
    assert varying(_state({"optimizer": "adam"}, sgd).combinations) == ["optimizer"]
    assert varying(_state(sgd, {**sgd, "optimizer__momentum": 0.8}).combinations) == ["optimizer__momentum"]
    assert shown_parameter("optimizer__momentum", {"optimizer": "adam"}) == ""
    assert shown_parameter("optimizer", {}) == "default"
