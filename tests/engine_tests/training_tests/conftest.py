"""Trainings run here as they do in a worker: one thread, set before anything heavy is imported."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.data.rows import Rows
from engine.training.interface import NetworkDescription, TrainingRequest
from engine.workers.process_pool import ONE_THREAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

os.environ.update(ONE_THREAD)

WIDTH = 60


def _rows(count: int, classes: int, seed: int = 0, width: int = WIDTH) -> Rows:
    """Rows of 3 to 11 ones, most of them in columns that belong to the row's class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count).astype(np.int32)
    columns = []
    for label in labels:
        own = random.choice(width // classes, min(4, width // classes), replace=False) * classes + label
        others = random.choice(width, random.integers(3, 8), replace=False)
        columns.append(np.unique(np.concatenate([own[own < width], others])).astype(np.int32))
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum([len(row) for row in columns], out=indptr[1:])
    return Rows(np.concatenate(columns), indptr, labels, width, classes)


def _request(
    training: Rows,
    *,
    optimizer: str = "rmsprop",
    arguments: Mapping[str, float | bool | None] | None = None,
    epochs: int = 3,
    batch_size: int = 16,
    rate: float = 0.01,
    seed: int = 11,
    hidden_units: tuple[int, ...] = (8, 6),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
) -> TrainingRequest:
    """A training whose rate differs at every step, falling from `rate`."""
    steps = epochs * math.ceil(len(training) / batch_size)
    return TrainingRequest(
        network=NetworkDescription(training.width, training.classes, hidden_units, activation, dropout, l2),
        optimizer=optimizer,
        optimizer_arguments=arguments or {},
        batch_size=batch_size,
        epochs=epochs,
        learning_rates=(rate * 0.99 ** np.arange(steps)).astype(np.float32),
        seed=seed,
    )


@pytest.fixture
def make_rows() -> Callable[..., Rows]:
    """Makes small synthetic rows."""
    return _rows


@pytest.fixture
def make_request() -> Callable[..., TrainingRequest]:
    """Makes small trainings of given rows."""
    return _request
