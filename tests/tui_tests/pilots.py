"""Helpers for pilot tests: wait for a condition, never for a time."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from textual import events
from textual.keys import _character_to_key as character_to_key

from tests.tui_tests.scripted_search import NOON, ScriptedSession, half_way_session
from tui.app import FoldwatchApp
from tui.live.screen import LiveScreen
from tui.parts.control_panel import ControlPanel
from tui.results.table import ResultsTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

DEADLINE_SECONDS = 20.0


async def until(
    pilot: Pilot[Any], condition: Callable[[], object], what: str = "", *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Let the app work until the condition holds; fail after the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not come to be: {what or condition}"
        await pilot.pause()
        await asyncio.sleep(0.005)
    await pilot.pause()


@asynccontextmanager
async def watching(
    session: ScriptedSession | None = None, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], LiveScreen]]:
    """An app that has opened the session's live view and drawn its rows."""
    app = FoldwatchApp(session=session or half_way_session(), now=lambda: NOON + 75, **options)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view")
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        await until(pilot, lambda: screen.query_one(ResultsTable).order.rows, "rows")
        await until(pilot, lambda: screen.live.liveness is not None, "liveness")
        yield pilot, screen


async def burst(pilot: Pilot[Any], keys: str) -> None:
    """Type it all at once, as a slow line delivers it; `<tab>` is a key by its name. Wait until it has been taken."""
    for name, character in re.findall(r"<(\w+)>|(.)", keys):
        pilot.app.post_message(events.Key(name or character_to_key(character), character or None))
    await pilot.pause()


def said(screen: LiveScreen) -> str:
    """What the control panel says, and its command."""
    panel = screen.query_one(ControlPanel)
    return f"{panel.message} $ {panel.command}"


def shown(app: Any) -> str:
    """The whole screen as text, a line a row."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
