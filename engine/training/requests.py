"""From a combination's flat parameters to what a trainer is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.resolved import settings_of
from engine.training.interface import NetworkDescription, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def training_request(
    params: Mapping[str, Any], *, training_rows: int, width: int, classes: int, seed: int
) -> TrainingRequest:
    """What a trainer is asked for, from flat parameters and the fold's size; `seed` from `training_seed`."""
    settings = settings_of(params)
    # Without hidden layers nothing is activated, so that no activation is one that a trainer does not cover.
    activation = settings.activation if settings.hidden_units else "linear"
    return TrainingRequest(
        network=NetworkDescription(width, classes, settings.hidden_units, activation, settings.dropout, settings.l2),
        optimizer=settings.optimizer,
        optimizer_arguments=dict(settings.optimizer_arguments),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        learning_rates=np.asarray(settings.rates(training_rows), np.float32),
        seed=seed,
    )
