"""A search runs on any pool that has the interface: here on one of two nodes, each with a process pool of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from engine.session.events import FitRetried, WorkerDied
from engine.workers import messages, start
from engine.workers.pool import Report, WorkerFacts
from engine.workers.process_pool import ProcessPool
from tests.fakes import FAKE_WORKER, Fault, fake_search, same_results, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SPACE = {"epochs": [2, 3], "hidden_units": [8, 16]}


class TwoNodes:
    """A `Pool` over two nodes that get workers in turn; `place` has what a node holds of the search's data."""

    def __init__(self, logs: Path, place: Path) -> None:
        self._place = place
        self._nodes = [ProcessPool(logs, FAKE_WORKER) for _ in range(2)]
        self.started: set[int] = set()
        self.is_closed = False

    @property
    def workers(self) -> Sequence[int]:
        return [number for node in self._nodes for number in node.workers]

    def facts(self, number: int) -> WorkerFacts:
        return WorkerFacts(self._node(number).facts(number).pid, f"node-{number % 2}")

    def set_log_folder(self, folder: Path) -> None:
        for node in self._nodes:
            node.set_log_folder(folder)

    def start(self, number: int, environment: Mapping[str, str]) -> None:
        self.started.add(number)
        self._node(number).start(number, environment)

    def send(self, number: int, order: messages.ToWorker) -> None:
        if isinstance(order, messages.Prepare):
            order = structs.replace(order, dataset=self._fetched(order.dataset), folds=self._fetched(order.folds))
        self._node(number).send(number, order)

    def _fetched(self, stored: messages.Stored) -> messages.Stored:
        """The same data by their name everywhere, where the node has them."""
        path = self._place / stored.digest
        if not path.exists():
            path.hardlink_to(stored.path) if stored.path.endswith(".npy") else path.symlink_to(stored.path)
        return structs.replace(stored, path=str(path))

    def wait(self, seconds: float) -> list[Report]:
        return [report for node in self._nodes for report in node.wait(min(seconds, 0.02))]

    def stop(self, number: int, reason: str) -> None:
        self._node(number).stop(number, reason)

    def close(self) -> None:
        self.is_closed = True
        for node in self._nodes:
            node.close()

    def _node(self, number: int) -> ProcessPool:
        return self._nodes[number % 2]


def test_a_search_on_a_second_pool_has_the_same_scores_and_survives_a_death(
    surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = fake_search(surroundings, SPACE, name="here")
    list(here.run())
    pools: list[TwoNodes] = []
    place, marks = tmp_path / "node", tmp_path / "marks"
    place.mkdir()
    marks.mkdir()

    def two_nodes(logs: Path, command: Sequence[str] | None = None) -> TwoNodes:
        pools.append(TwoNodes(logs, place))
        return pools[-1]

    monkeypatch.setattr(start, "ProcessPool", two_nodes)
    for name, value in told(Fault("kill", epoch=2, units=16, times=1, marks=str(marks))).items():
        monkeypatch.setenv(name, value)
    there = fake_search(surroundings, SPACE, name="there", fresh=True)
    happened = list(there.run())
    assert [event.signal for event in happened if isinstance(event, WorkerDied)] == ["SIGKILL"]
    assert any(isinstance(event, FitRetried) for event in happened)
    assert len(list(place.iterdir())) == 2
    assert [(pool.started, pool.is_closed) for pool in pools] == [({0, 1}, True)]
    assert same_results(here.cv_results_, there.cv_results_)
