"""A terminal that changes its size hundreds of times: nothing breaks, and the last size is drawn like any other."""

from __future__ import annotations

import random

import pytest

from tests.tui_tests.pseudo_terminal import PseudoTerminal, play

LAST = (132, 43)
SCROLLBARS = dict.fromkeys(map(ord, "▁▂▃▄▅▆▇█"), " ")


def drawn(terminal: PseudoTerminal) -> list[str]:
    """The whole screen once its parts are there: header, table, curves and keys."""
    parts = ("RUNNING", "sort mean", "#8 loss", "elapsed", "0.8120", "q quit")
    terminal.until(lambda: all(any(part in line for line in terminal.display) for part in parts), "the live view")
    while terminal.read(0.5):
        pass
    return picture(terminal)


def picture(terminal: PseudoTerminal) -> list[str]:
    """The screen without scrollbars, which also say how a pane came to be scrolled where it is."""
    return [line.translate(SCROLLBARS) for line in terminal.display]


@pytest.mark.slow
def test_a_storm_of_sizes() -> None:
    with play(*LAST) as fresh:
        wanted = drawn(fresh)
    chance = random.Random(0)
    with play(120, 40) as terminal:
        drawn(terminal)
        for number in range(300):
            terminal.resize(chance.randint(20, 250), chance.randint(5, 80))
            if number % 7 == 0:
                terminal.read(0.02)
            assert terminal.process.poll() is None, terminal.tail
        terminal.resize(*LAST)
        terminal.until(lambda: picture(terminal) == wanted, "the picture of a terminal that always had this size")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.tail


@pytest.mark.slow
def test_sizes_that_hold_nothing() -> None:
    with play(120, 40) as terminal:
        drawn(terminal)
        for size in ((20, 5), (1, 1), (250, 1), (2, 80), (20, 5)):
            terminal.resize(*size)
            terminal.read(0.3)
            assert terminal.process.poll() is None, terminal.tail
        terminal.resize(*LAST)
        terminal.until(lambda: any("RUNNING" in line for line in terminal.display), "the header")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.tail
