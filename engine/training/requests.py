"""From a combination's flat parameters to the request that a trainer gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.resolved import resolved_params_of
from engine.training.interface import FunctionCall, NetworkDescription, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.training.user_code import UserFunction


def training_request(
    params: Mapping[str, Any], *, row_count: int, width: int, classes: int, seed: int, own: UserFunction | None = None
) -> TrainingRequest:
    """The request for a training with flat parameters on `row_count` rows; `seed` comes from `training_seed`.

    `own`: the function that builds the model, if that is no built-in network.
    """
    resolved = resolved_params_of(params)
    call = None
    if own is not None:
        arguments = {**own.arguments, **{name: json.loads(value) for name, value in resolved.model_arguments}}
        named = bool({"optimizer", "learning_rate"} & params.keys())
        call = FunctionCall(own.function, own.name, arguments, row_count, named)
    # Without hidden layers nothing is activated, so that no activation is one that a trainer does not cover.
    activation = resolved.activation if resolved.hidden_units else "linear"
    return TrainingRequest(
        network=NetworkDescription(width, classes, resolved.hidden_units, activation, resolved.dropout, resolved.l2),
        optimizer=resolved.optimizer,
        optimizer_arguments=dict(resolved.optimizer_arguments),
        batch_size=resolved.batch_size,
        epochs=resolved.epochs,
        learning_rates=np.asarray(resolved.rates(row_count), np.float32),
        seed=seed,
        call=call,
    )
