"""Combinations that a plan takes for one are one: each of them trained alone gives the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.plan.sharing import effective
from engine.plan.trainer_choice import trainer_of
from engine.spec.resolved import resolved_params_of
from engine.training.interface import Epoch, Trainer
from engine.training.requests import training_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.data.rows import Rows

ROWS, BATCH = 40, 8
Params = dict[str, Any]


def _sgd(**arguments: Any) -> Params:
    return {"optimizer": "sgd", **{f"optimizer__{name}": value for name, value in arguments.items()}}


def _with(optimizer: str, **arguments: Any) -> Params:
    return {**_sgd(**arguments), "optimizer": optimizer}


def _rates(schedule: str, **arguments: Any) -> Params:
    return {"learning_rate": schedule, **{f"learning_rate__{name}": value for name, value in arguments.items()}}


def _cosine(**arguments: Any) -> Params:
    return _rates("CosineDecay", **{"initial_learning_rate": 0.1, "decay_steps": 4, **arguments})


EXPONENTIAL: Params = {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5}
EQUAL: dict[str, tuple[Params, Params]] = {
    "nesterov without momentum": (_sgd(), _sgd(momentum=0, nesterov=True)),
    "a decay of zero": (_sgd(weight_decay=None), _sgd(weight_decay=0.0)),
    "a decay of zero beside momentum": (_sgd(momentum=0.9), _sgd(momentum=0.9, weight_decay=0)),
    "adam without decay": (_with("adam"), _with("adam", weight_decay=0.0)),
    "nadam without decay": (_with("nadam"), _with("nadam", weight_decay=0.0)),
    "adamw without decay": (_with("adam"), _with("adamw", weight_decay=0)),
    "adamw by another name": (_with("adamw"), _with("adam", weight_decay=0.004)),
    "a rate of adafactor bounded twice": (_with("adafactor"), _with("adafactor", relative_step=False)),
    "whole numbers": (_sgd(momentum=1.0), _sgd(momentum=1)),
    "activation without hidden layers": ({"hidden_layers": 0}, {"hidden_layers": 0, "activation": "mish"}),
    "an uncovered one": ({"hidden_layers": 0}, {"hidden_layers": 0, "activation": "celu"}),
    "dropout without hidden layers": ({"hidden_layers": 0}, {"hidden_layers": 0, "dropout": 0.5}),
    "penalty without hidden layers": ({"hidden_layers": 0}, {"hidden_layers": 0, "l2": 0.1}),
    "all rows in one batch": ({"batch_size": ROWS}, {"batch_size": 128}),
    "no exponential decay": ({"learning_rate": 0.1}, _rates("ExponentialDecay", **{**EXPONENTIAL, "decay_rate": 1.0})),
    "no decay in time": ({"learning_rate": 0.1}, _rates("InverseTimeDecay", **{**EXPONENTIAL, "decay_rate": 0.0})),
    "a stair a step": (
        _rates("ExponentialDecay", **{**EXPONENTIAL, "decay_steps": 1}),
        _rates("ExponentialDecay", **{**EXPONENTIAL, "decay_steps": 1, "staircase": True}),
    ),
    "a stair a step in time": (
        _rates("InverseTimeDecay", **{**EXPONENTIAL, "decay_steps": 1}),
        _rates("InverseTimeDecay", **{**EXPONENTIAL, "decay_steps": 1, "staircase": True}),
    ),
    "an end at the beginning": (
        {"learning_rate": 0.1},
        _rates("PolynomialDecay", initial_learning_rate=0.1, end_learning_rate=0.1, decay_epochs="all", power=2.0),
    ),
    "one value": ({"learning_rate": 0.1}, _rates("PiecewiseConstantDecay", boundaries=[3], values=[0.1, 0.1])),
    "equal boundaries": (
        _rates("PiecewiseConstantDecay", boundaries=[3], values=[0.1, 0.01]),
        _rates("PiecewiseConstantDecay", boundaries=[3, 3], values=[0.1, 0.5, 0.01]),
    ),
    "equal neighbours": (
        _rates("PiecewiseConstantDecay", boundaries=[3], values=[0.1, 0.01]),
        _rates("PiecewiseConstantDecay", boundaries=[1, 3, 7], values=[0.1, 0.1, 0.01, 0.01]),
    ),
    "a cosine that stays up": ({"learning_rate": 0.1}, _cosine(alpha=1.0)),
    "a warm-up to where it is": ({"learning_rate": 0.1}, _cosine(alpha=1.0, warmup_target=0.1, warmup_steps=3)),
    "a warm-up to nowhere": (_cosine(), _cosine(warmup_steps=3)),
    "a warm-up in no time": (_cosine(), _cosine(initial_learning_rate=0.7, warmup_target=0.1)),
    "restarts that stay up": (
        {"learning_rate": 0.1},
        _rates("CosineDecayRestarts", initial_learning_rate=0.1, first_decay_steps=2, alpha=1.0),
    ),
}
UNEQUAL: dict[str, tuple[Params, Params]] = {
    "nesterov": (_sgd(momentum=0.9), _sgd(momentum=0.9, nesterov=True)),
    "the default decay of adamw": (_with("adam"), _with("adamw")),
    "activation": ({"hidden_layers": 1}, {"hidden_layers": 1, "activation": "tanh"}),
    "dropout": ({"hidden_layers": 1}, {"hidden_layers": 1, "dropout": 0.5}),
    "batches": ({"batch_size": ROWS - 1}, {"batch_size": 128}),
    "a decay after the end": (
        {"learning_rate": 0.1},
        _rates("PiecewiseConstantDecay", boundaries=[99], values=[0.1, 1]),
    ),
    "stairs": (_rates("ExponentialDecay", **EXPONENTIAL), _rates("ExponentialDecay", **EXPONENTIAL, staircase=True)),
    "a warm-up": (_cosine(), _cosine(warmup_target=0.1, warmup_steps=3, initial_learning_rate=0.0)),
    "a cosine above": ({"learning_rate": 0.1}, _cosine(alpha=2.0)),
    "restarts that grow": (
        {"learning_rate": 0.1},
        _rates("CosineDecayRestarts", initial_learning_rate=0.1, first_decay_steps=2, alpha=1.0, m_mul=1e200),
    ),
}


def _effect(params: Params) -> Any:
    return effective(resolved_params_of({"epochs": 2, "batch_size": BATCH, "hidden_units": 5, **params}), (ROWS,))


def _bits(trainer: Trainer, params: Params, rows: Rows) -> list[bytes]:
    """All that a training says and leaves behind, epoch by epoch."""
    params = {"epochs": 2, "batch_size": BATCH, "hidden_units": 5, **params}
    request = training_request(params, row_count=len(rows), width=rows.width, classes=rows.classes, seed=5)

    def bits(epoch: Epoch) -> bytes:
        said = np.array([epoch.loss, epoch.validation_loss, epoch.learning_rate]).tobytes()
        return b"".join([said, epoch.probabilities.tobytes(), *(part.tobytes() for part in epoch.weights())])

    return [bits(epoch) for epoch in trainer.train(request, rows, rows)]


@pytest.mark.parametrize("name", EQUAL)
def test_equal_effects_give_equal_bits_in_the_kernel(name: str, make_rows: Callable[..., Rows]) -> None:
    from engine.training.kernel import KernelTrainer

    one, other = EQUAL[name]
    assert _effect(one) == _effect(other)
    trainers = [trainer_of(resolved_params_of(params), "auto")[0] for params in EQUAL[name]]
    assert trainers[0] == trainers[1]
    if trainers[0] == "kernel":
        rows = make_rows(ROWS, 3)
        assert _bits(KernelTrainer(), one, rows) == _bits(KernelTrainer(), other, rows)


@pytest.mark.keras
@pytest.mark.parametrize("name", EQUAL)
def test_equal_effects_give_equal_bits_in_keras(name: str, make_rows: Callable[..., Rows]) -> None:
    from engine.training.keras.trainer import KerasTrainer

    rows = make_rows(ROWS, 3)
    one, other = (_bits(KerasTrainer(), params, rows) for params in EQUAL[name])
    assert one == other


@pytest.mark.parametrize("name", UNEQUAL)
def test_other_effects_stay_apart(name: str) -> None:
    one, other = UNEQUAL[name]
    assert _effect(one) != _effect(other)
