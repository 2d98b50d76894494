"""The panes of the live view beside the table: plots, log, workers, and the details of one combination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from textual.widgets import Static

from engine.session import events
from tests.marks import first_of
from tests.tui_tests.pilots import shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, half_way_session
from tui.live.detail import DetailScreen
from tui.live.log import LogPane
from tui.parts.control_panel import ControlPanel
from tui.parts.dialogs import TextScreen
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    pass

SIZES = [(80, 24), (120, 40), (200, 60)]


async def test_marks_bring_schedules_into_the_plot() -> None:
    async with watching() as (pilot, screen):
        plot = screen.query_one(LearningRatePlot)
        await until(pilot, lambda: len(plot.lines) == 1)
        first = plot.lines[0].combination
        assert plot.lines[0].used  # the rates of its epochs, read from its curve
        await pilot.press("m", "j", "j")
        await until(pilot, lambda: [line.combination for line in plot.lines][1:] == [first])
        await pilot.press("u", "l")
        assert plot.in_steps
        assert plot.logarithmic
        assert "steps, log" in shown(pilot.app)


async def test_curves_of_the_selected_combination() -> None:
    async with watching() as (pilot, screen):
        plot = screen.query_one(CurvesPlot)
        await until(pilot, lambda: len(plot.curves) == 3)
        assert plot.combination == 8
        screen.query_one(ResultsTable).move_to(15)
        await until(pilot, lambda: plot.combination == 15 and len(plot.curves) == 3)
        assert [len(curve.loss) for curve in plot.curves] == [5, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
async def test_tab_goes_through_the_panes(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        seen = []
        for _ in range(6 if size[0] != 120 else 5):
            await pilot.press("tab")
            assert screen.focused is not None
            seen.append(screen.focused.id)
            assert screen.focused.region.height > 1, "the focused pane is in view"
        assert seen[-1] == "results"
        assert len(set(seen)) == len(seen)
        await pilot.press("shift+tab")
        assert screen.focused is not None
        assert screen.focused.id == "log"
        await pilot.press("o")
        await until(pilot, lambda: screen.query_one(LogPane).outer_size.width == size[0])
        assert not screen.query_one(ResultsTable).region
        await pilot.press("tab")
        await until(pilot, lambda: screen.query_one(ResultsTable).outer_size.width == size[0])
        assert not screen.query_one(LogPane).region
        await pilot.press("escape")
        assert not screen.has_class("-maximised")


@pytest.mark.parametrize("size", first_of([((120, 40),), ((120, 24),), ((200, 60),)]))
@pytest.mark.parametrize("name", first_of([("results",), ("rates",), ("workers",), ("log",)]))
async def test_a_pane_is_maximised_between_header_and_keys(name: str, size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        pane = screen.query_one(f"#{name}")
        pane.focus()
        await pilot.press("o")
        await until(pilot, lambda: pane.outer_size == (size[0], size[1] - 4))
        text = shown(pilot.app)
        assert "RUNNING" in text
        assert "p pause" in text
        await pilot.press("p")
        assert "foldwatch pause reuters-01" in shown(pilot.app)
        await pilot.press("f", *"epochs=20")
        await until(pilot, lambda: "epochs=20" in shown(pilot.app).splitlines()[2], "the filter over the table")
        assert "8 of 24" in shown(pilot.app)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen.query_one(ControlPanel).region and screen.query_one("#rates").region)


async def test_the_table_says_how_many_columns_it_hides_at_any_size() -> None:
    async with watching(size=(110, 40)) as (pilot, screen):
        table = screen.query_one(ResultsTable)

        def is_true() -> bool:
            hidden = table.hidden_columns
            return (f"{hidden} more column" if hidden else "") in str(table.border_subtitle) and (
                bool(hidden) or "more column" not in str(table.border_subtitle)
            )

        await until(pilot, is_true)
        before = table.hidden_columns
        screen.live.liveness = None  # nothing ticks: only the key draws the title
        await pilot.press("o")
        await until(pilot, lambda: table.hidden_columns < before and is_true(), "fewer columns, and said so")
        await pilot.press("o")
        await until(pilot, lambda: table.hidden_columns == before and is_true(), "as before")


async def test_the_log_opens_tracebacks_and_lines_that_are_cut() -> None:
    async with watching() as (pilot, screen):
        log = screen.query_one(LogPane)
        log.focus()
        await pilot.press("k", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert "MemoryError" in shown(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("g", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert log._lines[0].text in " ".join(shown(pilot.app).split())
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("G", "j")
        assert log.cursor is None


@pytest.mark.slow
async def test_detail_follows_the_search_and_copies() -> None:
    script = Script()
    session = ScriptedSession(script.half_way(), script.curves)
    async with watching(session, size=(140, 60)) as (pilot, screen):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
        text = shown(pilot.app)
        for word in ("combination #8", "f1_macro", "decay_rate", "from engine import Search", "rank 1", "seed"):
            assert word in text
        await pilot.press("y")
        await until(pilot, lambda: "foldwatch run one.toml" in pilot.app.clipboard)
        await pilot.press("c")
        assert "search = Search(" in pilot.app.clipboard
        await pilot.press("n", "N", "j", "k", "u", "l")
        detail = pilot.app.screen
        assert isinstance(detail, DetailScreen)
        assert detail.combination == 8
        detail.combination = 13
        await pilot.press("n", "N")
        assert "MemoryError" in shown(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_detail_has_a_mean_of_what_is_complete_and_says_what_is_not() -> None:
    session = half_way_session()
    async with watching(session, size=(140, 60)) as (pilot, _):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
        detail = pilot.app.screen
        assert isinstance(detail, DetailScreen)

        def means() -> list[str]:
            lines = str(detail.query_one("#facts", Static).content).splitlines()
            return [line for line in lines if line.startswith(("  mean ", "  so far "))]

        assert "0.8120" in means()[0]
        detail.combination = 15  # runs
        detail.search_changed()
        assert means()[0].split()[:2] == ["so", "far"]
        assert "0.7630" in means()[0]
        session.script_events.append(events.CombinationDropped(time=1.0, combination=15, reason="skipped"))
        await until(pilot, lambda: means()[0].startswith("  mean "))
        assert "0." not in means()[0]


async def test_where_patience_ran_out_is_marked_and_legend_lines() -> None:
    script = Script()

    def out_of_patience(event: events.AnyEvent) -> events.AnyEvent:
        if isinstance(event, events.FitScored) and (event.combination, event.fold) in ((8, 1), (8, 2)):
            return structs.replace(event, stopped_at=13, stopped_score=0.7531 if event.fold == 1 else None)
        return event

    session = ScriptedSession([out_of_patience(event) for event in script.half_way()], script.curves)
    async with watching(session, size=(140, 60)) as (pilot, _):
        assert shown(pilot.app).count("▪") == 2
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
        recorded, stopped = (line for line in shown(pilot.app).splitlines() if "▪" in line)
        assert "fold 1" in recorded
        assert "▪ at 13: 0.7531" in recorded
        assert "fold 2" in stopped
        assert "▪ stopped at 13" in stopped
