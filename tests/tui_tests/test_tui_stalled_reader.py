"""A terminal that stops reading for a while: the search does not notice, and the app shows where it stands after it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from engine.spec.spec import SearchSpec
from tests.fake_command import FakeSearch
from tests.fakes import SMALL
from tests.tui_tests.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from pathlib import Path

UNITS = list(range(8, 28))
FITS = 3 * len(UNITS)
SIZES = ((120, 40), (118, 39))


@pytest.mark.slow
def test_a_terminal_that_stops_reading_for_a_while(surroundings: Path) -> None:
    spec = SearchSpec.from_values({**SMALL, "space": {"epochs": [2], "hidden_units": UNITS}})
    search = FakeSearch(spec, sessions=surroundings, name="watched", workers=1)
    search.start()
    search.pause()
    command = [sys.executable, "-P", "-m", "tui", "--sessions", str(surroundings), "attach", "watched"]
    with PseudoTerminal(command) as terminal:
        terminal.until(lambda: "PAUSED" in terminal.display[0], "the paused search")
        search.resume()
        # Nothing is read from here on, and each size is drawn anew: more than any terminal holds back.
        turns = 0
        while search.wait(0.05) is None or not terminal.is_full:
            turns += 1
            assert turns < 2000, "the app never filled the terminal"
            terminal.resize(*SIZES[turns % 2])
        assert search.outcome == "completed"
        terminal.resize(*SIZES[0])
        terminal.until(
            lambda: "COMPLETED" in terminal.display[0] and f"{FITS}/{FITS}" in terminal.display[0], "the end"
        )
        terminal.press("f")
        terminal.until(lambda: any("mean>0.8" in line for line in terminal.display), "an answer to a key")
        terminal.press("\x03")
        assert terminal.wait() == 0, terminal.tail
