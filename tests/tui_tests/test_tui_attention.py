"""What reaches somebody who looks elsewhere: the bell and the name of the terminal's window."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from engine.session import events
from tests.marks import first_of
from tests.tui_tests.pilots import said, shown, until, watching
from tests.tui_tests.pseudo_terminal import PseudoTerminal
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.terminal.terminal_title import TerminalTitle

if TYPE_CHECKING:
    from textual.pilot import Pilot


def bells(pilot: Pilot[None]) -> list[bool]:
    """Grows with every bell."""
    rung: list[bool] = []
    pilot.app.bell = lambda: rung.append(True)  # type: ignore[method-assign]
    return rung


@pytest.mark.parametrize("outcome", first_of([("completed",), ("failed",), ("stopped",)]))
async def test_the_bell_rings_once_at_every_end(outcome: str) -> None:
    session = half_way_session()
    async with watching(session) as (pilot, _):
        rung = bells(pilot)
        session.script_events.append(events.SearchFinished(time=NOON + 80, outcome=outcome))  # type: ignore[arg-type]
        await until(pilot, lambda: outcome.upper() in shown(pilot.app))
        session.alive = False
        await until(pilot, lambda: rung)
        assert rung == [True]


@pytest.mark.slow
async def test_the_bell_rings_when_the_engine_is_gone() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, _):
        rung = bells(pilot)
        session.alive = False
        await until(pilot, lambda: "CRASHED" in shown(pilot.app))
        assert rung == [True]


async def test_opening_what_ended_long_ago_is_silent() -> None:
    session = half_way_session()
    session.script_events.append(events.SearchFinished(time=NOON + 80, outcome="failed"))
    session.alive = False
    rung: list[bool] = []
    async with watching(session) as (pilot, screen):
        pilot.app.bell = lambda: rung.append(True)  # type: ignore[method-assign]
        screen._tick()
        await until(pilot, lambda: "FAILED" in shown(pilot.app))
        assert not rung


@pytest.mark.slow
async def test_a_stall_rings_once_and_says_what_to_look_at() -> None:
    session = half_way_session()
    async with watching(session) as (pilot, screen):
        rung = bells(pilot)
        screen._now = screen.frame._now = lambda: NOON + 10_000
        await until(pilot, lambda: "STALLED" in shown(pilot.app))
        await until(pilot, lambda: "no progress for" in said(screen))
        screen._tick()
        screen._tick()
        assert rung == [True]
        assert "foldwatch logs reuters-01" in said(screen)
        session.script_events.append(events.WorkerRecycled(time=NOON + 10_000, worker=9, pid=9, reason="memory"))
        await until(pilot, lambda: "STALLED" not in shown(pilot.app))
        screen._tick()
        screen._now = screen.frame._now = lambda: NOON + 30_000
        await until(pilot, lambda: len(rung) == 2, "the next stall")


def test_a_window_is_named_and_its_own_name_comes_back() -> None:
    written: list[str] = []
    title = TerminalTitle(written.append)
    title.show("41 % running · reuters-01")
    title.show("41 % running · reuters-01")
    title.show("evil\x1b]52;c;ZXZpbA==\x07\x9c\u202e" + "y" * 1000)
    title.give_back()
    title.show("too late")
    title.give_back()
    assert written[0] == "\x1b[22;2t"
    assert written[1] == "\x1b]2;41 % running · reuters-01\x07"
    hostile = written[2].removeprefix("\x1b]2;").removesuffix("\x07")
    assert not [character for character in hostile if ord(character) < 32 or 127 <= ord(character) < 160]
    assert len(hostile) < 200
    assert written[3:] == ["\x1b[23;2t"]


PLAY = """
from tests.tui_tests.scripted_search import NOON, half_way_session
from tui.app import FoldwatchApp
FoldwatchApp(session=half_way_session(), now=lambda: NOON + 75).run()
"""


@pytest.mark.slow
def test_a_real_window_says_what_is_watched() -> None:
    with PseudoTerminal([sys.executable, "-c", PLAY]) as terminal:
        terminal.until(lambda: terminal.title == "58% running · reuters-01 · foldwatch", "the title")
        terminal.press("q")
        assert terminal.wait() == 0
        assert b"\x1b[23;2t" in terminal.tail
