"""A live view that was closed leaves nothing behind, though what was loaded with it is kept from the collector."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from tests.tui_tests.pilots import until
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.app import FoldwatchApp
from tui.home.screen import HomeScreen
from tui.live.detail import DetailScreen
from tui.live.screen import LiveScreen
from tui.results.table import ResultsTable
from tui.trends.screen import TrendsScreen

if TYPE_CHECKING:
    from pathlib import Path


def _shows(app: FoldwatchApp, kind: type[object]) -> bool:
    return isinstance(app.screen, kind)


@pytest.mark.slow
async def test_a_closed_live_view_is_collected(tmp_path: Path) -> None:
    app = FoldwatchApp(sessions=tmp_path, now=lambda: NOON + 75)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        closed: list[weakref.ref[object]] = []
        for _ in range(2):
            app.open_live(half_way_session())
            await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view")
            await until(pilot, lambda: app.screen.query_one(ResultsTable).order.rows, "rows")
            for key, above in (("enter", DetailScreen), ("t", TrendsScreen)):
                await pilot.press(key)
                await until(pilot, functools.partial(_shows, app, above), "a screen above")
                await pilot.press("escape")
                await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view again")
            screen = app.screen
            assert isinstance(screen, LiveScreen)
            closed += [weakref.ref(screen), weakref.ref(screen.live.state), weakref.ref(screen.follow)]
            del screen
            gc.freeze()  # as another view's record does when it is read
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home again")
        await until(pilot, lambda: not any(reference() for reference in closed), "the closed views are gone")
