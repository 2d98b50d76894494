"""The child's side of the pool, in this process: what it says of a training that is held on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.training.checkpoint_file import read_checkpoint
from engine.workers import messages, worker
from tests.fakes import SMALL, Clock, FakeTrainer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_SECONDS_HELD = 100.0


class _HeldOrders(worker.Orders):
    """Lets a training go on whenever it is held, some time later."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(os.open(os.devnull, os.O_RDONLY), lambda message: None)
        held = self.may_run

        def wait(timeout: float | None = None) -> bool:
            clock.now += _SECONDS_HELD
            return True

        held.wait = wait  # type: ignore[method-assign]


def test_a_pause_is_no_time_of_a_training(tmp_path: Path, parsed_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = Clock(), list[messages.Message]()
    monkeypatch.setattr("engine.workers.worker.time.perf_counter", clock)
    dataset = data.load("sample", num_words=SMALL["num_words"], cache_dir=parsed_data)
    folds = np.full((1, len(dataset.training)), -1, np.int16)
    folds[0, :200] = np.arange(200) % 2
    np.save(tmp_path / "folds.npy", folds)
    made = worker.Worker(said.append, _HeldOrders(clock), {"kernel": FakeTrainer})
    made._prepare(
        messages.Prepare(dataset=str(dataset.folder), folds=str(tmp_path / "folds.npy"), scoring=["accuracy"], seed=0)
    )
    params = {"batch_size": 50, "hidden_units": 8}
    made._train(
        messages.Train(
            training=5,
            trainer="kernel",
            fold=0,
            params=params,
            stops=[1, 3],
            checkpoint=str(tmp_path / "kept"),
            key="k",
            keeps_last=True,
        )
    )
    scored = [message for message in said if isinstance(message, messages.Scored)]
    assert [message.epochs for message in scored] == [1, 3]
    assert clock.now - Clock().now >= 2 * _SECONDS_HELD
    assert [message.seconds for message in scored] == [0.0, 0.0]
    kept = read_checkpoint(tmp_path / "kept", "k")
    assert kept is not None
    assert (kept.checkpoint.epoch, kept.seconds) == (3, 0.0)
