"""A burst of keys, as a slow line or a paste delivers it, means the same as the keys typed slowly."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, TextArea

from engine.session import requests
from engine.session.requests import SetDeadline
from tests.tui_tests.pilots import burst, until, watching
from tests.tui_tests.pseudo_terminal import PseudoTerminal, play
from tests.tui_tests.scripted_search import half_way_session
from tests.tui_tests.small_sessions import make_session
from tui.app import FoldwatchApp
from tui.home.note_editor import NoteScreen
from tui.home.screen import HomeScreen
from tui.new_search.screen import NewSearchScreen
from tui.spec_text.form import Form

if TYPE_CHECKING:
    from pathlib import Path


async def test_each_key_reaches_the_field_that_the_one_before_went_to(tmp_path: Path) -> None:
    app = FoldwatchApp(sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = NewSearchScreen()
        await app.push_screen(screen)
        await until(pilot, lambda: screen.focused is not None)
        await burst(pilot, ",7<tab>,8<down>3<enter>4<up>5<tab>6")
        await until(pilot, lambda: screen.model.form.text("space.0.hidden_units").endswith("46"))
        assert screen.model.form.text("space.0.epochs") == "5, 10, 20,7"
        assert screen.model.form.text("space.0.batch_size") == "128, 512,8"
        assert screen.model.form.text("space.0.hidden_layers") == "35"


async def test_a_suggestion_is_taken_however_fast_it_is_asked_for(tmp_path: Path) -> None:
    app = FoldwatchApp(sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = NewSearchScreen(Form().with_text("space.0.optimizer", ""))
        await app.push_screen(screen)
        screen._editor.edit("optimizer")
        await burst(pilot, "rms<right>, adam")
        await until(pilot, lambda: screen.model.form.text("space.0.optimizer") == "rmsprop, adam")


async def test_a_filter_typed_at_once_steers_nothing() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await burst(pilot, "foptimizer=adam mean>0.7<enter>mjD30m<enter>")
        await until(pilot, lambda: session.requests)
        assert screen._table.order.filter_text == "optimizer=adam mean>0.7"
        assert len(screen._table.order.pinned) == 1
        assert session.requests == [SetDeadline(seconds=1800)]


async def test_keys_behind_a_question_answer_it_and_go_on_below() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await burst(pilot, "xf:drop optimizer=adam<enter>p")
        await until(pilot, lambda: len(session.requests) == 3)
        assert session.requests[0] == requests.Stop(at_once=False)
        assert session.requests[2] == requests.Pause()
        assert screen.is_current


async def test_home_takes_a_filter_and_a_note_at_once(tmp_path: Path) -> None:
    for name in ("imdb-01", "reuters-01"):
        make_session(tmp_path, name)
    app = FoldwatchApp(sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: len(home._table.shown) == 2)
        await burst(pilot, "fimdb<enter>exn q")
        await until(pilot, lambda: isinstance(app.screen, NoteScreen) and app.screen.query_one(TextArea).text)
        assert home._table.filter_text == "imdb"
        assert app.screen.query_one(TextArea).text == "xn q"


async def test_what_is_pasted_goes_to_where_the_key_before_went(tmp_path: Path) -> None:
    async with watching() as (pilot, screen):
        from textual import events

        pilot.app.post_message(events.Key("f", "f"))
        pilot.app.post_message(events.Paste("epochs=20"))
        pilot.app.post_message(events.Key("enter", None))
        await until(pilot, lambda: screen._table.order.filter_text == "epochs=20")
        assert not screen.query_one("#filter", Input).display


@pytest.mark.slow
def test_one_packet_of_keys_on_a_terminal() -> None:
    with play(120, 40) as terminal:
        terminal.until(lambda: any("42/72" in line for line in terminal.display), "the search")
        terminal.press("foptimizer=adam mean>0.7\r")
        terminal.until(lambda: any("filter optimizer=adam mean>0.7" in line for line in terminal.display), "the filter")
        assert not any("pause was requested" in line for line in terminal.display)


@pytest.mark.slow
def test_one_packet_of_keys_from_home_through_the_form(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "tui", "--sessions", str(tmp_path)]
    with PseudoTerminal(command) as terminal:
        terminal.until(lambda: any("No searches here yet" in line for line in terminal.display), "home")
        terminal.press("n,7\t,8\t3")
        terminal.until(
            lambda: all(
                any(text in line for line in terminal.display) for text in ("5, 10, 20,7", "128, 512,8", "layers  3")
            ),
            "all three fields",
        )
