"""Searches that last: an engine that does not grow, and workers that are killed all the time."""

from __future__ import annotations

import gc
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from engine.search.search import Search
from engine.session.events import FitRetried, FitScored, TrainingStarted, WorkerDied, WorkerStarted
from tests.benchmarks.grids import REFERENCE
from tests.fakes import fake_search, same_results

if TYPE_CHECKING:
    from engine.session.events import Event

pytestmark = pytest.mark.slow
MORE_MEMORY = 16 << 20  # bytes, in 400 fits: 40 KiB a fit would be more
MORE_DESCRIPTORS = 40  # in 400 fits: one in ten of them would be more; some are open for a moment only


def test_five_hundred_fits_leave_memory_and_descriptors_as_they_were(surroundings: Path) -> None:
    space = {"epochs": 1, "batch_size": list(range(32, 116)), "hidden_units": [8, 16]}
    search = fake_search(surroundings, space)
    process = psutil.Process()
    gc.collect()  # what tests before this one left is not to be closed under way
    scored, memory, descriptors = 0, [], []
    for event in search.run():
        if isinstance(event, FitScored):
            scored += 1
            if scored in (100, 500):
                memory.append(process.memory_info().rss)
                descriptors.append(process.num_fds())
    assert search.outcome == "completed"
    assert scored == 504
    assert memory[-1] - memory[0] < MORE_MEMORY
    assert descriptors[-1] - descriptors[0] < MORE_DESCRIPTORS


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Reuters where it is at hand, else the sample."""
    folder = os.environ.get("FOLDWATCH_DATA")
    if folder and (Path(folder) / "reuters.npz").is_file():
        return {"dataset": "reuters", "data_dir": folder}
    return {"dataset": "sample"}


def test_workers_killed_at_random_change_no_score_of_the_reference_grid(
    data: dict[str, Any], surroundings: Path
) -> None:
    undisturbed = Search(space=REFERENCE, sessions=surroundings / "undisturbed", workers=2, **data)
    list(undisturbed.run())
    chance = random.Random(0)
    search = Search(space=REFERENCE, sessions=surroundings / "disturbed", workers=2, **data)
    pids: dict[int, int] = {}
    tried: set[int] = set()
    happened: list[Event] = []
    patience = 5
    for event in search.run():
        happened.append(event)
        if isinstance(event, WorkerStarted):
            pids[event.worker] = event.pid
        elif isinstance(event, FitRetried):
            tried.add(event.training)
        # A training has two tries: one that was killed before is let be.
        elif isinstance(event, TrainingStarted) and event.training not in tried and pids.get(event.worker):
            patience -= 1
            if patience <= 0:
                os.kill(pids.pop(event.worker), signal.SIGKILL)
                tried.add(event.training)
                patience = chance.randrange(1, 4)
    died = [event for event in happened if isinstance(event, WorkerDied)]
    assert len(died) >= 5
    assert search.outcome == "completed"
    assert search.state.fits_failed == 0
    assert same_results(search.cv_results_, undisturbed.cv_results_)
