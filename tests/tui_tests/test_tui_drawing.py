"""Only what looks different is painted again."""

from __future__ import annotations

import pytest
from rich.text import Text
from textual.geometry import Region

from tests.tui_tests.pilots import until, watching
from tests.tui_tests.scripted_search import Script, ScriptedSession
from tui.parts.drawing import differing
from tui.results.table import ResultsTable


@pytest.mark.parametrize(
    ("before", "after", "regions"),
    [
        (Text("one\ntwo"), Text("one\ntwo"), []),
        (Text("one\ntwo"), Text("one\ntoo"), [Region(1, 1, 1, 1)]),
        (Text("epoch 3 of 9"), Text("epoch 4 of 9"), [Region(6, 0, 1, 1)]),
        (Text("one"), Text("one more"), [Region(3, 0, 17, 1)]),
        (Text("one\ntwo"), Text("one"), [Region(0, 1, 20, 1)]),
        (Text("漢字 a"), Text("漢字 b"), [Region(5, 0, 1, 1)]),
        (Text("one", "red"), Text.assemble(("one", "green")), [Region(0, 0, 20, 1)]),
        (Text.assemble("a", ("b", "red"), "c"), Text.assemble("a", ("b", "green"), "c"), [Region(1, 0, 19, 1)]),
    ],
)
def test_where_two_drawings_differ(before: Text, after: Text, regions: list[Region]) -> None:
    found = differing(before, after, 20)
    assert len(found) == len(regions)
    for one, other in zip(found, regions, strict=True):
        assert one.contains_region(other), "too much is allowed, too little is not"


async def test_the_screen_after_many_updates_is_the_one_drawn_at_once() -> None:
    """What was painted in parts equals what a fresh view paints whole."""
    script = Script()
    session = ScriptedSession(script.start(), script.curves)
    async with watching(session) as (pilot, screen):
        table = screen.query_one(ResultsTable)
        for index in range(6):
            for fold in range(3):
                training, begun = script.begin(index, fold)
                session.script_events.extend(begun + script.epochs(training, index, fold, 1, 3))
                await until(pilot, lambda: not screen.follow._backlog and table.model.running)
                session.script_events.extend(script.scored(training, index, fold))
        await until(pilot, lambda: len(table.model.complete) == 6)
        painted = dict(table._painted)
        assert painted
        for y, strip in painted.items():
            assert strip == table._line(y)
