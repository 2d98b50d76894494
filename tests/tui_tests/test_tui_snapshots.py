"""Pictures of the live view at three sizes; look at the report before you accept a new one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.marks import first_of
from tests.tui_tests.pilots import shown, until
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.app import FoldwatchApp
from tui.live.screen import LiveScreen
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.trends.screen import TrendsScreen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.pilot import Pilot


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone, and no wishes of whoever runs the tests as to colours."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        for name in ("NO_COLOR", "FORCE_COLOR", "FOLDWATCH_THEME"):
            patch.delenv(name, raising=False)
        time.tzset()
        yield
    time.tzset()


async def ready(pilot: Pilot[Any]) -> None:
    """Rows, plots and schedules are drawn."""
    app = pilot.app
    await until(pilot, lambda: isinstance(app.screen, LiveScreen))
    await until(pilot, lambda: len(app.screen.query_one(CurvesPlot).curves) == 3)
    await until(pilot, lambda: app.screen.query_one(LearningRatePlot).lines)
    await until(pilot, lambda: app.screen.live.liveness is not None)  # type: ignore[attr-defined]
    app.screen.frame.draw()  # type: ignore[attr-defined]
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=["80x24", "120x40", "200x60"])
def test_live_view(snap_compare: Any, size: tuple[int, int]) -> None:
    app = FoldwatchApp(session=half_way_session(), now=lambda: NOON + 75, theme="dark")
    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize(
    ("size", "keys", "selected"),
    first_of(
        [
            ((120, 40), [], "coordinates · all"),
            ((80, 24), ["tab", "tab", "up"], "2 of 13 selected"),
            ((200, 60), ["up", "plus", "left", "left", "down"], "3 of 13 selected"),
        ]
    ),
    ids=["120x40", "80x24", "200x60"],
)
def test_trends(snap_compare: Any, size: tuple[int, int], keys: list[str], selected: str) -> None:
    async def open_trends(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrendsScreen))
        # The helper process finds no such session, and says so.
        await until(pilot, lambda: "no session" in pilot.app.screen.report.refused)  # type: ignore[attr-defined]
        await pilot.press(*keys)
        await until(pilot, lambda: selected in shown(pilot.app))
        await until(pilot, lambda: len(pilot.app.screen.query_one(CurvesPlot).curves) == 3)

    app = FoldwatchApp(session=half_way_session(), now=lambda: NOON + 75, theme="dark")
    assert snap_compare(app, terminal_size=size, run_before=open_trends)
