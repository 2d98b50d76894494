"""Numbers along an axis: as short as they can be, and no two alike."""

from __future__ import annotations

import pytest

from tui.plots.chart import _tick_texts


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ([0.0, 1.0, 2.0], ["0", "1", "2"]),
        ([0.5, 1.0, 1.5], ["0.5", "1.0", "1.5"]),
        ([0.0005, 0.00075, 0.001], ["0.00050", "0.00075", "0.00100"]),
        ([0.8, 0.8025], ["0.8000", "0.8025"]),
        ([-0.1, 0.30000000000000004], ["-0.1", "0.3"]),
        ([2.5e-8, 5e-8], ["2.5e-8", "5e-8"]),
    ],
)
def test_ticks_are_told_apart(ticks: list[float], texts: list[str]) -> None:
    assert _tick_texts(ticks) == texts
