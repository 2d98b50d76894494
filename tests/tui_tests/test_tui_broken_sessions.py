"""The app beside one broken session: it is named with its reason, the others show, and whoever follows it lives on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine.session.session import open_session
from tests.broken_sessions import DAMAGED, HARMLESS, UNREADABLE, sound_session
from tests.tui_tests.pilots import shown, until
from tests.tui_tests.scripted_search import ScriptedSession
from tui.app import FoldwatchApp
from tui.home.about_session import about
from tui.home.screen import HomeScreen
from tui.home.sessions_reader import SessionsReader
from tui.live.follow import Feed, Follow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    sound_session(folder, "bad")
    sound_session(folder, "good")
    return folder


def _followed(session: Any, enough: Callable[[Feed], object]) -> list[Feed]:
    """What a follow thread hands over until it is enough; it lives then and can be stopped."""
    changed, feeds = threading.Event(), list[Feed]()
    follow = Follow(session, changed.set, poll_seconds=0.002)
    follow.start()
    while not any(enough(feed) for feed in feeds):
        assert changed.wait(20)
        changed.clear()
        feeds.append(follow.drain())
    follow.stop()
    follow.join(5)
    assert not follow.is_alive()
    return feeds


@pytest.mark.parametrize("kind", UNREADABLE)
def test_the_list_says_why_a_session_cannot_be_read(kind: str, sessions: Path) -> None:
    session = open_session("bad", sessions)
    break_it, why = UNREADABLE[kind]
    break_it(sessions / "bad")
    listed = {one.id: one for one in SessionsReader(sessions).read()}
    assert why in listed["bad"].problem
    assert why in about(listed["bad"]).problem
    assert (listed["good"].status, about(listed["good"]).problem) == ("completed", "")
    if "journal" in kind or kind in ("an endless line", "many segments", "damage everywhere"):
        # One that broke while it was looked at: the thread says so and goes on.
        _followed(session, lambda feed: any(why in problem for problem in feed.problems))


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_named_in_the_list_and_to_whoever_follows(kind: str, sessions: Path) -> None:
    DAMAGED[kind][0](sessions / "bad")
    session = open_session("bad", sessions)
    damages = session.state().damages
    listed = {one.id: one for one in SessionsReader(sessions).read()}
    assert (listed["bad"].status, listed["bad"].damages) == ("damaged", len(damages))
    assert about(listed["bad"]).standing.startswith(f"damaged in {len(damages)} place")
    feeds = _followed(session, lambda feed: feed.state)
    state = next(feed.state for feed in feeds if feed.state)
    state.note_damages(next((feed.damages for feed in feeds if feed.damages), []))
    assert state.damages == damages


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_out_of_order_is_followed(kind: str, sessions: Path) -> None:
    HARMLESS[kind](sessions / "bad")
    feeds = _followed(open_session("bad", sessions), lambda feed: feed.state)
    assert not [problem for feed in feeds for problem in feed.problems]


async def test_the_live_view_of_a_damaged_session_says_so(sessions: Path) -> None:
    DAMAGED["a score"][0](sessions / "bad")
    app = FoldwatchApp(sessions=sessions, session=open_session("bad", sessions))
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "the record is damaged: journal.1.jsonl" in shown(app), "the damage")
        assert "DAMAGED" in shown(app).splitlines()[0]


async def test_the_home_screen_offers_to_resume_what_is_damaged(sessions: Path) -> None:
    DAMAGED["a score"][0](sessions / "bad")
    UNREADABLE["many segments"][0](sessions / "good")
    app = FoldwatchApp(sessions=sessions)
    async with app.run_test(size=(160, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: "✗ damaged" in shown(app) and "? unreadable" in shown(app), "both sessions")


def test_a_fault_in_following_is_said_and_not_silent() -> None:
    class Faulty(ScriptedSession):
        def follow(self) -> Any:
            return [][1]

    feeds = _followed(Faulty([]), lambda feed: feed.problems)
    assert "internal error: IndexError" in feeds[-1].problems[0]
