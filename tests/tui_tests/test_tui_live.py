"""Every key of the live view, against scripted searches."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from textual.widgets import Input, Static

from engine.session import events, requests
from engine.session.requests import SetDeadline
from tests.marks import first_of
from tests.tui_tests.pilots import said, shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, half_way_session
from tui.live.detail import DetailScreen
from tui.live.log import LogPane
from tui.live.screen import LiveScreen
from tui.new_search.screen import NewSearchScreen
from tui.parts.control_panel import ControlPanel
from tui.parts.dialogs import ChoiceScreen, PathScreen, TextScreen
from tui.parts.keys_screen import KeysScreen
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.results.table import ResultsTable
from tui.trends.screen import TrendsScreen

if TYPE_CHECKING:
    from textual.events import DescendantFocus

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


@pytest.mark.parametrize(
    ("key", "request_", "command"),
    [
        ("p", requests.Pause(), "foldwatch pause reuters-01"),
        ("K", requests.Skip(combination=15), "foldwatch skip reuters-01 --combination 15"),
        ("r", requests.Retry(combination=16), "foldwatch retry reuters-01 --combination 16"),
    ],
)
async def test_a_key_asks_the_engine_and_shows_its_command(key: str, request_: Any, command: str) -> None:
    session = half_way_session()
    session.script_events.append(events.CombinationDropped(time=1.0, combination=16, reason="skipped"))
    async with watching(session) as (pilot, screen):
        screen.query_one(ResultsTable).move_to(16 if key == "r" else 15)
        await pilot.press(key)
        await until(pilot, lambda: session.requests)
        assert session.requests == [request_]
        assert command in said(screen)


async def test_a_complete_search_is_not_to_be_started_for_a_pause() -> None:
    script = Script()
    session = ScriptedSession(list(script.everything()), script.curves, alive=False)
    async with watching(session) as (pilot, screen):
        await until(pilot, lambda: screen.live.standing == "completed")
        await pilot.press("p")
        await until(pilot, lambda: "the search is complete, so there is nothing to pause $" in said(screen))


async def test_keys_go_to_the_table_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    focused: list[str | None] = []
    when_focused = LiveScreen.on_descendant_focus

    def note(screen: LiveScreen, event: DescendantFocus) -> None:
        focused.append(event.widget.id)
        when_focused(screen, event)

    monkeypatch.setattr(LiveScreen, "on_descendant_focus", note)
    async with watching() as (pilot, _):
        await until(pilot, lambda: focused)
        assert set(focused) == {"results"}


async def test_what_was_said_goes_when_the_search_has_got_there() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("p")
        await until(pilot, lambda: "a pause was requested" in said(screen))
        session.script_events.append(events.SearchPaused(time=1.0))
        await until(pilot, lambda: "PAUSED" in shown(pilot.app))
        await until(pilot, lambda: "a pause was requested" not in said(screen))
        assert "foldwatch pause reuters-01" in said(screen)


async def test_retry_takes_all_failed_ones_where_none_is_selected() -> None:
    script = Script(splits=1)
    made = script.start()
    for index in (3, 5):
        made += script.failed(index, 0, "it broke", "")
    session = ScriptedSession([*made, *script.fit(0, 0)], script.curves)
    async with watching(session) as (pilot, screen):
        await pilot.press("r")
        await until(pilot, lambda: len(session.requests) == 2)
        assert "foldwatch retry reuters-01 --combination 3 --combination 5" in said(screen)
        assert session.requests == [requests.Retry(combination=3), requests.Retry(combination=5)]


@pytest.mark.parametrize("alive", [True, False])
async def test_what_diverged_is_not_retried(alive: bool) -> None:
    script = Script(splits=1)
    training, begun = script.begin(3, 0)
    diverged = events.FitScored(
        time=script.clock, combination=3, fold=0, training=training, epochs=5, scores={}, seconds=1.0, diverged=True
    )
    session = ScriptedSession([*script.start(), *begun, diverged, *script.fit(0, 0)], script.curves, alive=alive)
    async with watching(session) as (pilot, screen):
        screen.query_one(ResultsTable).move_to(3)
        await pilot.press("r")
        assert "combination 3 diverged; with the same seed it would again" in said(screen)
        assert session.requests == []


async def test_the_log_counts_what_failed_and_what_diverged_apart() -> None:
    async with watching() as (_, screen):
        assert str(screen.query_one(LogPane).border_subtitle) == "1 failed, 1 diverged"


async def test_resume_after_a_pause() -> None:
    session = half_way_session()
    session.script_events.append(events.SearchPaused(time=1_750_000_070.0))
    async with watching(session) as (pilot, screen):
        assert "PAUSED" in shown(pilot.app)
        await pilot.press("s")
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Resume()]
        session.script_events.append(events.SearchResumed(time=1_750_000_071.0))
        await until(pilot, lambda: screen.live.standing == "running")


@pytest.mark.slow
@pytest.mark.parametrize(("key", "at_once"), [("f", False), ("a", True)])
async def test_stop_asks_how(key: str, at_once: bool) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        assert not session.requests
        await pilot.press(key)
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Stop(at_once=at_once)]
        assert "foldwatch stop reuters-01" in said(screen)
        await until(pilot, lambda: "STOPPING" in shown(pilot.app))
        assert " left" not in shown(pilot.app).splitlines()[1]


async def test_stop_can_be_left() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not session.requests


@pytest.mark.parametrize(("typed", "request_made"), [("20m", SetDeadline(seconds=1200)), ("none", SetDeadline())])
async def test_a_deadline_is_asked_for(typed: str, request_made: SetDeadline) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        pilot.app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert session.requests == [request_made]
        assert f"foldwatch deadline reuters-01 {typed}" in said(screen)


async def test_what_is_no_deadline_is_refused_with_what_is_accepted() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        box = pilot.app.screen.query_one(Input)
        box.value = "soon"
        await pilot.press("enter")
        await until(pilot, lambda: "'soon' is not accepted" in shown(pilot.app))
        assert "an ISO date and time, or none" in " ".join(shown(pilot.app).replace("│", " ").split()), "uncut"
        assert box.value == "soon"
        assert not session.requests
        box.value = "20m"
        await until(pilot, lambda: "not accepted" not in shown(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert screen.is_current


async def test_the_header_says_by_when() -> None:
    session = half_way_session()
    at = datetime.now().replace(hour=23, minute=59, second=58).timestamp()
    session.script_events.append(events.DeadlineSet(time=1_750_000_071.0, at=at))
    async with watching(session) as (pilot, _):
        await until(pilot, lambda: "by 23:59:58" in shown(pilot.app))


@pytest.mark.slow
@pytest.mark.parametrize(("key", "combination"), [("b", None), ("B", 10)])
async def test_save_asks_where(key: str, combination: int | None, tmp_path: Path) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        await pilot.press("j", key)
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        assert "foldwatch save reuters-01" in shown(pilot.app)
        # A folder that is not there is refused before anybody trains.
        await pilot.press("enter")
        await until(pilot, lambda: "there is no folder" in refusal(pilot.app))
        path = str(tmp_path / "a.keras")
        Path(path).touch()
        field = pilot.app.screen.query_one(Input)
        field.value = path
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "would be replaced" in refusal(pilot.app))
        assert not session.requests
        await pilot.press("enter")
        await until(pilot, lambda: session.requests)
        assert session.requests == [requests.Save(path=path, combination=combination)]
        session.script_events.append(events.RefitStarted(time=1.0, combination=8, epochs=20, path=path))
        await until(pilot, lambda: "refitting #8 on all training rows: epoch 0/20" in shown(pilot.app))
        session.script_events += [
            events.RefitEpochEnded(time=1.0, combination=8, epoch=3, epochs=20, loss=0.5, path=path),
        ]
        await until(pilot, lambda: "rows: epoch 3/20" in shown(pilot.app))
        session.script_events += [
            events.ModelSaved(time=1.0, combination=8, path="/x/best.keras", sha256="0"),
            events.TestScored(time=1.0, combination=8, scores={"accuracy": 0.801}, rows=2246),
        ]
        # The header keeps the best, with what the test set said of it.
        await until(pilot, lambda: ", 0.8010 on the test set  #8 batch" in shown(pilot.app).splitlines()[1])
        assert "accuracy 0.8010 on the test set (2246 rows) · saved #8 to /x/best.keras" in said(screen)
        session.script_events.append(events.SaveFailed(time=1.0, combination=8, path="/x", error="no room"))
        await until(pilot, lambda: "no room" in shown(pilot.app))
        assert "★ accuracy 0.8" in shown(pilot.app).splitlines()[1]
        assert screen.live.state.refit is not None


async def test_a_combination_that_is_not_complete_cannot_be_saved() -> None:
    async with watching() as (pilot, screen):
        screen.query_one(ResultsTable).move_to(15)
        await pilot.press("B")
        await until(pilot, lambda: "not complete" in said(screen))


@pytest.mark.slow
@pytest.mark.parametrize("key", ["p", "x", "K", "r", "b", "s"])
async def test_read_only_refuses_what_changes_the_search(key: str) -> None:
    session = half_way_session()
    async with watching(session, read_only=True) as (pilot, screen):
        await pilot.press(key)
        await until(pilot, lambda: "read-only" in said(screen))
        assert not session.requests
        assert "p pause" not in shown(pilot.app)


async def test_nothing_can_be_asked_of_an_engine_that_is_gone() -> None:
    session = half_way_session()
    session.alive = False
    async with watching(session) as (pilot, screen):
        assert "CRASHED" in shown(pilot.app)
        assert "s start" in shown(pilot.app)
        await pilot.press("p")
        await until(pilot, lambda: "no engine works on this session" in said(screen))
        assert not session.requests


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
