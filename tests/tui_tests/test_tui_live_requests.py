"""What the live view asks of an engine, key by key, and what it refuses, against scripted searches."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, Static

from engine.session import events, requests
from engine.session.requests import SetDeadline
from tests.tui_tests.pilots import said, shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, half_way_session
from tui.live.log import LogPane
from tui.live.screen import LiveScreen
from tui.parts.dialogs import ChoiceScreen, PathScreen
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    from textual.events import DescendantFocus

SIZES = [(80, 24), (120, 40), (200, 60)]


def refusal(app: Any) -> str:
    """What the question on the screen says against the line, however it is broken there."""
    return str(app.screen.query_one("#refusal", Static).content)


@pytest.mark.parametrize(
    ("key", "request_", "command"),
    [
        ("p", requests.Pause(), "foldwatch pause reuters-01"),
        ("K", requests.Skip(combination=15), "foldwatch skip reuters-01 --combination 15"),
        ("r", requests.Retry(combination=16), "foldwatch retry reuters-01 --combination 16"),
    ],
)
async def test_a_key_asks_the_engine_and_shows_its_command(key: str, request_: Any, command: str) -> None:
    session = half_way_session()
    session.script_events.append(events.CombinationDropped(time=1.0, combination=16, reason="skipped"))
    async with watching(session) as (pilot, screen):
        screen.query_one(ResultsTable).move_to(16 if key == "r" else 15)
        await pilot.press(key)
        await until(pilot, lambda: session.requests)
        assert session.requests == [request_]
        assert command in said(screen)


async def test_a_complete_search_is_not_to_be_started_for_a_pause() -> None:
    script = Script()
    session = ScriptedSession(list(script.everything()), script.curves, alive=False)
    async with watching(session) as (pilot, screen):
        await until(pilot, lambda: screen.live.standing == "completed")
        await pilot.press("p")
        await until(pilot, lambda: "the search is complete, so there is nothing to pause $" in said(screen))


async def test_keys_go_to_the_table_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    focused: list[str | None] = []
    when_focused = LiveScreen.on_descendant_focus

    def note(screen: LiveScreen, event: DescendantFocus) -> None:
        focused.append(event.widget.id)
        when_focused(screen, event)

    monkeypatch.setattr(LiveScreen, "on_descendant_focus", note)
    async with watching() as (pilot, _):
        await until(pilot, lambda: focused)
        assert set(focused) == {"results"}


async def test_what_was_said_goes_when_the_search_has_got_there() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("p")
        await until(pilot, lambda: "a pause was requested" in said(screen))
        session.script_events.append(events.SearchPaused(time=1.0))
        await until(pilot, lambda: "PAUSED" in shown(pilot.app))
        await until(pilot, lambda: "a pause was requested" not in said(screen))
        assert "foldwatch pause reuters-01" in said(screen)


async def test_retry_takes_all_failed_ones_where_none_is_selected() -> None:
    script = Script(splits=1)
    made = script.start()
    for index in (3, 5):
        made += script.failed(index, 0, "it broke", "")
    session = ScriptedSession([*made, *script.fit(0, 0)], script.curves)
    async with watching(session) as (pilot, screen):
        await pilot.press("r")
        await until(pilot, lambda: len(session.requests) == 2)
        assert "foldwatch retry reuters-01 --combination 3 --combination 5" in said(screen)
        assert session.requests == [requests.Retry(combination=3), requests.Retry(combination=5)]


@pytest.mark.parametrize("alive", [True, False])
async def test_what_diverged_is_not_retried(alive: bool) -> None:
    script = Script(splits=1)
    training, begun = script.begin(3, 0)
    diverged = events.FitScored(
        time=script.clock, combination=3, fold=0, training=training, epochs=5, scores={}, seconds=1.0, diverged=True
    )
    session = ScriptedSession([*script.start(), *begun, diverged, *script.fit(0, 0)], script.curves, alive=alive)
    async with watching(session) as (pilot, screen):
        screen.query_one(ResultsTable).move_to(3)
        await pilot.press("r")
        assert "combination 3 diverged; with the same seed it would again" in said(screen)
        assert session.requests == []


async def test_the_log_counts_what_failed_and_what_diverged_apart() -> None:
    async with watching() as (_, screen):
        assert str(screen.query_one(LogPane).border_subtitle) == "1 failed, 1 diverged"


async def test_resume_after_a_pause() -> None:
    session = half_way_session()
    session.script_events.append(events.SearchPaused(time=1_750_000_070.0))
    async with watching(session) as (pilot, screen):
        assert "PAUSED" in shown(pilot.app)
        await pilot.press("s")
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Resume()]
        session.script_events.append(events.SearchResumed(time=1_750_000_071.0))
        await until(pilot, lambda: screen.live.standing == "running")


@pytest.mark.slow
@pytest.mark.parametrize(("key", "at_once"), [("f", False), ("a", True)])
async def test_stop_asks_how(key: str, at_once: bool) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        assert not session.requests
        await pilot.press(key)
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Stop(at_once=at_once)]
        assert "foldwatch stop reuters-01" in said(screen)
        await until(pilot, lambda: "STOPPING" in shown(pilot.app))
        assert " left" not in shown(pilot.app).splitlines()[1]


async def test_stop_can_be_left() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not session.requests


@pytest.mark.parametrize(("typed", "request_made"), [("20m", SetDeadline(seconds=1200)), ("none", SetDeadline())])
async def test_a_deadline_is_asked_for(typed: str, request_made: SetDeadline) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        pilot.app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert session.requests == [request_made]
        assert f"foldwatch deadline reuters-01 {typed}" in said(screen)


async def test_what_is_no_deadline_is_refused_with_what_is_accepted() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        box = pilot.app.screen.query_one(Input)
        box.value = "soon"
        await pilot.press("enter")
        await until(pilot, lambda: "'soon' is not accepted" in shown(pilot.app))
        assert "an ISO date and time, or none" in " ".join(shown(pilot.app).replace("│", " ").split()), "uncut"
        assert box.value == "soon"
        assert not session.requests
        box.value = "20m"
        await until(pilot, lambda: "not accepted" not in shown(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert screen.is_current


async def test_the_header_says_by_when() -> None:
    session = half_way_session()
    at = datetime.now().replace(hour=23, minute=59, second=58).timestamp()
    session.script_events.append(events.DeadlineSet(time=1_750_000_071.0, at=at))
    async with watching(session) as (pilot, _):
        await until(pilot, lambda: "by 23:59:58" in shown(pilot.app))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "combination"), [("b", None), ("B", 10)])
async def test_save_asks_where(key: str, combination: int | None, tmp_path: Path) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("j", key)
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        assert "foldwatch save reuters-01" in shown(pilot.app)
        # A folder that is not there is refused before anybody trains.
        await pilot.press("enter")
        await until(pilot, lambda: "there is no folder" in refusal(pilot.app))
        path = str(tmp_path / "a.keras")
        Path(path).touch()
        field = pilot.app.screen.query_one(Input)
        field.value = path
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "would be replaced" in refusal(pilot.app))
        assert not session.requests
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Save(path=path, combination=combination)]
        session.script_events.append(events.RefitStarted(time=1.0, combination=8, epochs=20, path=path))
        await until(pilot, lambda: "refitting #8 on all training rows: epoch 0/20" in shown(pilot.app))
        session.script_events += [
            events.RefitEpochEnded(time=1.0, combination=8, epoch=3, epochs=20, loss=0.5, path=path),
        ]
        await until(pilot, lambda: "rows: epoch 3/20" in shown(pilot.app))
        session.script_events += [
            events.ModelSaved(time=1.0, combination=8, path="/x/best.keras", sha256="0"),
            events.TestScored(time=1.0, combination=8, scores={"accuracy": 0.801}, rows=2246),
        ]
        # The header keeps the best, with what the test set said of it.
        await until(pilot, lambda: ", 0.8010 on the test set  #8 batch" in shown(pilot.app).splitlines()[1])
        assert "accuracy 0.8010 on the test set (2246 rows) · saved #8 to /x/best.keras" in said(screen)
        session.script_events.append(events.SaveFailed(time=1.0, combination=8, path="/x", error="no room"))
        await until(pilot, lambda: "no room" in shown(pilot.app))
        assert "★ accuracy 0.8" in shown(pilot.app).splitlines()[1]
        assert screen.live.state.refit is not None


async def test_a_combination_that_is_not_complete_cannot_be_saved() -> None:
    async with watching() as (pilot, screen):
        screen.query_one(ResultsTable).move_to(15)
        await pilot.press("B")
        await until(pilot, lambda: "not complete" in said(screen))


@pytest.mark.slow
@pytest.mark.parametrize("key", ["p", "x", "K", "r", "b", "s"])
async def test_read_only_refuses_what_changes_the_search(key: str) -> None:
    session = half_way_session()
    async with watching(session, read_only=True) as (pilot, screen):
        await pilot.press(key)
        await until(pilot, lambda: "read-only" in said(screen))
        assert not session.requests
        assert "p pause" not in shown(pilot.app)


async def test_nothing_can_be_asked_of_an_engine_that_is_gone() -> None:
    session = half_way_session()
    session.alive = False
    async with watching(session) as (pilot, screen):
        assert "CRASHED" in shown(pilot.app)
        assert "s start" in shown(pilot.app)
        await pilot.press("p")
        await until(pilot, lambda: "no engine works on this session" in said(screen))
        assert not session.requests
