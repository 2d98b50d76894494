"""Small trainings for the kernel's tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.rows import Rows
from engine.training.interface import NetworkDescription, TrainingRequest

WIDTH = 60

# Every optimizer that the kernel covers, with options of every kind.
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("rmsprop", {}),
    ("rmsprop", {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.7, "weight_decay": 0.01}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    ("adam", {}),
    ("adam", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-4}),
    ("adam", {"beta_1": 0.99, "beta_2": 0.9}),
    ("adam", {"amsgrad": True, "weight_decay": 0.02}),
    ("adamw", {"weight_decay": 0.1}),
    ("nadam", {}),
    ("nadam", {"weight_decay": 0.1}),
    ("adagrad", {"initial_accumulator_value": 0.01}),
    ("adam", {"clipnorm": 0.05}),
    ("adam", {"global_clipnorm": 0.1}),
    ("sgd", {"clipvalue": 0.002, "momentum": 0.9}),
]


def make_rows(count: int, classes: int, seed: int = 3, width: int = WIDTH) -> Rows:
    """Rows over words of very different frequency, among them some that occur once and some never."""
    generator = np.random.default_rng(seed)
    frequency = np.minimum(0.6, 3.0 / (1.0 + np.arange(width) ** 1.3))
    frequency[-5:] = 0.0
    ones = generator.random((count, width)) < frequency
    ones[:, -6] = False
    ones[count // 3, -6] = True
    lengths = ones.sum(axis=1)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    # Labels depend on the words, so that there is something to learn.
    scores = ones @ generator.normal(size=(width, classes))
    labels = np.argmax(scores, axis=1).astype(np.int32)
    return Rows(np.nonzero(ones)[1].astype(np.int32), indptr, labels, width, classes)


def make_request(
    rows: Rows,
    optimizer: str = "rmsprop",
    *,
    epochs: int = 2,
    batch_size: int = 8,
    rate: float = 0.01,
    seed: int = 11,
    network: dict[str, Any] | None = None,
    **arguments: float | bool | None,
) -> TrainingRequest:
    """A request with a learning rate that changes at every step."""
    steps = epochs * -(-len(rows) // batch_size)
    rates = (rate * (1.0 + 0.5 * np.sin(np.arange(steps)))).astype(np.float32)
    description: dict[str, Any] = {"hidden_units": (7, 5), **(network or {})}
    return TrainingRequest(
        NetworkDescription(rows.width, rows.classes, **description),
        optimizer,
        arguments,
        batch_size,
        epochs,
        rates,
        seed,
    )
