"""The home screen against real session folders: what it lists, what every key does, and that it cannot be fooled."""

from __future__ import annotations

import functools
import os
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, TextArea

from engine.session.listing import SessionSummary, list_sessions, summarise
from engine.session.search_status import SearchStatus
from tests.tui_tests.pilots import shown, until
from tests.tui_tests.scripted_search import NOON, Script
from tests.tui_tests.small_sessions import make_session, some_sessions
from tui.app import FoldwatchApp
from tui.home.about_pane import AboutPane
from tui.home.compare import CompareScreen
from tui.home.note_editor import NoteScreen
from tui.home.notes import MOST_BYTES, read_note, write_note
from tui.home.screen import HomeScreen
from tui.home.session_columns import fitted, matches, took, when
from tui.home.sessions_reader import SessionsReader
from tui.live.screen import LiveScreen
from tui.new_search.screen import NewSearchScreen
from tui.parts.dialogs import ChoiceScreen, TextScreen
from tui.parts.keys_screen import KeysScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

HOSTILE = "evil\x1b]52;c;aGk=\x07\x9b31m[red]\u202etxt[/] " + "w" * 900  # as much as a record may say of a host


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    some_sessions(folder)
    return folder


@asynccontextmanager
async def at_home(
    folder: Path, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], HomeScreen]]:
    """An app whose home screen has read its folder."""
    app = FoldwatchApp(sessions=folder, **options)
    async with app.run_test(size=size) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: home._has_read, "the list of sessions")
        yield pilot, home


async def cursor_on(pilot: Pilot[Any], home: HomeScreen, name: str) -> None:
    home._table.move_to(name)
    await until(pilot, lambda: home._table.cursor is not None and home._table.cursor.id == name)


def is_about(home: HomeScreen, name: str) -> bool:
    about = home.query_one(AboutPane)._about
    return about is not None and about.id == name


def names(home: HomeScreen) -> list[str]:
    return [summary.id for summary in home._table.shown]


# What it lists


async def test_sessions_newest_first_with_what_is_known_of_them(sessions: Path) -> None:
    async with at_home(sessions, (160, 40)) as (_, home):
        assert names(home)[1:] == ["reuters-wide-layers", "imdb-01", "demo-01", "reuters-02", "reuters-01"]
        text = shown(home.app)
        assert "6 sessions · 1 running" in text
        for word in ("reuters-wide-layers", "● running", "✗ crashed", "■ stopped", "✓ completed", "synthetic", "42/72"):
            assert word in text
        assert "laptop" in text
        line = next(line for line in text.splitlines() if "reuters-01" in line)
        assert "72/72" in line
        assert "0.81" in line


async def test_a_session_that_cannot_be_read_is_listed_with_its_problem(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        assert "not the record of a search" in shown(home.app)
        await cursor_on(pilot, home, "broken-01")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(home.app.screen, TextScreen))
        # The path folds where the screen ends, wherever in a word that is.
        await until(pilot, lambda: "search.json" in re.sub(r"[^\w./-]", "", shown(home.app)))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_is_drawn(sessions: Path, size: tuple[int, int]) -> None:
    async with at_home(sessions, size) as (pilot, home):
        await cursor_on(pilot, home, "reuters-02")
        await until(pilot, lambda: "8,982" in shown(home.app) or size == (40, 12), "about the session")
        assert "reuters-02" in shown(home.app)
        assert "? keys" in shown(home.app)


async def test_an_empty_home_offers_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []
    monkeypatch.setattr(FoldwatchApp, "start_demo", lambda app: started.append(True))
    async with at_home(tmp_path / "nothing") as (pilot, home):
        await until(pilot, lambda: home.has_class("-empty"))
        assert "No searches here yet" in shown(home.app)
        await pilot.press("D")
        assert started == [True]


async def test_the_demo_is_asked_for_where_there_are_sessions(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []
    monkeypatch.setattr(FoldwatchApp, "start_demo", lambda app: started.append(True))
    async with at_home(sessions) as (pilot, home):
        await pilot.press("D")
        await until(pilot, lambda: isinstance(home.app.screen, ChoiceScreen))
        await pilot.press("escape")
        await until(pilot, lambda: home.is_current)
        assert not started
        await pilot.press("D", "y")
        assert started == [True]


@pytest.mark.slow
async def test_the_first_session_takes_the_keys(tmp_path: Path) -> None:
    async with at_home(tmp_path) as (pilot, home):
        await until(pilot, lambda: home.has_class("-empty"))
        await pilot.press("x", "j", "escape", "m", "c", "e", "r", "d", "enter", "y")
        make_session(tmp_path, "first-01", Script().everything())
        await until(pilot, lambda: names(home) == ["first-01"] and home.focused is home._table)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(home.app.screen, NewSearchScreen))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: home.app.screen is home)
        assert home._table.filter_text == ""
        assert home.focused is home._table


async def test_what_happens_on_disk_shows_by_itself(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        make_session(sessions, "newest-01", Script().start(), created=NOON + 10_000_000)
        await until(pilot, lambda: "newest-01" in names(home))
        assert home._table.cursor is not None
        assert home._table.cursor.id == "reuters-01"


def test_only_what_changed_is_read_anew(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SessionsReader(sessions)
    first = reader.read()
    assert [one.id for one in first if not one.problem] == [
        one.id for one in list_sessions(sessions) if not one.problem
    ]
    read: list[str] = []

    def watched(place: Path) -> SessionSummary:
        read.append(place.name)
        return summarise(place)

    monkeypatch.setattr("tui.home.sessions_reader.summarise", watched)
    again = reader.read()
    # This process is the engine of one of them, so that one can change at any time.
    assert read == ["reuters-wide-layers"]
    assert [one.id for one in again] == [one.id for one in first]
    write_note(sessions / "reuters-01", "looked at")
    reader.read()
    assert set(read) == {"reuters-wide-layers", "reuters-01"}


# Keys


async def test_moving(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        places = []
        for key in ("G", "k", "g", "j", "down", "up", "end", "home", "pagedown", "pageup", "space"):
            await pilot.press(key)
            places.append(home._table._place)
        assert places == [5, 4, 0, 1, 2, 1, 5, 0, 5, 0, 5]


async def test_enter_opens_the_live_view_and_escape_comes_back(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(home.app.screen, LiveScreen))
        await pilot.press("escape")
        await until(pilot, lambda: home.app.screen is home)


async def test_a_click_chooses_and_two_open(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        place = names(home).index("reuters-02")
        await pilot.click("#sessions", offset=(6, 2 + place))
        assert home._table.cursor is not None
        assert home._table.cursor.id == "reuters-02"
        await pilot.click("#sessions", offset=(6, 2 + place), times=2)
        await until(pilot, lambda: isinstance(home.app.screen, LiveScreen))


async def test_filter_as_you_type(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await pilot.press("slash", *"crash")
        await until(pilot, lambda: names(home) == ["imdb-01"])
        await pilot.press("enter")
        assert home.focused is home._table
        await pilot.press("escape")
        await until(pilot, lambda: len(names(home)) == 6)
        await pilot.press("f", *"synthetic")
        await until(pilot, lambda: names(home) == ["demo-01"])
        await pilot.press("escape")
        await until(pilot, lambda: len(names(home)) == 6)
        assert not home.query_one("#home-filter", Input).display


@pytest.mark.slow
async def test_new_search_keeps_the_form_that_was_left(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(home.app.screen, NewSearchScreen))
        await pilot.press("comma", "3", "0", "escape", "escape")
        await until(pilot, lambda: home.app.screen is home)
        await pilot.press("n")
        screen = home.app.screen
        assert isinstance(screen, NewSearchScreen)
        assert screen.model.form.text("space.0.epochs") == "5, 10, 20,30"


@pytest.mark.slow
async def test_duplicate_fills_the_form(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-02")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(home.app.screen, NewSearchScreen))
        screen = home.app.screen
        assert isinstance(screen, NewSearchScreen)
        assert screen.model.form.text("seed") == "1"
        assert screen.model.form.text("scoring") == "accuracy, f1_macro"
        assert screen.model.form.text("space.0.optimizer") == "adam, rmsprop"
        assert screen.model.form.text("space.0.learning_rate").startswith("ExponentialDecay(")
        assert screen.model.form.text("workers") == "2"


@pytest.mark.slow
async def test_zoom_shows_what_it_proposes_and_fills_the_form(sessions: Path) -> None:
    make_session(sessions, "few-01", Script().half_way(2), created=NOON + 1)
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        assert ("Z", "zoom", "screen.command('zoom')") in home.commands.keys_now()
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(home.app.screen, TextScreen))
        text = shown(home.app)
        assert "epochs 5, 10, 20 ->" in text
        assert "the best, 20, lies at the border, so wider" in text
        await pilot.press("escape")
        screen = home.app.screen
        assert isinstance(screen, NewSearchScreen)
        assert screen.model.form.text("space.0.epochs").endswith("20, 40")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: home.app.screen is home)
        await cursor_on(pilot, home, "few-01")
        await pilot.press("Z")
        await until(pilot, lambda: "too few combinations" in home._panel.message)


async def test_delete_asks_once(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(home.app.screen, ChoiceScreen))
        await pilot.press("escape")
        await until(pilot, lambda: home.app.screen is home)
        assert (sessions / "reuters-01").exists()
        await pilot.press("x", "y")
        await until(pilot, lambda: "reuters-01" not in names(home))
        assert not (sessions / "reuters-01").exists()
        assert "reuters-01 is deleted" in home._panel.message
        await cursor_on(pilot, home, "broken-01")
        await pilot.press("x", "y")
        await until(pilot, lambda: "broken-01" not in names(home))
        await cursor_on(pilot, home, "reuters-wide-layers")
        await pilot.press("x")
        assert "stop it first" in home._panel.message
        assert (sessions / "reuters-wide-layers").exists()


async def test_resume_starts_an_engine_or_says_why_not(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tui.home.commands as actions

    started: list[list[str]] = []

    class Engine:
        has_ended = succeeded = False

        def __init__(self, arguments: list[str], done: str, **options: Any) -> None:
            started.append(arguments)

        def start(self) -> None:
            pass

        def outcome(self) -> str:
            return "data have changed"

    monkeypatch.setattr(actions, "EngineCommand", Engine)
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "imdb-01")
        await pilot.press("r")
        assert started == [["resume", "imdb-01", "--sessions", str(sessions)]]
        assert home._panel.command.startswith("foldwatch resume imdb-01")
        Engine.has_ended = True
        await until(pilot, lambda: home._panel.message == "data have changed")
        assert home._panel._is_problem
        for name, why in (
            ("reuters-01", "nothing is left to run"),
            ("reuters-wide-layers", "running already"),
            ("broken-01", "cannot be read"),
        ):
            await cursor_on(pilot, home, name)
            await pilot.press("r")
            assert why in home._panel.message
        assert len(started) == 1


async def test_resume_of_a_paused_search_is_a_request(tmp_path: Path) -> None:
    from engine.session import events

    script = Script()
    made = [*script.half_way(2), events.SearchPaused(time=script.clock)]
    session = make_session(tmp_path, "paused-01", made, alive=True)
    assert session.state().status is SearchStatus.PAUSED
    async with at_home(tmp_path) as (pilot, home):
        assert "‖ paused" in shown(home.app)
        await pilot.press("r")
        await until(pilot, lambda: "was requested" in home._panel.message)
        (request,) = (session.folder / "control").glob("*.json")
        assert b"Resume" in request.read_bytes()


@pytest.mark.slow
async def test_a_note(tmp_path: Path) -> None:
    sessions = tmp_path  # none of them runs: nothing but the note changes
    make_session(sessions, "reuters-01", Script().everything())
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(home.app.screen, NoteScreen))
        await pilot.press(*"baseline", "f2")
        await until(pilot, lambda: read_note(sessions / "reuters-01") == "baseline\n")
        await until(pilot, lambda: "baseline" in shown(home.app), "the note beside the session")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(home.app.screen, NoteScreen))
        await pilot.press(*"xyz", "escape")
        await until(pilot, lambda: home.app.screen is home)
        assert read_note(sessions / "reuters-01") == "baseline\n"
        await pilot.press("e")
        await until(pilot, lambda: isinstance(home.app.screen, NoteScreen))
        home.app.screen.query_one(TextArea).text = "x" * (MOST_BYTES + 1)
        await pilot.press("f2")
        assert isinstance(home.app.screen, NoteScreen)  # nothing that was written is lost
        home.app.screen.query_one(TextArea).text = ""
        await pilot.press("f2")
        await until(pilot, lambda: not (sessions / "reuters-01" / "note.txt").exists())


async def test_marks_and_compare(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await pilot.press("c")
        assert "mark two sessions" in home._panel.message
        await cursor_on(pilot, home, "reuters-02")
        await pilot.press("m")
        assert "1 marked" in shown(home.app)
        await cursor_on(pilot, home, "reuters-01")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(home.app.screen, CompareScreen))
        await pilot.press("escape")
        await until(pilot, lambda: home.app.screen is home)
        await pilot.press("escape")
        assert home._table.marked == set()


async def test_keys_and_copy(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def copy(app: Any, text: str) -> str:
        copied.append(text)
        return "copied"

    monkeypatch.setattr("tui.home.commands.copy", copy)
    async with at_home(sessions) as (pilot, home):
        await cursor_on(pilot, home, "reuters-01")
        await pilot.press("y")
        assert copied == [f"foldwatch attach reuters-01 --sessions {sessions}"]
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(home.app.screen, KeysScreen))
        assert "duplicate" in shown(home.app)


async def test_q_leaves(sessions: Path) -> None:
    async with at_home(sessions) as (pilot, home):
        await pilot.press("q")
        await until(pilot, lambda: not home.app.is_running)


async def test_read_only_refuses_what_changes_anything(sessions: Path) -> None:
    async with at_home(sessions, read_only=True) as (pilot, home):
        await cursor_on(pilot, home, "imdb-01")
        for key in ("n", "d", "Z", "r", "x", "e", "D"):
            home._panel.say("")
            await pilot.press(key)
            assert "read-only" in home._panel.message, key
            assert home.app.screen is home


def test_every_key_in_the_help_is_bound_and_the_other_way_round() -> None:
    from tui.home.sessions_table import SessionsTable

    named = {key for keys in HomeScreen.KEYS.values() for entry in keys for key in _spelled(entry.keys)}
    bound = {
        _typed(key)
        for holder in (HomeScreen, SessionsTable)
        for binding in holder.BINDINGS
        for key in str(getattr(binding, "key", "")).split(",")
    }
    assert bound - named == set()
    assert named - bound == {"ctrl+p"}


def _spelled(keys: str) -> list[str]:
    return [
        key
        for part in keys.replace("page up", "pageup").replace("page down", "pagedown").split(",")
        for key in part.split()
    ]


def _typed(key: str) -> str:
    return {"slash": "/", "question_mark": "?"}.get(key, key)


# Text from outside


@pytest.mark.slow
async def test_hostile_names_and_notes_reach_no_terminal(tmp_path: Path) -> None:
    make_session(tmp_path, "evil-01", Script().everything(), host=HOSTILE, dataset=HOSTILE, scoring=[HOSTILE])
    (tmp_path / "evil-01" / "note.txt").write_text(HOSTILE)
    bad = tmp_path / "evil-02"
    bad.mkdir()
    (bad / "search.json").write_text('{"format": "' + HOSTILE.replace("\x1b", "\\u001b").replace("\x07", "") + '"}')
    async with at_home(tmp_path, (120, 40)) as (pilot, home):
        for name in ("evil-01", "evil-02"):
            await cursor_on(pilot, home, name)
            await until(pilot, functools.partial(is_about, home, name))
            text = shown(home.app)
            assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
            await pilot.press("enter")
            await until(pilot, lambda: home.app.screen is not home)
            await pilot.press("escape")
            await until(pilot, lambda: home.app.screen is home)
        await cursor_on(pilot, home, "evil-01")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(home.app.screen, NewSearchScreen))
        assert "\x1b" not in shown(home.app)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [{"space": 5}, {"space": {"epochs": {"low": {}}}}, {"scoring": 7}, {"strategy": []}])
async def test_a_record_of_any_shape_is_borne(tmp_path: Path, spec: dict[str, Any]) -> None:
    make_session(tmp_path, "odd-01", Script().everything(), **spec)
    async with at_home(tmp_path) as (pilot, home):
        await until(pilot, lambda: home.query_one(AboutPane)._about is not None)
        await pilot.press("d")
        await pilot.pause()
        assert home.app.is_running


# Notes and columns, without a screen


def test_notes_are_written_whole_and_kept_short(tmp_path: Path) -> None:
    from engine.errors import UsageError

    assert read_note(tmp_path) == ""
    write_note(tmp_path, "  two\nlines  ")
    assert read_note(tmp_path) == "two\nlines\n"
    with pytest.raises(UsageError, match="up to 10,000"):
        write_note(tmp_path, "ü" * 5001)
    assert read_note(tmp_path) == "two\nlines\n"
    write_note(tmp_path, "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("width", [20, 40, 78, 100, 118, 150, 198])
def test_columns_never_exceed_the_width(width: int) -> None:
    columns = fitted(width, ["a" * 64, "b"])
    assert sum(wide for _, wide in columns) + 2 * (len(columns) - 1) <= max(width, columns[0][1])
    assert columns[0][0].key == "name"
    if width >= 118:
        assert len(columns) == 9


def test_when_and_took(sessions: Path) -> None:
    import time

    midday = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))
    assert when(midday - 3600, midday) == "11:00"
    assert when(midday - 2 * 86_400, midday) == "Sat 12:00"
    assert when(midday - 40 * 86_400, midday).startswith("14 Oct")
    assert when(midday - 400 * 86_400, midday) == "19 Oct 2025"
    assert (took(0), took(8.14), took(750), took(11_100), took(540_000)) == (
        "",
        "0:08",
        "12:30",
        "3:05:00",
        "6.2 days",
    )
    (summary,) = [one for one in list_sessions(sessions) if one.id == "demo-01"]
    assert matches(summary, "DEMO synth")
    assert not matches(summary, "demo reuters")
