"""The app with a session whose search lives in a script: what it shows, what its keys say."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from engine.session.listing import list_sessions
from tests.script_sessions import PLANNED, all_fits, begun, keras_session, watched_session
from tests.tui_tests.pilots import said, shown, until
from tui.app import FoldwatchApp
from tui.home.about_session import about
from tui.home.comparison import compare
from tui.home.screen import HomeScreen
from tui.home.sessions_table import SessionsTable
from tui.live.detail import DetailScreen
from tui.live.printed import PrintedLines
from tui.live.screen import LiveScreen
from tui.parts.control_panel import ControlPanel
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

pytestmark = pytest.mark.asyncio
SIZES = [(80, 24), (140, 40)]


@asynccontextmanager
async def _opened(
    sessions: Path, name: str, size: tuple[int, int] = (140, 40)
) -> AsyncIterator[tuple[Pilot[Any], LiveScreen]]:
    app = FoldwatchApp(session=name, sessions=sessions)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view")
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        await until(pilot, lambda: screen.query_one(ResultsTable).order.rows, "rows")
        await until(pilot, lambda: screen.live.liveness is not None, "liveness")
        yield pilot, screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_running_script_shows_its_epochs_and_both_rates(size: tuple[int, int], tmp_path: Path) -> None:
    keras_session(tmp_path, begun())
    async with _opened(tmp_path, "quick", size) as (pilot, screen):
        await until(pilot, lambda: len(screen.live.curves(0)) == 1, "curves")
        assert screen.live.curves(0)[0].loss == [1.0, 0.5]
        line = screen.live.rate_line(0)
        assert line is not None
        assert (line.planned, line.by_epoch, line.used) == (None, PLANNED, PLANNED[:2])
        assert line.plan_points(in_steps=True) == ([1.0, 2.0, 3.0, 4.0], PLANNED)
        await until(pilot, lambda: screen.query_one(LearningRatePlot).lines, "learning rates")
        assert "GridSea" in shown(pilot.app)
        training = screen.live.state.trainings[0]
        assert (training.epoch, training.epochs, training.fits[0].epochs) == (2, 4, 4)
        titles = [column.title for column in screen.query_one(ResultsTable).model.columns if column.kind == "param"]
        assert titles == ["decay_rate", "units"]  # and not one for `model`, which no combination has


@pytest.mark.parametrize("size", SIZES)
async def test_a_script_that_refits_does_not_stand_still(size: tuple[int, int], tmp_path: Path) -> None:
    keras_session(tmp_path, all_fits())
    async with _opened(tmp_path, "quick", size) as (pilot, screen):
        await until(pilot, lambda: "the script is refitting #1" in shown(pilot.app), "the refit")
        assert "epoch 2/4" in shown(pilot.app)
        assert "100%" not in shown(pilot.app)
        await pilot.press("p")
        assert "too late to pause" in said(screen)
        await pilot.press("x")
        assert screen is pilot.app.screen  # no question


async def test_keys_that_need_a_spec_say_what_to_do_in_the_script(tmp_path: Path) -> None:
    keras_session(tmp_path, begun())
    async with _opened(tmp_path, "quick", (80, 24)) as (pilot, screen):
        for key, there in (
            ("b", "save best_estimator_ there"), ("B", "save best_estimator_ there"),
            ("Z", "write finer values into its grid"),
            ("c", "change that and run it again"), ("1", "change that"), ("U", "change that"),
            ("r", "run that again to retry"), ("D", "it ends with that; x stops it earlier"),
        ):  # fmt: skip
            await pilot.press(key)
            assert f"this search lives in reuters_grid.py: {there}" in said(screen)
            assert screen is pilot.app.screen
            assert screen.query_one(ControlPanel).message in shown(pilot.app)
        words = [word for _, word, _ in screen.commands.keys_now(None)]
        assert {"pause", "stop", "skip"} <= set(words)
        assert not {"save best", "zoom", "change", "retry", "start"} & set(words)
        await pilot.press("p")
        await until(pilot, lambda: "a pause was requested" in said(screen), "the request")


async def test_a_script_without_epochs_shows_its_estimator_and_train_scores(tmp_path: Path) -> None:
    watched_session(tmp_path)
    async with _opened(tmp_path, "mine") as (pilot, screen):
        await until(pilot, lambda: screen.query_one(CurvesPlot).without, "why there are no curves")
        assert screen.live.rate_line(0) is None
        assert shown(pilot.app).count("no epochs are recorded of these fits") == 2
        await until(pilot, lambda: "worker 0: fitted" in "".join(one.text for one in screen.live.history.log), "output")
        times = [one.time for one in screen.live.history.log]
        assert times == sorted(times)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen), "the detail")
        detail = pilot.app.screen
        assert isinstance(detail, DetailScreen)
        text = detail._facts().plain
        assert "on training rows, score" in text
        assert "estimator\nRecorded()" in text
        assert "run it in Python" not in text


async def test_the_home_screen_says_where_the_search_lives(tmp_path: Path) -> None:
    keras_session(tmp_path, begun(), alive=False)
    watched_session(tmp_path)
    summaries = {one.id: one for one in list_sessions(tmp_path)}
    shown_about = about(summaries["quick"])
    assert shown_about.problem == ""
    assert "GridSearchCV · /home/me/reuters_grid.py" in shown_about.spec
    assert "0 classes" not in shown_about.spec
    compared = compare(summaries["mine"], summaries["quick"])
    assert any("a script's data and splits are not recorded" in caveat for caveat in compared.caveats)

    app = FoldwatchApp(sessions=tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "the home screen")
        table = app.screen.query_one(SessionsTable)
        await until(pilot, lambda: len(table.summaries) == 2, "sessions")
        await pilot.press("G")
        await until(pilot, lambda: table.cursor is not None and table.cursor.id == "quick", "the cursor")
        for key, there in (("d", "copy that"), ("Z", "write finer values into its grid"), ("r", "run that again")):
            await pilot.press(key)
            panel = app.screen.query_one(ControlPanel)
            assert panel.message.startswith(f"this search lives in reuters_grid.py: {there}")
            assert panel.message in shown(app)


async def test_printed_lines_are_read_on_and_only_once(tmp_path: Path) -> None:
    log, printed = tmp_path / "worker.3.log", PrintedLines(tmp_path)
    log.write_bytes(b"I0000 00:00:1 11 port.cc:153] oneDNN is on\none\ntw")
    assert [line.text for line in printed.read()] == ["worker 3: one"]
    assert printed.read() == []
    with log.open("ab") as file:
        file.write(b"o\x1b[2J\n")
    (line,) = printed.read()
    assert line.text.startswith("worker 3: two")
    assert "\x1b" not in line.text
    log.write_bytes(b"new\n")  # as when a log that has grown too long is cut down
    assert [line.text for line in printed.read()] == ["worker 3: new"]
    log.write_bytes(b"x" * 200_000 + b"\nlast\n")
    assert [line.text for line in printed.read()][-1] == "worker 3: last"
