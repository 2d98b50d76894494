"""An engine killed at any moment loses no score that it acknowledged and leaves nothing.

In a file of its own, so that it can run beside the kills at every operation.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.fault_tests.engine_kills import assert_nothing_is_lost

if TYPE_CHECKING:
    from pathlib import Path

    from engine.session.events import AnyEvent
    from tests.fault_tests.engine_forks import Ended, EngineForks

KILLS = 200


@pytest.mark.slow
def test_killed_at_random_moments(
    forks: EngineForks, undisturbed_engine: tuple[Ended, dict[str, Any]], tmp_path: Path
) -> None:
    """Before the first score, between any two, in resumes and at the end; the number seeds its moment.

    On a fast machine an engine is often done before its moment: sessions go on until enough were killed.
    """
    killed = 0
    for seed in range(2 * KILLS):
        chance = random.Random(seed)
        sessions = tmp_path / str(seed) / "sessions"
        acknowledged: list[AnyEvent] = []
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            moment = (chance.randrange(len(undisturbed_engine[0].acknowledged)), chance.expovariate(100))
            ended = forks.run(sessions, workers=2, kill_after=moment)
            assert ended.left == [], seed
            assert ended.was_killed or ended.status == 0, seed
            killed += ended.was_killed
            acknowledged += ended.acknowledged
        assert_nothing_is_lost(forks, sessions, acknowledged, undisturbed_engine[1])
        if killed >= KILLS:
            return
    pytest.fail(f"only {killed} of {KILLS} engines were killed before they had ended")
