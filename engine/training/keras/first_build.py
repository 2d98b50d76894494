"""Whether a user's function builds what can be searched: a model of these rows, the same one at each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import TrainingRefusedError
from engine.training.keras.network import build_optimizer
from engine.training.keras.own_model import build_model, check_probabilities, has_optimizer

if TYPE_CHECKING:
    from engine.training.interface import TrainingRequest


def check_builds(request: TrainingRequest, *, optimizer_named: bool) -> None:
    """Build the model of a request twice and see that it can be trained and compared.

    `optimizer_named`: the search chooses optimizers or learning rates. Raises TrainingRefusedError, and what the
    function raises.
    """
    call = request.call
    assert call is not None
    builds = []
    for _ in range(2):
        optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, 0.001)
        model = build_model(call, request.network, optimizer, seed=request.seed)
        if optimizer_named and not has_optimizer(model, optimizer):
            message = (
                f"{call.name}: compiles its model with an optimizer of its own, so optimizer and learning_rate in the "
                "space would do nothing; return the model uncompiled, or compile it with compile_kwargs, or take them "
                "out of the space"
            )
            raise TrainingRefusedError(message)
        check_probabilities(call, model, request.network.width)
        builds.append([np.array(array) for array in model.get_weights()])
    first, second = builds
    if len(first) != len(second) or not all(map(np.array_equal, first, second)):
        message = (
            f"{call.name}: builds another network when it is called twice with the same arguments and seed, so that "
            "scores could not be compared; keras.utils.set_random_seed is called before it: take chance from there"
        )
        raise TrainingRefusedError(message)
