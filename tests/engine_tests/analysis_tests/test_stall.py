"""When a quiet search is said to have stalled."""

from __future__ import annotations

import pytest

from engine.analysis.forecast.stall import FIRST_PATIENCE_SECONDS, PATIENCE_SECONDS, StallWatch
from engine.session import events
from engine.session.state import SearchState


def running(*paces: float) -> SearchState:
    """A search in which one training runs, after others that took so many seconds."""
    state = SearchState()
    state.apply(
        events.SearchStarted(
            time=0.0,
            session="s",
            segment=1,
            dataset="reuters",
            synthetic=False,
            rows=10,
            classes=2,
            splits=2,
            scoring=["accuracy"],
            workers=1,
            trainings=2,
            cost=2.0,
            host="h",
            pid=1,
        )
    )
    state.apply(
        events.CombinationsAdded(
            time=0.0, combinations=[events.PlannedCombination(index=0, params={}, trainer="kernel")]
        )
    )
    state.apply(
        events.TrainingStarted(
            time=0.0,
            training=0,
            worker=0,
            fold=0,
            fits=[events.ServedFit(0, 5)],
            epochs=5,
            steps_per_epoch=1,
            cost=1.0,
            trainer="kernel",
            seed=1,
        )
    )
    state.longest_training = max(paces, default=0.0)
    return state


@pytest.mark.parametrize(
    ("paces", "quiet", "is_stalled"),
    [
        ((1.0, 2.0), PATIENCE_SECONDS - 1, False),
        ((1.0, 2.0), PATIENCE_SECONDS + 1, True),
        ((1.0, 200.0), 399.0, False),
        ((1.0, 200.0), 401.0, True),
        ((), FIRST_PATIENCE_SECONDS - 1, False),
        ((), FIRST_PATIENCE_SECONDS + 1, True),
    ],
)
def test_how_long_is_too_long(paces: tuple[float, ...], quiet: float, is_stalled: bool) -> None:
    watch = StallWatch()
    watch.hear(1000.0)
    assert watch.quiet_seconds(running(*paces), 1000.0 + quiet) == (quiet if is_stalled else 0.0)


def test_only_what_should_be_at_work_can_stall() -> None:
    late = 1e6
    assert StallWatch().quiet_seconds(running(1.0), late) == 0.0, "nothing was heard yet"
    watch = StallWatch()
    watch.hear(0.0)
    state = running(1.0)
    state.apply(events.SearchPaused(time=1.0))
    assert watch.quiet_seconds(state, late) == 0.0
    state.apply(events.SearchResumed(time=2.0))
    assert watch.quiet_seconds(state, late) == late
    watch.hear(late)
    assert watch.quiet_seconds(state, late + 1) == 0.0
    state.apply(events.SearchFinished(time=3.0, outcome="stopped"))
    assert watch.quiet_seconds(state, 2 * late) == 0.0
