"""One training, in this process: what is reported of it when it is held on the way, and what it is trained on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from engine.errors import DataError
from engine.training.checkpoint_file import read_checkpoint
from engine.workers import fold_training, messages
from engine.workers.orders import Orders
from engine.workers.search_data import SearchData
from tests import orders
from tests.fakes import Clock, FakeTrainer

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS_HELD = 100.0


class _HeldOrders(Orders):
    """Lets a training go on whenever it is held, some time later."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(os.open(os.devnull, os.O_RDONLY), lambda message: None)

        def wait(timeout: float | None = None) -> bool:
            clock.now += _SECONDS_HELD
            return True

        self.may_run.wait = wait  # type: ignore[method-assign]


def test_a_pause_is_no_time_of_a_training(tmp_path: Path, parsed_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sent = Clock(), list[messages.Message]()
    monkeypatch.setattr(time, "perf_counter", clock)
    order = messages.Train(
        training=5,
        trainer="kernel",
        split=0,
        params={"batch_size": 50, "hidden_units": 8},
        stops=[1, 3],
        checkpoint=orders.checkpoint(tmp_path / "kept", "k"),
        key="k",
        keeps_last=True,
    )
    data = SearchData(orders.prepare(tmp_path, parsed_data))
    fold_training.train(order, data, FakeTrainer, _HeldOrders(clock), sent.append)
    assert isinstance(sent[-1], messages.Ended)
    scored = [message for message in sent if isinstance(message, messages.Scored)]
    assert [message.epochs for message in scored] == [1, 3]
    assert clock.now - Clock().now >= 2 * _SECONDS_HELD
    assert [message.seconds for message in scored] == [0.0, 0.0]
    kept = read_checkpoint(tmp_path / "kept", "k")
    assert kept is not None
    assert (kept.checkpoint.epoch, kept.seconds) == (3, 0.0)


@pytest.mark.parametrize("part", ["dataset", "folds"])
def test_other_data_than_the_order_names_are_refused(tmp_path: Path, parsed_data: Path, part: str) -> None:
    order = orders.prepare(tmp_path, parsed_data)
    other = structs.replace(getattr(order, part), digest="0" * 64)
    with pytest.raises(DataError, match=f"{other.path}: holds [0-9a-f]{{64}}, and not {other.digest}"):
        SearchData(structs.replace(order, **{part: other}))
