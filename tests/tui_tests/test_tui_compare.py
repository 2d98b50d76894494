"""Two sessions side by side: what they share, what makes a difference doubtful, and every key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.session.listing import list_sessions
from tests.marks import first_of
from tests.tui_tests.pilots import shown, until
from tests.tui_tests.scripted_search import NOON, Script
from tests.tui_tests.small_sessions import make_session
from tui.app import FoldwatchApp
from tui.home.compare import CompareScreen
from tui.home.comparison import Comparison, compare, ordered
from tui.home.comparison_view import SharedPane
from tui.home.note_editor import NoteScreen
from tui.home.notes import read_note, write_note
from tui.live.screen import LiveScreen
from tui.parts.keys_screen import KeysScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from engine.session.listing import SessionSummary

HOSTILE = "evil\x1b]52;c;aGk=\x07\x9b31m[red]\u202e"


def two(folder: Path, **second: Any) -> tuple[SessionSummary, SessionSummary]:
    make_session(folder, "first-01", Script().everything(), created=NOON)
    made = second.pop("made", None) or Script(seed=1).half_way(6)
    make_session(folder, "second-01", made, created=NOON + 10, **second)
    by_name = {summary.id: summary for summary in list_sessions(folder)}
    return by_name["first-01"], by_name["second-01"]


def test_only_combinations_that_both_finished_are_compared(tmp_path: Path) -> None:
    found = compare(*two(tmp_path))
    assert found.metric == "accuracy"
    assert len(found.shared) == 6
    assert found.unfinished == 18
    one = found.shared[0]
    assert one.difference == pytest.approx(one.second[0] - one.first[0])
    assert found.caveats == ()
    by_difference = [abs(row.difference) for row in ordered(found.shared, by_difference=True)]
    assert by_difference == sorted(by_difference, reverse=True)
    by_score = [max(row.first[0], row.second[0]) for row in ordered(found.shared, by_difference=False)]
    assert by_score == sorted(by_score, reverse=True)


def test_parameters_are_named_where_they_differ(tmp_path: Path) -> None:
    shared = compare(*two(tmp_path, made=list(Script(seed=1).everything()))).shared
    assert len(shared) == 24
    assert all("units " in row.params and "decay_rate" not in row.params for row in shared)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"seed": 5}, "seeds differ"),
        ({"digest": "other"}, "different data"),
        ({"made": list(Script(scoring=["f1_weighted"]).everything())}, "no metric in common"),
    ],
)
def test_what_makes_a_difference_doubtful_is_said(tmp_path: Path, second: dict[str, Any], says: str) -> None:
    assert says in " ".join(compare(*two(tmp_path, **second)).caveats)


@asynccontextmanager
async def comparing(
    folder: Path, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], CompareScreen]]:
    """An app that compares the two sessions of a folder."""
    app = FoldwatchApp(sessions=folder, **options)
    async with app.run_test(size=size) as pilot:
        by_name = {summary.id: summary for summary in list_sessions(folder)}
        screen = CompareScreen(by_name["first-01"], by_name["second-01"])
        await app.push_screen(screen)
        await until(pilot, lambda: screen.comparison is not None)
        yield pilot, screen


@pytest.mark.slow
@pytest.mark.parametrize("size", first_of([((80, 24),), ((120, 40),), ((200, 60),)]))
async def test_both_sides_and_every_key(tmp_path: Path, size: tuple[int, int]) -> None:
    two(tmp_path, seed=1)
    write_note(tmp_path / "first-01", "the old one")
    async with comparing(tmp_path, size) as (pilot, screen):
        app = screen.app
        text = shown(app)
        assert "first-01" in text
        assert "second-01" in text
        assert "completed" in text
        order = [screen.query_one(SharedPane).by_difference]
        await pilot.press("s")
        order.append(screen.query_one(SharedPane).by_difference)
        assert order == [True, False]
        for key in ("down", "j", "up", "k", "pagedown", "pageup", "u"):
            await pilot.press(key)
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, NoteScreen))
        await pilot.press(*"new", "f2")
        await until(pilot, lambda: read_note(tmp_path / "second-01") == "new\n")
        await until(pilot, lambda: screen.comparison is not None and screen.comparison.sides[1].note == "new\n")
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, NoteScreen))
        assert "the old one" in shown(app)
        await pilot.press("escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        await pilot.press("escape")
        for key in ("o", "O"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, LiveScreen))
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape")
        await until(pilot, lambda: screen not in app.screen_stack)


async def test_while_an_engine_works_both_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two(tmp_path)
    readings: list[bool] = []

    def counted(*summaries: SessionSummary) -> Comparison:
        readings.append(len(readings) < 3)
        return replace(compare(*summaries), is_running=readings[-1])

    monkeypatch.setattr("tui.home.compare.compare", counted)
    monkeypatch.setattr("tui.home.compare.REFRESH_SECONDS", 0.01)
    async with comparing(tmp_path) as (pilot, screen):
        await until(pilot, lambda: screen.comparison is not None and not screen.comparison.is_running)
    assert readings[:4] == [True, True, True, False]


async def test_a_session_that_went_away_is_said(tmp_path: Path) -> None:
    two(tmp_path)
    async with comparing(tmp_path) as (pilot, screen):
        (tmp_path / "second-01" / "search.json").unlink()
        await pilot.press("u")
        await until(pilot, lambda: "cannot be read" in screen._panel.message)


async def test_read_only_takes_no_notes(tmp_path: Path) -> None:
    two(tmp_path)
    async with comparing(tmp_path, read_only=True) as (pilot, screen):
        await pilot.press("1")
        assert "read-only" in screen._panel.message


async def test_hostile_text_is_harmless(tmp_path: Path) -> None:
    two(tmp_path, dataset=HOSTILE, host=HOSTILE)
    (tmp_path / "first-01" / "note.txt").write_text(HOSTILE)
    async with comparing(tmp_path) as (_, screen):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown(screen.app))


def test_values_tried_are_named_where_they_vary(tmp_path: Path) -> None:
    first, second = compare(*two(tmp_path)).sides
    assert dict(first.values) == dict(second.values)
    assert dict(first.values)["epochs"] == "5, 10, 20"
    assert "epochs" in first.best_values


def test_many_numbers_are_told_by_their_ends(tmp_path: Path) -> None:
    script = Script()
    for number, params in enumerate(script.params):
        params["dropout"] = number / 100
    found = compare(*two(tmp_path, made=script.everything()))
    assert dict(found.sides[1].values)["dropout"] == "0 to 0.23, 24 values"
    assert dict(found.sides[0].values)["dropout"] == "none"


def test_a_value_that_either_has_to_itself_is_named(tmp_path: Path) -> None:
    script = Script()
    for params in script.params:
        params["dropout"] = 0.5
    first, second = compare(*two(tmp_path, made=script.everything())).sides
    assert (dict(first.values)["dropout"], dict(second.values)["dropout"]) == ("none", "0.5")
