"""A brush on an axis is a filter that keeps exactly the rows of the brushed levels."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from engine.analysis.trends.complete import CompleteCombinations
from engine.analysis.trends.parallel import ParallelAxis, parallel_axes
from tui.results.brushes import SCORE, Brush, Brushes
from tui.results.row_filter import compile_filter

VALUES: dict[str, list[Any]] = {
    "hidden_units": ["[8, 4]", "[16, 8]", 64, "[8, 4]"] * 5,
    "learning_rate": ["ExponentialDecay", 1e-05, 0.1, "ExponentialDecay"] * 5,
    "learning_rate__decay_rate": [0.8, None, None, 0.96] * 5,
    "optimizer__nesterov": [True, False, None, True] * 5,
    "dropout": [number / 7 / 20 for number in range(20)],
    "l2": [None, *(10 ** (-number / 3) for number in range(19))],
}
MEANS = [0.7 + number * 0.0123456789 / 3 for number in range(20)]
COLUMNS = {**VALUES, SCORE: MEANS}


def axes() -> list[ParallelAxis]:
    rows = list(range(20))
    return parallel_axes(CompleteCombinations(rows, MEANS, [0.0] * 20, [[mean] for mean in MEANS], VALUES), "accuracy")


@pytest.mark.parametrize("number", range(7))
def test_every_range_keeps_the_rows_of_its_levels(number: int) -> None:
    axis = axes()[number]
    column = axis.name if axis.name in VALUES else SCORE
    for first, last in itertools.combinations_with_replacement(range(len(axis.levels)), 2):
        brushes = Brushes()
        brushes.put(axis, Brush(first, last), column)
        keeps = compile_filter(brushes.text, COLUMNS)
        assert keeps is not None
        expected = {row for level in axis.levels[first : last + 1] for row in level.rows}
        assert {row for row in range(20) if keeps(row)} == expected, brushes.text


def test_brushes_of_several_axes_hold_together_and_are_cleared_one_by_one() -> None:
    first, second, *_ = axes()
    brushes = Brushes()
    brushes.take_over("wide")
    brushes.put(first, Brush(0, 0), first.name)
    brushes.put(second, Brush(1, 9), second.name)
    assert brushes.text == "wide hidden_units=64 learning_rate=0.1,ExponentialDecay"
    brushes.take_over(brushes.text)
    assert set(brushes.ranges) == {first.name, second.name}
    brushes.clear(first.name)
    assert brushes.text == "wide learning_rate=0.1,ExponentialDecay"
    brushes.take_over("typed=1")
    assert (brushes.text, brushes.ranges) == ("typed=1", {})
    brushes.clear()
    assert brushes.text == ""


def test_a_brush_stays_on_its_axis() -> None:
    assert Brush(1, 2).moved(1, 3) == Brush(1, 2)
    assert Brush(1, 2).moved(-1, 3) == Brush(0, 1)
    assert Brush(0, 1).moved(-1, 3) == Brush(0, 1)
    assert Brush(0, 0).widened(1, 3) == Brush(0, 1)
    assert Brush(2, 2).widened(1, 3) == Brush(1, 2)
    assert Brush(1, 2).widened(-1, 3) == Brush(1, 1)
    assert Brush(1, 1).widened(-1, 3) == Brush(1, 1)
