"""Changing a running search from its live view: the prompt, its preview, and the keys that need none."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input, Static

from engine.session import events, requests
from tests.tui_tests.pilots import said, until, watching
from tests.tui_tests.scripted_search import ScriptedSession, half_way_session
from tui.live.change import ChangeScreen
from tui.results.table import ResultsTable
from tui.spec_text.completion import change_completed


async def opened(pilot: Any) -> ChangeScreen:
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChangeScreen), "the prompt")
    screen: ChangeScreen = pilot.app.screen
    return screen


def preview(prompt: ChangeScreen) -> str:
    return f"{prompt.query_one('#summary', Static).content}\n{prompt.query_one('#command', Static).content}"


async def test_a_line_is_previewed_asked_for_and_shown_as_its_command() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        prompt = await opened(pilot)
        await pilot.press(*"add hidden_units=256")
        await until(pilot, lambda: "added hidden_units 256: 12 combinations, 36 fits" in preview(prompt))
        assert "$ foldwatch add reuters-01 hidden_units=256" in preview(prompt)
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.AddValues(values={"hidden_units": [256]})]
        await until(pilot, lambda: "requested: added hidden_units 256: 12 combinations, 36 fits" in said(screen))
        assert "$ foldwatch add reuters-01 hidden_units=256" in said(screen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("clone #0 epochs=10", "which is there already"),
        ("add hidden_unit=1", "hidden_unit"),
        ("drop epochs=7", "epochs is: 10, 20, 5"),
        ("first #99", "accepted: 0 to 23"),
        ("undo", "nothing was changed that could be undone"),
    ],
)
async def test_a_mistake_is_told_and_not_sent(typed: str, message: str) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, _):
        prompt = await opened(pilot)
        prompt.query_one(Input).value = typed
        await pilot.press("enter")
        assert message in preview(prompt)
        assert pilot.app.screen is prompt
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not prompt)
        assert not session.requests


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "request_", "command"),
    [
        (["1"], requests.PutFirst(combination=20), "foldwatch first reuters-01 --combination 20"),
        (["U"], requests.Undo(), "foldwatch undo reuters-01"),
        (
            ["c", *"clone epochs=7", "enter"],
            requests.Clone(combination=20, changes={"epochs": 7}),
            "foldwatch clone reuters-01 --combination 20 epochs=7",
        ),
    ],
)
async def test_the_selected_combination_is_meant(keys: list[str], request_: Any, command: str) -> None:
    session = half_way_session()
    session.script_events.append(events.Steered(time=1.0, words="combination 3 comes first", first=[3]))
    async with watching(session) as (pilot, screen):
        screen.query_one(ResultsTable).move_to(20)
        await pilot.press(*keys)
        await until(pilot, lambda: session.requests)
        assert session.requests == [request_]
        assert command in said(screen)


async def test_what_was_added_is_a_row_at_once() -> None:
    session = half_way_session()
    params = {**session.script_events[1].combinations[0].params, "hidden_units": 256}  # type: ignore[union-attr]
    async with watching(session) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        added = events.PlannedCombination(index=24, params=params, trainer="kernel")
        session.script_events.append(events.Steered(time=1.0, words="added hidden_units 256", added=[added]))
        await until(pilot, lambda: table.model.rows == 25)
        table.order.filter_by("hidden_units=256")
        table.rearrange(by_hand=True)
        assert table.order.rows == [24]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["c", "colon", "1", "U"])
@pytest.mark.parametrize("is_alive", [True, False])
async def test_it_is_refused_where_nothing_can_be_changed(key: str, is_alive: bool) -> None:
    session = half_way_session()
    session.alive = is_alive
    async with watching(session, read_only=is_alive) as (pilot, screen):
        await pilot.press(key)
        await until(pilot, lambda: "is refused" in said(screen) or "no engine works" in said(screen))
        assert pilot.app.screen is screen
        assert not session.requests


@pytest.mark.slow
async def test_tab_takes_the_suggestion() -> None:
    async with watching() as (pilot, _):
        prompt = await opened(pilot)
        box = prompt.query_one(Input)
        await pilot.press(*"dr")
        await until(pilot, lambda: box._suggestion == "drop ")
        await pilot.press("tab")
        assert box.value == "drop "


def test_words_names_and_values_are_completed() -> None:
    state = half_way_state(half_way_session())
    assert change_completed("cl", state) == "clone "
    assert change_completed("drop ep", state) == "drop epochs="
    assert change_completed("drop epochs=", state) == "drop epochs=5"
    assert change_completed("drop optimizer=r", state) == "drop optimizer=rmsprop"
    assert change_completed("add hidden_u", state) == "add hidden_units="
    assert change_completed("add optimizer=[adam, nad", state) == "add optimizer=[adam, nadam"
    assert change_completed("add epochs=5", state) is None
    assert change_completed("", state) is None


def half_way_state(session: ScriptedSession) -> Any:
    from engine.session.state import SearchState

    state = SearchState()
    for event in session.script_events:
        state.apply(event)
    return state
