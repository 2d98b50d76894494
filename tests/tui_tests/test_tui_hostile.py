"""Hostile text in every place that a session can bring it from, on every screen."""

from __future__ import annotations

import pytest

from engine.session import events
from tests.tui_tests.pilots import shown, until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession, combinations
from tui.live.detail import DetailScreen
from tui.live.log import LogPane
from tui.parts.dialogs import TextScreen
from tui.results.table import ResultsTable
from tui.trends.screen import TrendsScreen

EVIL = "\x1b]52;c;ZXZpbA==\x07\x9b31m\u202e[bold red]x[/][/usr/bin]\u200b\ud800" + "y" * 10_000


def hostile_session() -> ScriptedSession:
    params = [
        given | {"optimizer": EVIL, f"note{EVIL[:40]}": f"{number}{EVIL}"}
        for number, given in enumerate(combinations())
    ]
    script = Script(params=params, scoring=["accuracy", f"odd{EVIL}"])
    made = script.start()
    for index in range(3):
        for fold in range(3):
            made += script.fit(index, fold)
    made += script.failed(3, 0, EVIL, f"{EVIL}\n{EVIL}")
    made += [
        events.CombinationDropped(time=script.clock, combination=4, reason=EVIL, evidence=EVIL),
        events.WorkerDied(time=script.clock, worker=0, pid=1, signal=EVIL, reason=EVIL),
        events.SaveFailed(time=script.clock, combination=0, path=EVIL, error=EVIL, traceback=EVIL),
        events.SearchFinished(time=script.clock, outcome="failed", message=EVIL),
    ]
    return ScriptedSession(made, script.curves)


def check(text: str) -> None:
    controls = [
        character for character in text if (ord(character) < 32 and character != "\n") or 127 <= ord(character) < 160
    ]
    assert not controls
    assert "\u202e" not in text
    assert "\u200b" not in text
    text.encode()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_nothing_reaches_the_terminal(size: tuple[int, int]) -> None:
    async with watching(hostile_session(), size=size) as (pilot, screen):
        check(shown(pilot.app))
        for _ in range(6):
            await pilot.press("tab")
            check(shown(pilot.app))
        log = screen.query_one(LogPane)
        screen.panes.show("log")
        log.focus()
        await pilot.press("g")
        while not (line := log._lines[log.cursor or 0]).detail:
            await pilot.press("j")
        assert line.kind == "failed"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        check(shown(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        screen.query_one(ResultsTable).focus()
        screen.query_one(ResultsTable).move_to(3)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
        check(shown(pilot.app))
        await pilot.press("end")
        check(shown(pilot.app))
        await pilot.press("escape", "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrendsScreen))
        await until(pilot, lambda: "explains" in shown(pilot.app))
        check(shown(pilot.app))
