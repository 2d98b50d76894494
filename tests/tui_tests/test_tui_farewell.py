"""What a new user looks for: what goes on after `q`, workers after a crash, saved models, additions, easy typing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.listing import list_sessions
from tests.tui_tests.pilots import until
from tests.tui_tests.scripted_search import NOON, Script
from tests.tui_tests.small_sessions import make_session
from tui.app import FoldwatchApp
from tui.home.about_session import about
from tui.live.screen import LiveScreen
from tui.live.workers import WorkersPane
from tui.new_search.screen import NewSearchScreen
from tui.terminal.farewell import Whereabouts, farewell

if TYPE_CHECKING:
    import pytest


def test_what_goes_on_is_said_with_how_to_see_it_again() -> None:
    here = Path("/somewhere/sessions")
    lines = farewell(
        [
            Whereabouts(here / "over", "completed", 9, 9, is_worked_on=False),
            Whereabouts(here / "runs", "running", 4, 9, is_worked_on=True),
        ]
    )
    assert lines == [
        "runs continues without this view (running, 4 of 9 fits)",
        "  watch it again: foldwatch attach runs --sessions /somewhere/sessions",
    ]
    over = farewell([Whereabouts(here / "over", "completed", 9, 9, is_worked_on=False)])
    assert over == ["over: completed; its results: foldwatch show over --sessions /somewhere/sessions"]


async def test_the_app_remembers_what_runs(tmp_path: Path) -> None:
    make_session(tmp_path, "runs", Script().half_way(), alive=True)
    app = FoldwatchApp(sessions=tmp_path, now=lambda: NOON + 75)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.visited, "the list")
    assert [(one.folder.name, one.is_worked_on) for one in app.visited.values()] == [("runs", True)]


async def test_no_worker_works_after_a_crash(tmp_path: Path) -> None:
    crashed = make_session(tmp_path, "crashed", Script().half_way())
    app = FoldwatchApp(session=crashed, sessions=tmp_path, now=lambda: NOON + 75)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view")
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        await until(pilot, lambda: screen.live.standing == "crashed", "the crash")
        assert screen.live.state.workers  # the record ends while they work
        assert "no engine works" in screen.query_one(WorkersPane).draw_content(80, 4).plain


def test_saved_models_and_changes_are_found_again(tmp_path: Path) -> None:
    made = [
        *Script().half_way(),
        events.Steered(time=NOON, words="combination 3 comes first", first=[3]),
        events.RefitStarted(time=NOON, combination=8, epochs=5, path="/x/best.keras"),
        events.ModelSaved(time=NOON, combination=8, path="/x/best.keras", sha256="0"),
        events.TestScored(time=NOON, combination=8, scores={"accuracy": 0.75}, rows=10),
    ]
    make_session(tmp_path, "half", made)
    found = about(list_sessions(tmp_path)[0])
    assert found.saved == ("#8 at /x/best.keras, test set: accuracy 0.7500",)
    assert found.changes == ("combination 3 comes first",)


async def test_a_character_lays_no_screen_out_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = FoldwatchApp(sessions=tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(NewSearchScreen())
        await until(pilot, lambda: isinstance(app.screen, NewSearchScreen), "the form")
        screen = app.screen
        assert isinstance(screen, NewSearchScreen)
        await until(pilot, lambda: screen.model.study is not None, "the first study")
        layouts: list[Any] = []
        whole = type(screen)._refresh_layout

        def counted(self: Any, *arguments: Any, **options: Any) -> Any:
            layouts.append(arguments)
            return whole(self, *arguments, **options)

        monkeypatch.setattr(type(screen), "_refresh_layout", counted)
        monkeypatch.setattr(screen, "_work_out", lambda: None)  # what it means is another matter
        for _ in range(6):
            await pilot.press("comma", "7")
        assert screen.model.form.text("space.0.epochs").endswith(",7,7,7")
        assert layouts == []
