"""The trends screen: one selection for lines, means, heat map, top and the results table; importance from outside."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Static

from engine.analysis.report.contents import make_report
from engine.analysis.trends.importance import Importances
from engine.errors import InputOutputError
from tests.tui_tests.pilots import shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, combinations
from tests.tui_tests.small_sessions import make_session
from tui.app import FoldwatchApp
from tui.live.screen import LiveScreen
from tui.plots.braille import BrailleCanvas
from tui.results.table import ResultsTable
from tui.trends.parallel_pane import ParallelPane
from tui.trends.report_process import Findings, ReportProcess
from tui.trends.screen import TrendsScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot


@asynccontextmanager
async def trends(
    sessions: Path, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], LiveScreen, TrendsScreen]]:
    """The trends of a real, complete session."""
    make_session(sessions, "grid", Script().everything())
    app = FoldwatchApp(session="grid", sessions=sessions, **options)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        live = app.screen
        assert isinstance(live, LiveScreen)
        await until(pilot, lambda: live.query_one(ResultsTable).order.rows)
        yield pilot, live, await opened(pilot)


async def opened(pilot: Pilot[Any]) -> TrendsScreen:
    await pilot.press("t")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrendsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, TrendsScreen)
    await until(pilot, lambda: screen.query_one(ParallelPane).axes)
    return screen


@pytest.mark.slow
async def test_a_brush_is_the_filter_of_everything(tmp_path: Path) -> None:
    async with trends(tmp_path) as (pilot, live, screen):
        order = live.query_one(ResultsTable).order
        pane = screen.query_one(ParallelPane)
        assert [axis.name for axis in pane.axes] == ["batch_size", "epochs", "hidden_units", "optimizer", "accuracy"]
        await pilot.press("left", "left", "left")
        assert pane.axis is not None
        assert pane.axis.name == "epochs"
        await pilot.press("up")
        await until(pilot, lambda: order.filter_text == "epochs=20")
        assert len(order.rows) == 8
        await until(pilot, lambda: "8 of 24 selected" in shown(pilot.app))
        assert "8 of 24 combinations are selected" in shown(pilot.app)
        await pilot.press("plus", "left", "down")
        await until(pilot, lambda: order.filter_text == "epochs=10,20 batch_size=128")
        await until(pilot, lambda: "8 of 24 selected" in shown(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is live)
        assert len(order.rows) == 8
        assert "8 of 24 · filter epochs=10,20 batch_size=128" in shown(pilot.app)
        assert live.query_one(ResultsTable).cursor in order.rows
        screen = await opened(pilot)
        assert "8 of 24 selected" in shown(pilot.app)
        pane = screen.query_one(ParallelPane)
        await pilot.press(*["left"] * 4, "c")
        await until(pilot, lambda: order.filter_text == "epochs=10,20")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not order.filter_text)
        assert len(order.rows) == 24


@pytest.mark.slow
async def test_a_typed_filter_is_a_selection_too(tmp_path: Path) -> None:
    async with trends(tmp_path) as (pilot, live, _):
        order = live.query_one(ResultsTable).order
        await pilot.press("t", "f", *"optimizer=adam", "enter")
        assert order.filter_text == "optimizer=adam"
        await opened(pilot)
        assert "12 of 24 selected" in shown(pilot.app)
        await pilot.press("up")
        await until(pilot, lambda: order.filter_text.startswith("optimizer=adam mean="))
        assert 0 < len(order.rows) < 12
        await pilot.press("C")
        await until(pilot, lambda: len(order.rows) == 24)
        await until(pilot, lambda: "coordinates · all" in shown(pilot.app))


@pytest.mark.slow
async def test_importance_comes_from_a_helper_process(tmp_path: Path) -> None:
    async with trends(tmp_path) as (pilot, _, screen):
        assert "explains" in shown(pilot.app)  # means are there at once
        # It imports scikit-learn, which takes long on a machine that does much else.
        await until(pilot, lambda: screen.report.findings is not None or screen.report.refused, seconds=200)
        assert screen.report.refused == ""
        assert screen.report.findings is not None
        assert screen.report.findings.importances.hyperparameters[0].name == "epochs"
        assert screen.report.findings.tied is None  # a record without predictions
        await until(pilot, lambda: "importance of 24 combinations" in shown(pilot.app))
        await pilot.press("i")
        await until(pilot, lambda: "importance is being computed" in shown(pilot.app))


def test_importance_that_cannot_be_told_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match="no session 'gone'"):
        ReportProcess(tmp_path / "gone").findings()


async def test_ties_are_those_that_the_helper_process_told_of_the_same_combinations(tmp_path: Path) -> None:
    async with trends(tmp_path) as (pilot, live, screen):
        best = live.query_one(ResultsTable).model.best
        assert best is not None
        assert "~ within one standard error of the best" in shown(pilot.app)
        nothing = Importances(None, [], "not asked here")
        screen.report.take(Findings(24, nothing, (best, 7)))
        await until(pilot, lambda: "≈ tied with the best" in shown(pilot.app))
        assert "1 of the other 23 is tied with the best" in str(screen.query_one("#top-text", Static).content)
        assert "~" not in str(screen.query_one("#top-text", Static).content)
        screen.report.take(Findings(24, nothing, (best, 7), dropped=3))
        told = "is tied with the best; 3 that were dropped may be as good"
        await until(pilot, lambda: told in str(screen.query_one("#top-text", Static).content))
        screen.report.take(Findings(23, nothing, (best, 7)))
        await until(pilot, lambda: "~ within one standard error of the best" in shown(pilot.app))


async def test_columns_that_matter_most_are_whole_and_others_are_counted(tmp_path: Path) -> None:
    many = {f"optimizer__argument_{number}": number for number in range(5)}
    params = [{**one, **{name: value + n % 2 for name, value in many.items()}} for n, one in enumerate(combinations())]
    params = [{**one, "activation": "relu" if n % 3 else "elu"} for n, one in enumerate(params)]
    make_session(tmp_path, "grid", Script(params=params).everything())
    app = FoldwatchApp(session="grid", sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await until(pilot, lambda: app.screen.query_one(ResultsTable).order.rows)
        screen = await opened(pilot)
        pane, lines = screen.query_one("#top"), list[str]()

        def fits() -> bool:
            lines[:] = str(screen.query_one("#top-text", Static).content).splitlines()
            return max(map(len, lines)) <= pane.content_size.width

        await until(pilot, fits)
        assert "epochs" in lines[0]
        # Longer titles are cut.
        told = [column for column in ("activat", "batch", "epochs", "units", "optimiz") if column in lines[0]]
        assert f"no room for {5 - len(told)} column" in str(pane.border_title)


async def test_the_heat_map_is_that_of_the_report(tmp_path: Path) -> None:
    params = [
        {"epochs": epochs, **optimizer}
        for epochs in (5, 10)
        for optimizer in (
            {"optimizer": "adam"},
            {"optimizer": "sgd", "optimizer__momentum": 0.8},
            {"optimizer": "sgd", "optimizer__momentum": 0.9},
        )
    ]
    session = make_session(tmp_path, "masked", Script(params=params).everything())
    heat_map = make_report(session).heat_map
    assert heat_map is not None
    app = FoldwatchApp(session="masked", sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await until(pilot, lambda: app.screen.query_one(ResultsTable).order.rows)
        screen = await opened(pilot)
        assert str(screen.query_one("#heat").border_title) == f"{heat_map.down} × {heat_map.across}"
        await pilot.press("d")
        assert str(screen.query_one("#heat").border_title) != f"{heat_map.down} × {heat_map.across}"


async def test_with_few_combinations_nothing_is_asked() -> None:
    script = Script()
    async with watching(ScriptedSession(script.half_way(3), script.curves)) as (pilot, _):
        screen = await opened(pilot)
        await until(pilot, lambda: "importance needs 8 complete" in shown(pilot.app))
        assert screen.report.findings is None
        assert screen.report.refused == ""


async def test_before_anything_is_complete() -> None:
    async with watching(ScriptedSession(Script().start())) as (pilot, live):
        await pilot.press("t")
        await until(pilot, lambda: "shown once combinations" in shown(pilot.app))
        await pilot.press("left", "up", "plus", "minus", "c", "C", "d", "a", "v", "tab", "escape")
        await until(pilot, lambda: pilot.app.screen is live)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (30, 10)])
async def test_every_pane_has_a_place_at_every_size(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, live):
        screen = await opened(pilot)
        seen = set()
        for key in ["tab"] * 7 + ["v", "tab", "tab"]:
            await pilot.press(key)
            assert screen.focused is not None
            assert screen.focused.region.area, screen.focused
            seen.add(screen.focused.id)
        assert seen == {"values", "importance", "parallel", "heat", "top", "rates", "curves"}
        await pilot.press("o", "o", "escape")
        await until(pilot, lambda: pilot.app.screen is live)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_pane_is_maximised_above_the_keys(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, live):
        screen = await opened(pilot)
        await pilot.press("v", "o")
        for _ in range(7):
            await pilot.press("tab")
            await until(pilot, lambda: screen.focused and screen.focused.outer_size.width == size[0])
            assert screen.focused is not None
            assert screen.focused.outer_size.height > size[1] - 5
            assert [pane.id for pane in screen.query(".pane") if pane.region] == [screen.focused.id]
            assert "brush" in shown(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.has_class("-maximised"))
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is live)


async def test_a_level_is_brushed_by_the_mouse(tmp_path: Path) -> None:
    async with trends(tmp_path) as (pilot, live, screen):
        pane = screen.query_one(ParallelPane)
        x = pane.content_region.x - pane.region.x
        await pilot.click(ParallelPane, offset=(x, pane.region.height - 2))
        await until(pilot, lambda: live.query_one(ResultsTable).order.filter_text == "batch_size=128")


def test_a_canvas_keeps_the_last_style_and_its_dots() -> None:
    canvas = BrailleCanvas(2, 1)
    canvas.line(0, 0, 3, 0, "faint")
    canvas.line(0, 3, 1, 3, "strong")
    canvas.line(-9, 0, -5, 9, "outside")
    assert canvas.rows() == [[("⣀", "strong"), ("⠉", "faint")]]
