"""A worker continues from the checkpoint that another left, says only what is new, and does without one if it must."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from engine.workers import messages
from engine.workers.pool import MessageReceived
from engine.workers.process_pool import ProcessPool
from tests import orders
from tests.fakes import FAKE_WORKER

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("surroundings")
DEADLINE_SECONDS = 30.0


class Trainings:
    """Workers, each of which trains once."""

    def __init__(self, pool: ProcessPool, prepare: messages.Prepare) -> None:
        self._pool, self._prepare = pool, prepare
        self._started = 0

    def run(self, stops: list[int], path: Path, key: str = "it", *, keeps_last: bool = False) -> list[Any]:
        """What a new worker says of the training that lies at `path`, from its beginning on."""
        self._pool.start(self._started, {})
        order = messages.Train(
            training=5,
            trainer="kernel",
            split=0,
            params={"hidden_units": 8, "epochs": 9},
            stops=stops,
            checkpoint=orders.checkpoint(path, key),
            key=key,
            keeps_last=keeps_last,
        )
        self._pool.send(self._started, self._prepare)
        self._pool.send(self._started, order)
        self._started += 1
        said: list[Any] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not any(isinstance(one, messages.Ended | messages.Failed) for one in said):
            assert time.monotonic() < deadline, said
            said += [one.message for one in self._pool.wait(1.0) if isinstance(one, MessageReceived)]
        assert isinstance(said[-1], messages.Ended), said[-1]
        return [one for one in said if isinstance(one, messages.Begun | messages.EpochDone | messages.Scored)]

    def log(self) -> str:
        """What the last worker printed."""
        return (self._pool.logs / f"worker.{self._started - 1}.log").read_text()


@pytest.fixture
def trainings(tmp_path: Path, parsed_data: Path) -> Iterator[Trainings]:
    pool = ProcessPool(tmp_path, FAKE_WORKER)
    prepare = orders.prepare(tmp_path, parsed_data)
    yield Trainings(pool, prepare)
    pool.close()


def without_times(said: list[Any]) -> list[Any]:
    """What was trained, and what it scored."""
    return [
        (one.epochs, one.scores) if isinstance(one, messages.Scored) else one
        for one in said
        if isinstance(one, messages.Scored) or (isinstance(one, messages.EpochDone) and not one.before)
    ]


def seconds(said: list[Any]) -> list[float]:
    return [one.seconds for one in said if isinstance(one, messages.Scored)]


def curve(said: list[Any]) -> list[messages.EpochDone]:
    """All epochs, those that the checkpoint brought among them."""
    return [structs.replace(one, before=False) for one in said if isinstance(one, messages.EpochDone)]


def test_goes_on_where_another_worker_was(trainings: Trainings, tmp_path: Path) -> None:
    whole = trainings.run([2, 5, 9], tmp_path / "none")
    path = tmp_path / "kept"
    rungs = [
        trainings.run([2], path, keeps_last=True),
        trainings.run([5], path, keeps_last=True),
        trainings.run([9], path),
    ]
    assert without_times([one for rung in rungs for one in rung]) == without_times(whole)
    assert [rung[0].start for rung in rungs] == [0, 2, 5]
    assert curve(rungs[-1]) == curve(whole)
    taken = [one for rung in rungs for one in seconds(rung)]
    assert taken == sorted(taken)
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["missing", "damaged", "of another", "too late"])
def test_begins_anew_without_a_checkpoint_that_fits(trainings: Trainings, tmp_path: Path, start: str) -> None:
    path = tmp_path / "kept"
    trainings.run([4], path, "another" if start == "of another" else "it", keeps_last=True)
    if start == "damaged":
        path.write_bytes(path.read_bytes()[:-3])
    stops = [4, 6] if start == "too late" else [5, 6]
    said = trainings.run(stops, tmp_path / "none" if start == "missing" else path)
    assert said[0].start == 0
    assert without_times(said) == without_times(trainings.run(stops, tmp_path / "nothing"))


def test_a_checkpoint_that_cannot_be_kept_costs_no_score(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = trainings.run([3], tmp_path / "file" / "checkpoint", keeps_last=True)
    assert "no checkpoint was kept: " in trainings.log()
    assert without_times(said) == without_times(trainings.run([3], tmp_path / "none"))
