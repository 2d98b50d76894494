"""From a combination's flat parameters to what a trainer is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.resolved import resolved_params_of
from engine.training.interface import NetworkDescription, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def training_request(
    params: Mapping[str, Any], *, training_rows: int, width: int, classes: int, seed: int
) -> TrainingRequest:
    """What a trainer is asked for, from flat parameters and the fold's size; `seed` from `training_seed`."""
    resolved = resolved_params_of(params)
    # Without hidden layers nothing is activated, so that no activation is one that a trainer does not cover.
    activation = resolved.activation if resolved.hidden_units else "linear"
    return TrainingRequest(
        network=NetworkDescription(width, classes, resolved.hidden_units, activation, resolved.dropout, resolved.l2),
        optimizer=resolved.optimizer,
        optimizer_arguments=dict(resolved.optimizer_arguments),
        batch_size=resolved.batch_size,
        epochs=resolved.epochs,
        learning_rates=np.asarray(resolved.rates(training_rows), np.float32),
        seed=seed,
    )
