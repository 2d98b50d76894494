"""Whether a user's function builds what can be searched: a model of these rows, the same one at each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import TrainingRefusedError
from engine.training.keras.network import build_optimizer
from engine.training.keras.own_model import build_model, check_probabilities

if TYPE_CHECKING:
    from engine.training.interface import TrainingRequest


def check_builds(request: TrainingRequest) -> None:
    """Build the model of a request twice and see that it can be trained and compared.

    Raises TrainingRefusedError, and what the function raises.
    """
    call = request.call
    assert call is not None
    builds = []
    for _ in range(2):
        optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, 0.001)
        model = build_model(call, request.network, optimizer, seed=request.seed)
        check_probabilities(call, model, request.network.width)
        builds.append([np.array(array) for array in model.get_weights()])
    first, second = builds
    if len(first) != len(second) or not all(map(np.array_equal, first, second)):
        message = (
            f"{call.name}: builds another network when it is called twice with the same arguments and seed, so that "
            "scores could not be compared; keras.utils.set_random_seed is called before it: take chance from there"
        )
        raise TrainingRefusedError(message)
