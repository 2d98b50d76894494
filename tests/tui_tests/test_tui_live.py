"""The live view as a whole, at every size and in every theme, and what its keys open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, Static

from engine.session import events, requests
from tests.tui_tests.pilots import said, shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, half_way_session
from tui.live.log import LogPane
from tui.live.screen import LiveScreen
from tui.new_search.screen import NewSearchScreen
from tui.parts.control_panel import ControlPanel
from tui.parts.dialogs import PathScreen, TextScreen
from tui.parts.keys_screen import KeysScreen
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.table import ResultsTable
from tui.trends.screen import TrendsScreen

if TYPE_CHECKING:
    pass

SIZES = [(80, 24), (120, 40), (200, 60)]


def refusal(app: Any) -> str:
    """What the question on the screen says against the line, however it is broken there."""
    return str(app.screen.query_one("#refusal", Static).content)


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_the_search(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        text = shown(pilot.app)
        assert "RUNNING" in text
        assert "42/72" in text
        assert "0.8120 ± .0041" in text
        assert "reuters · 3 folds" in text
        assert "p pause" in text
        assert "? keys" in text
        assert screen.query_one(ResultsTable).has_focus


async def test_a_session_of_another_user_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.live.screen.owner_name", lambda folder: "ada")
    async with watching() as (pilot, _):
        await until(pilot, lambda: "of ada" in shown(pilot.app), "whose session it is")


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_trends(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrendsScreen))
        await until(pilot, lambda: "explains" in shown(pilot.app))
        before = shown(pilot.app)
        await pilot.press("d")
        await pilot.pause()
        if size[0] > 80:
            assert shown(pilot.app) != before
            assert "0.8120" in before
        await pilot.press("a", "tab", "j", "k", "t")
        await until(pilot, lambda: pilot.app.screen is screen)


@pytest.mark.slow
async def test_keys_are_searched() -> None:
    async with watching() as (pilot, screen):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, KeysScreen))
        assert "Steer the search" in shown(pilot.app)
        await pilot.press(*"logarithm")
        await until(pilot, lambda: "Steer the search" not in shown(pilot.app))
        assert "linear or logarithmic" in shown(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_export_and_copy_show_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    async with watching() as (pilot, screen):
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        assert "foldwatch export reuters-01 --format csv" in shown(pilot.app)
        for wrong, why in (("a.xlsx", "ends in .csv or .json"), ("/nowhere/a.csv", "there is no folder /nowhere")):
            pilot.app.screen.query_one(Input).value = wrong
            await pilot.pause()
            await pilot.press("enter")
            await until(pilot, lambda why=why: why in refusal(pilot.app))  # type: ignore[misc]
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("y")
        assert pilot.app.clipboard == "foldwatch attach reuters-01"


async def test_a_failed_export_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("the user's")
    async with watching() as (pilot, screen):  # of a session that no engine can find on disk
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        pilot.app.screen.query_one(Input).value = str(kept)
        await pilot.pause()
        assert str(pilot.app.screen.query_one("#command", Static).content).endswith(f"--format csv --to {kept}")
        await pilot.press("enter")
        await until(pilot, lambda: "would be replaced" in refusal(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: "no session" in said(screen))
        assert kept.read_text() == "the user's"
        assert list(tmp_path.iterdir()) == [kept]


async def test_keys_of_the_control_panel_can_be_clicked() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, _):
        await pilot.click(ControlPanel, offset=(2, 1))
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Pause()]


async def test_resizing_changes_the_layout() -> None:
    async with watching() as (pilot, screen):
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: screen.has_class("-narrow"))
        await until(pilot, lambda: not screen.query_one(LogPane).region)
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: screen.has_class("-wide"))
        await until(pilot, lambda: "mean by value" in shown(pilot.app))
        await pilot.resize_terminal(30, 8)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: screen.query_one(LogPane).region)


async def test_a_record_read_anew_starts_over() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("m")
        session.script_events = Script().start()
        session.generation += 1
        await until(pilot, lambda: screen.live.state.fits_finished == 0)
        assert "0/72" in shown(pilot.app)


async def test_a_finished_search_rings_once_and_says_so() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, _):
        rung: list[bool] = []
        pilot.app.bell = lambda: rung.append(True)  # type: ignore[method-assign]
        session.script_events.append(events.SearchFinished(time=1_750_000_080.0, outcome="completed"))
        await until(pilot, lambda: "COMPLETED" in shown(pilot.app))
        assert rung == [True]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light", "colour-blind", "terminal"])
async def test_every_theme_draws(theme: str) -> None:
    async with watching(theme=theme, size=(200, 60)) as (pilot, screen):
        plot = screen.query_one(CurvesPlot)
        await until(pilot, lambda: len(plot.curves) == 3)
        assert "RUNNING" in shown(pilot.app)


async def test_the_palette_knows_the_keys() -> None:
    async with watching() as (pilot, screen):
        titles = [command.title for command in pilot.app.get_system_commands(screen)]
        assert "Theme: light" in titles
        assert "Freeze the order, or unfreeze it" in titles


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light", "colour-blind", "terminal"])
async def test_every_line_of_the_table_stands_on_the_colours_of_the_theme(theme: str) -> None:
    async with watching(theme=theme) as (_, screen):
        table = screen.query_one(ResultsTable)
        styles = [[part.style for part in table.render_line(y) if part.style] for y in range(6)]
        assert all(style.bgcolor == styles[0][0].bgcolor for y in (0, 2, 3, 4, 5) for style in styles[y])
        assert styles[0][0].bgcolor is not None
        cursor = styles[1]
        assert {style.bgcolor for style in cursor} == {cursor[0].bgcolor} != {styles[0][0].bgcolor}
        if theme == "terminal":  # whose red cannot be read on its blue
            assert {style.color for style in cursor} == {cursor[0].color}


@pytest.mark.slow
async def test_zoom_opens_the_form_of_a_finer_search() -> None:
    script = Script()
    session = ScriptedSession(list(script.everything()), script.curves, alive=False)
    async with watching(session) as (pilot, screen):
        assert ("Z", "zoom", "screen.command('zoom')") in screen.commands.keys_now(None)
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert "epochs 5, 10, 20 ->" in shown(pilot.app)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, NewSearchScreen)
        assert "foldwatch zoom reuters-01" in said(screen)


async def test_footer_names_what_enter_does_in_the_pane_with_the_focus() -> None:
    async with watching() as (pilot, screen):
        assert "↵ detail" in shown(pilot.app)
        screen.query_one(LogPane).focus()
        await until(pilot, lambda: "↵ open" in shown(pilot.app))
        assert "↵ detail" not in shown(pilot.app)
        screen.query_one(LearningRatePlot).focus()
        await until(pilot, lambda: "u epochs, steps" in shown(pilot.app))
        assert "↵" not in shown(pilot.app)


async def test_sort_pins_and_filter_are_there_again_when_the_view_is_opened_again() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("j", "m", "less_than_sign")
        table.order.filter_by("epochs=5")
        left = table.order.chosen
        assert (len(left.pinned), left.filter_text) == (1, "epochs=5")
        assert left.sort_key != "mean"
        await pilot.app.pop_screen()
        app: Any = pilot.app
        app.open_live(session)
        await until(pilot, lambda: isinstance(app.screen, LiveScreen) and app.screen is not screen)
        again = app.screen.query_one(ResultsTable)
        await until(pilot, lambda: again.order.rows)
        assert again.order.chosen == left
        assert again.order.rows[0] in left.pinned
        assert 1 < len(again.order.rows) < 24


async def test_a_worker_that_has_trained_nothing_yet_is_starting() -> None:
    script = Script()
    session = ScriptedSession(script.start(), script.curves)
    async with watching(session) as (pilot, _):
        assert "starting" in shown(pilot.app)
        assert "idle" not in shown(pilot.app)
        for fold in range(3):
            session.script_events.extend(script.fit(0, fold))
        await until(pilot, lambda: "idle" in shown(pilot.app))
