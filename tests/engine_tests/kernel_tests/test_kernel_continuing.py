"""A kernel training that goes on from a checkpoint is, to the last bit, the one that never halted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.training.checkpoint_file import read_checkpoint, write_checkpoint
from engine.training.interface import Checkpoint, Epoch, TrainingRequest
from engine.training.kernel import KernelTrainer
from engine.training.kernel.run import KernelRun
from tests.engine_tests.kernel_tests.kernel_requests import OPTIMIZERS, make_request, make_rows
from tests.fakes import Collector, kept
from tests.marks import first_of

ROWS, VALIDATION = make_rows(396, 4), make_rows(50, 4, seed=8)
Bits = tuple[int, float, float | None, float, bytes, list[bytes], list[tuple[str, bytes]]]


def bits(epoch: Epoch) -> Bits:
    """All that an epoch says and leaves behind."""
    return (
        epoch.number,
        epoch.loss,
        epoch.validation_loss,
        epoch.learning_rate,
        epoch.probabilities.tobytes(),
        [part.tobytes() for part in epoch.weights()],
        [(name, array.tobytes()) for name, array in epoch.checkpoint().arrays.items()],
    )


def trained(request: TrainingRequest, start: Checkpoint | None = None) -> list[Bits]:
    return [bits(epoch) for epoch in KernelTrainer().train(request, ROWS, VALIDATION, start)]


def through_a_file(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    write_checkpoint(path, kept(checkpoint), "a training")
    found = read_checkpoint(path, "a training")
    assert found is not None
    return found.checkpoint


@pytest.mark.parametrize("network", [{"dropout": 0.3}, {"l2": 0.01}], ids=str)
@pytest.mark.parametrize(("name", "arguments"), first_of(OPTIMIZERS, 8), ids=lambda value: str(value).replace(" ", ""))
def test_every_optimizer_goes_on_as_if_it_had_never_halted(
    name: str, arguments: dict[str, Any], network: dict[str, Any], tmp_path: Path
) -> None:
    request = make_request(ROWS, name, epochs=3, network=network, **arguments)
    whole = []
    for epoch in KernelTrainer().train(request, ROWS, VALIDATION):
        whole.append(bits(epoch))
        if epoch.number == 1:
            checkpoint = through_a_file(epoch.checkpoint(), tmp_path / "checkpoint")
    # Something else in between, as in a worker.
    trained(make_request(ROWS, "adam", batch_size=30, epochs=1, seed=5))
    assert trained(request, checkpoint) == whole[1:]
    # What was asked for had no need to be as long as what is asked for now.
    shorter = make_request(ROWS, name, epochs=1, network=network, **arguments)
    (epoch,) = KernelTrainer().train(shorter, ROWS, VALIDATION)
    assert trained(request, epoch.checkpoint()) == whole[1:]


@pytest.mark.parametrize("network", [{"dropout": 0.3}, {"l2": 0.01}], ids=str)
@pytest.mark.parametrize(("name", "arguments"), first_of(OPTIMIZERS, 8), ids=lambda value: str(value).replace(" ", ""))
def test_every_optimizer_goes_on_from_any_step(
    name: str, arguments: dict[str, Any], network: dict[str, Any], tmp_path: Path
) -> None:
    request = make_request(ROWS, name, epochs=2, batch_size=30, network=network, **arguments)
    whole = trained(request)
    collector = Collector()
    watched = [bits(epoch) for epoch in KernelTrainer().train(request, ROWS, VALIDATION, None, collector)]
    assert watched == whole
    steps = -(-len(ROWS) // 30)
    assert [(one.epoch, one.step) for one in collector.taken] == [(e, s) for e in (0, 1) for s in range(1, steps)]
    for taken in collector.taken[::5]:
        checkpoint = through_a_file(taken, tmp_path / "checkpoint")
        assert trained(request, checkpoint) == whole[taken.epoch :]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_visiting_every_row_goes_on_as_well(optimizer: str) -> None:
    request = make_request(ROWS, optimizer, epochs=3)
    dense = KernelRun(request, ROWS, VALIDATION)
    dense.leaves_rows_alone = False
    first, *rest = ((bits(epoch), epoch.checkpoint()) for epoch in dense.epochs())
    continued = KernelRun(request, ROWS, VALIDATION, start=first[1])
    continued.leaves_rows_alone = False
    assert [bits(epoch) for epoch in continued.epochs()] == [one for one, _ in rest]


def test_a_checkpoint_is_a_copy_and_changes_nothing() -> None:
    request = make_request(ROWS, "adam", epochs=2)
    undisturbed = trained(request)
    kept = []
    for epoch in KernelTrainer().train(request, ROWS, VALIDATION):
        checkpoint = epoch.checkpoint()
        kept.append((checkpoint, {name: array.copy() for name, array in checkpoint.arrays.items()}))
    for checkpoint, arrays in kept:
        for name, array in arrays.items():
            np.testing.assert_array_equal(checkpoint.arrays[name], array)
    assert trained(request, kept[0][0]) == trained(request, kept[0][0]) == undisturbed[1:]


def test_a_diverging_training_goes_on_diverging_alike() -> None:
    request = make_request(ROWS, "sgd", momentum=0.9, rate=1e30, epochs=3, network={"activation": "linear"})
    one, *_ = KernelTrainer().train(request, ROWS, VALIDATION)
    whole = trained(request)[1:]
    assert repr(trained(request, one.checkpoint())) == repr(whole)
    assert not np.isfinite(whole[0][1])


def test_at_its_end_nothing_is_left_to_do() -> None:
    request = make_request(ROWS)
    *_, last = KernelTrainer().train(request, ROWS, None)
    assert trained(request, last.checkpoint()) == []


def test_another_network_is_refused() -> None:
    epoch = next(KernelTrainer().train(make_request(ROWS), ROWS, None))
    for other in (make_request(ROWS, network={"hidden_units": (7, 6)}), make_request(ROWS, "adam")):
        with pytest.raises(ValueError, match="another network or optimizer"):
            next(KernelTrainer().train(other, ROWS, None, epoch.checkpoint()))
