"""Which parameters a table of results has columns for, and what stands in them."""

from __future__ import annotations

import re
from typing import Any

from engine.analysis.varying import shown_parameter, varying
from engine.cli.tables import results_table
from engine.formatting.tables import facts
from engine.session.events import CombinationsAdded, PlannedCombination
from engine.session.state import SearchState
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


def test_every_metric_has_a_column_or_a_place_below_the_row() -> None:
    state, script = SearchState(), Script(scoring=["accuracy", "f1_macro", "balanced_accuracy"])
    for event in script.half_way():
        state.apply(event)
    best = state.best
    assert best is not None
    shown = {metric: "{:.4f} ± {:.4f}".format(*best.mean(metric)) for metric in state.scoring}
    head, first, *_ = results_table(state, 200).splitlines()
    assert re.split("  +", head.strip())[2:6] == [*state.scoring, "seconds"]
    assert re.split("  +", first.strip())[2:5] == list(shown.values())
    head, first, below, *rest = results_table(state, 60).splitlines()
    assert "f1_macro" not in head
    assert shown["accuracy"] in first
    assert f"f1_macro {shown['f1_macro']}" in below
    assert f"balanced_accuracy {shown['balanced_accuracy']}" in rest[0]  # not broken between its words
    assert max(map(len, results_table(state, 60).splitlines())) <= 60


def test_names_and_values_from_outside_cannot_steer_the_terminal() -> None:
    evil = "\x1b]52;c;x\x07"
    state, script = (
        SearchState(),
        Script(
            params=[{"epochs": number, evil: number, "activation": evil * number} for number in (1, 2)],
            scoring=[f"a{evil}", f"f1{evil}"],
        ),
    )
    for event in script.everything():
        state.apply(event)
    for width in (60, 400):
        assert not {"\x1b", "\x07"} & set(results_table(state, width))
    assert not {"\x1b", "\x07"} & set(facts([(evil, evil)]))


def test_an_argument_says_nothing_where_its_head_is_another() -> None:
    sgd = {"optimizer": "sgd", "optimizer__momentum": 0.9}
    assert varying(_state({"optimizer": "adam"}, sgd).combinations) == ["optimizer"]
    assert varying(_state(sgd, {**sgd, "optimizer__momentum": 0.8}).combinations) == ["optimizer__momentum"]
    assert shown_parameter("optimizer__momentum", {"optimizer": "adam"}) == ""
    assert shown_parameter("optimizer", {}) == "default"
