"""The log says which combination became the best, once, and agrees with the state on ties and undefined scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.session import events
from tests.tui_tests.scripted_search import NOON, Script
from tui.live.follow import replay

if TYPE_CHECKING:
    from collections.abc import Sequence


def kinds(scores: Sequence[tuple[int, float | None]]) -> list[tuple[int | None, str]]:
    """Of the log's lines, when these combinations have these scores, on one fold and in this order."""
    happened = Script(splits=1, scoring=["accuracy"]).start()
    for number, (combination, score) in enumerate(scores):
        happened.append(
            events.FitScored(
                time=NOON + number,
                combination=combination,
                fold=0,
                training=number,
                epochs=5,
                scores={"accuracy": score},
                seconds=1.0,
            )
        )
    _, history = replay(happened)
    return [(line.combination, line.kind) for line in history.log if line.kind in ("best", "scored")]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([(0, 0.7), (1, 0.8), (2, 0.75)], ["best", "best", "scored"]),
        # Of equal ones the first in the plan is the best, whichever ended first.
        ([(2, 0.8), (1, 0.8), (3, 0.8)], ["best", "best", "scored"]),
        ([(0, None), (1, 0.7), (2, 0.8)], ["best", "best", "best"]),
        # A score that comes twice is none the second time.
        ([(0, 0.8), (1, 0.7), (0, 0.8)], ["best", "scored", "scored"]),
    ],
)
def test_what_became_the_best(scores: list[tuple[int, float | None]], expected: list[str]) -> None:
    assert kinds(scores) == [(one, kind) for (one, _), kind in zip(scores, expected, strict=True)]
