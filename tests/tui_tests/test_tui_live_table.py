"""The table of the live view: its rows while they move, sorting, moving and filtering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.marks import first_of
from tests.tui_tests.pilots import said, shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession
from tui.parts.control_panel import ControlPanel
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    pass

SIZES = [(80, 24), (120, 40), (200, 60)]


async def test_results_land_in_their_cells() -> None:
    script = Script()
    made = script.start()
    training, begun = script.begin(0, 0)
    session = ScriptedSession([*made, *begun], script.curves)
    async with watching(session) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        assert table.order.rows[0] == 0, "what runs stands before what waits"
        session.script_events.extend(script.epochs(training, 0, 0, 1, 3))
        await until(pilot, lambda: "3/5" in shown(pilot.app))
        session.script_events.extend(script.scored(training, 0, 0))
        await until(pilot, lambda: "1 of 3" in shown(pilot.app))
        for fold in (1, 2):
            session.script_events.extend(script.fit(0, fold))
        await until(pilot, lambda: "1 ★" in shown(pilot.app))
        assert "best so far" in shown(pilot.app)


async def test_the_cursor_stays_on_its_combination_while_rows_move() -> None:
    script = Script()
    session = ScriptedSession(script.half_way(), script.curves)
    async with watching(session) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("j", "j")
        held = table.cursor
        assert held == table.order.rows[2]
        for index in range(17, 24):
            for fold in range(3):
                session.script_events.extend(script.fit(index, fold))
        await until(pilot, lambda: len(table.model.complete) > 19)
        assert table.cursor == held
        await pilot.press("z")
        assert "frozen" in shown(pilot.app)
        before = list(table.order.rows)
        session.script_events.extend(script.fit(16, 0) + script.fit(16, 1) + script.fit(16, 2))
        await until(pilot, lambda: 16 in table.model.complete)
        assert table.order.rows == before
        await pilot.press("z")
        assert table.order.rows != before
        assert table.cursor == held


async def test_sorting_by_keys_and_by_the_mouse() -> None:
    async with watching() as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("greater_than_sign")
        assert (table.order.sort_key, table.order.descending) == ("f1_macro", True)
        await pilot.press("greater_than_sign")
        assert table.order.sort_key == "batch_size"
        await pilot.press("v")
        assert table.order.descending
        await pilot.press("less_than_sign", "less_than_sign", "less_than_sign")
        assert table.order.sort_key == "combination"
        await pilot.click(ResultsTable, offset=(3, 1))
        assert table.order.sort_key == "rank"
        await pilot.click(ResultsTable, offset=(3, 4))
        assert table.cursor == table.order.rows[2]


async def test_the_column_to_sort_by_comes_into_view_whole() -> None:
    async with watching(size=(80, 24)) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        assert "status" not in shown(pilot.app)
        while table.order.sort_key != "status":
            await pilot.press("greater_than_sign")
        await until(pilot, lambda: "status" in shown(pilot.app))
        assert "seconds" in shown(pilot.app)
        while table.order.sort_key != "batch_size":
            await pilot.press("greater_than_sign")
        assert table.scroll_offset.x == 0


@pytest.mark.parametrize("size", first_of([((60, 16),), ((100, 30),), ((120, 40),)]))
async def test_the_score_is_in_view_however_narrow_the_table(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        assert "mean ± std" in shown(pilot.app)
        await pilot.press("right", "right", "right")
        assert screen.query_one(ResultsTable).scroll_offset.x > 0
        assert "mean ± std" in shown(pilot.app)


async def test_moving_by_arrows_pages_and_edges() -> None:
    async with watching(size=(80, 24)) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("G")
        assert table.cursor == table.order.rows[-1]
        assert table.scroll_offset.y > 0
        await pilot.press("g")
        assert table.cursor == table.order.rows[0]
        assert table.scroll_offset.y == 0
        await pilot.press("pagedown", "up", "down", "k", "j")
        assert (table.order.place(table.cursor) or 0) > 5
        await pilot.press("right")
        assert table.scroll_offset.x > 0
        assert shown(pilot.app).count("rank") >= 1
        await pilot.press("left")
        assert table.scroll_offset.x == 0


async def test_filtering_while_typing() -> None:
    async with watching() as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("f", *"epochs", "equals_sign", "2", "0")
        await until(pilot, lambda: len(table.order.rows) == 8)
        assert "8 of 24 · filter epochs=20" in shown(pilot.app)
        assert "↵ keep the filter" in shown(pilot.app)
        await pilot.press("enter")
        assert table.has_focus
        assert "f filter" in shown(pilot.app)
        await pilot.press("f", *" nonsense", "equals_sign", "1")
        await until(pilot, lambda: "no column" in said(screen))
        await pilot.press("escape")
        await until(pilot, lambda: len(table.order.rows) == 24)


@pytest.mark.parametrize("size", first_of((size,) for size in SIZES))
@pytest.mark.parametrize(
    "typed", first_of([("lr=",), ("foo>",), ("mean>",), ("mean>high",), ('optimizer="',), ("optim",)])
)
async def test_a_filter_that_is_not_valid_yet_keeps_the_rows(typed: str, size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        await pilot.press("f", *f"epochs=20 {typed}")
        assert len(table.order.rows) == 8
        assert "8 of 24 · filter epochs=20" in str(table.border_title)
        problem = screen.query_one(ControlPanel).message
        assert bool(problem) == (typed != "optim")
        assert problem in shown(pilot.app), "uncut"
        if typed == "optim":
            await pilot.press(*"izer=adam")
            assert len(table.order.rows) == 4


@pytest.mark.parametrize("size", first_of((size,) for size in SIZES))
async def test_a_filter_that_nothing_passes_says_so(size: tuple[int, int]) -> None:
    async with watching(size=size) as (pilot, screen):
        await pilot.press("f", *"#7", "enter")
        await until(pilot, lambda: screen.query_one(ResultsTable).order.rows == [7])
        await pilot.press("f", *" mean>1", "enter")
        await until(pilot, lambda: "no combination passes the filter" in shown(pilot.app))
        assert "0 of 24 · filter #7 mean>1" in shown(pilot.app)
