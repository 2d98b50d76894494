"""A keras training that goes on from a checkpoint is, to the last bit, the one that never halted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.spec.catalogue import OPTIMIZERS
from engine.training.checkpoint_file import read_checkpoint, write_checkpoint
from tests.fakes import Collector, kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.rows import Rows
    from engine.training.interface import Checkpoint, Epoch, TrainingRequest

pytestmark = pytest.mark.keras

ARGUMENTS: list[tuple[str, dict[str, float | bool | None]]] = [
    ("nadam", {}),
    ("adam", {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3}),
    ("adam", {"amsgrad": True, "global_clipnorm": 1.0}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "clipnorm": 0.5}),
    ("sgd", {"gradient_accumulation_steps": 3}),
    ("rmsprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.01}),
    *((name, {}) for name in OPTIMIZERS if name != "nadam"),
]
# The rest takes the same way, and a minute more.


def bits(epoch: Epoch) -> tuple[object, ...]:
    """All that an epoch says and leaves behind."""
    arrays = epoch.checkpoint().arrays
    said = (epoch.number, epoch.loss, epoch.validation_loss, epoch.learning_rate, epoch.probabilities.tobytes())
    return (*said, [part.tobytes() for part in epoch.weights()], [(name, arrays[name].tobytes()) for name in arrays])


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "arguments"), ARGUMENTS, ids=str)
def test_every_optimizer_goes_on_as_if_it_had_never_halted(
    make_rows: Callable[..., Rows],
    make_request: Callable[..., TrainingRequest],
    optimizer: str,
    arguments: dict[str, float | bool | None],
    tmp_path: Path,
) -> None:
    from engine.training.keras.trainer import KerasTrainer

    training, validation = make_rows(70, 4), make_rows(33, 4, seed=1)

    def request(epochs: int = 3, seed: int = 11) -> TrainingRequest:
        return make_request(
            training, optimizer=optimizer, arguments=arguments, dropout=0.3, l2=0.001, epochs=epochs, seed=seed
        )

    def trained(by: KerasTrainer, start: Checkpoint | None = None) -> list[tuple[object, ...]]:
        return [bits(epoch) for epoch in by.train(request(), training, validation, start)]

    trainer = KerasTrainer()
    whole = trained(trainer)
    (epoch,) = trainer.train(request(epochs=1), training, validation)
    write_checkpoint(tmp_path / "checkpoint", kept(epoch.checkpoint()), "a training")
    found = read_checkpoint(tmp_path / "checkpoint", "a training")
    assert found is not None
    # In a model that has done something else in between, and in one of another process.
    list(trainer.train(request(epochs=2, seed=5), training, None))
    assert trained(trainer, found.checkpoint) == whole[1:]
    assert trained(KerasTrainer(), found.checkpoint) == whole[1:]


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "arguments"), ARGUMENTS[:5], ids=str)
def test_goes_on_from_any_step_as_if_it_had_never_halted(
    make_rows: Callable[..., Rows],
    make_request: Callable[..., TrainingRequest],
    optimizer: str,
    arguments: dict[str, float | bool | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from engine.training.keras import trainer as keras_trainer

    training, validation = make_rows(70, 4), make_rows(33, 4, seed=1)
    request = make_request(training, optimizer=optimizer, arguments=arguments, dropout=0.3, l2=0.001, epochs=3)
    trainer = keras_trainer.KerasTrainer()
    whole = [bits(epoch) for epoch in trainer.train(request, training, validation)]
    monkeypatch.setattr(keras_trainer, "_FIRST_STRETCH", 1)
    monkeypatch.setattr(keras_trainer, "_STRETCH_SECONDS", 0.0)
    collector = Collector()
    watched = [bits(epoch) for epoch in trainer.train(request, training, validation, None, collector)]
    assert watched == whole
    steps = -(-len(training) // request.batch_size)
    assert len(collector.taken) == 3 * (steps - 1)
    for taken in collector.taken[:: steps // 2]:
        write_checkpoint(tmp_path / "checkpoint", kept(taken), "a training")
        found = read_checkpoint(tmp_path / "checkpoint", "a training")
        assert found is not None
        rest = trainer.train(request, training, validation, found.checkpoint)
        assert [bits(epoch) for epoch in rest] == whole[taken.epoch :]


@pytest.mark.slow
def test_another_network_is_refused(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    from engine.training.keras.trainer import KerasTrainer

    training = make_rows(20, 4)
    trainer = KerasTrainer()
    epoch = next(trainer.train(make_request(training), training, None))
    for other in (make_request(training, hidden_units=(8, 7)), make_request(training, optimizer="adam")):
        with pytest.raises(ValueError, match="another network or optimizer"):
            next(trainer.train(other, training, None, epoch.checkpoint()))
