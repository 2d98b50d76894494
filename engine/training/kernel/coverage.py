"""What the kernel trainer covers, as plain tables, so that planning can ask without importing numba."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.training.interface import NetworkDescription, TrainingRequest

# The position is the code that the compiled functions know an activation by.
ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "relu6",
    "hard_sigmoid",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "exponential",
    "silu",
    "gelu",
    "mish",
)
# Rows of a batch are numbered by 16 bits.
MOST_ROWS_IN_A_BATCH = 2**16

SAME_ACTIVATION = {"swish": "silu"}

_SHARED = {"weight_decay": None, "clipnorm": None, "clipvalue": None, "global_clipnorm": None}
_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

# Every optimizer with the arguments that are covered and Keras' defaults for them.
ARGUMENTS: dict[str, dict[str, float | bool | None]] = {
    "sgd": {"momentum": 0.0, "nesterov": False, **_SHARED},
    "rmsprop": {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False, **_SHARED},
    "adam": {**_ADAM, "amsgrad": False, **_SHARED},
    "adamw": {**_ADAM, "amsgrad": False, **_SHARED, "weight_decay": 0.004},
    "nadam": {**_ADAM, **_SHARED},
    "adagrad": {"initial_accumulator_value": 0.1, "epsilon": 1e-7, **_SHARED},
}

# Arguments of Keras' optimizers that change nothing at these values.
_HARMLESS: dict[str, tuple[object, ...]] = {
    "use_ema": (False,),
    "ema_momentum": (0.99,),
    "ema_overwrite_frequency": (None,),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,),
    "name": (None,),
}


def activation_code(name: str) -> int:
    """The code of a covered activation."""
    return ACTIVATIONS.index(SAME_ACTIVATION.get(name, name))


def full_arguments(request: TrainingRequest) -> dict[str, float | bool | None]:
    """Every covered argument of the request's optimizer, Keras' defaults where it names none."""
    defaults = ARGUMENTS[request.optimizer]
    return {name: request.optimizer_arguments.get(name, value) for name, value in defaults.items()}


def refusal(request: TrainingRequest) -> str | None:
    """Why the kernel does not cover the request, in a few words; None if it does."""
    if request.batch_size > MOST_ROWS_IN_A_BATCH:
        return f"batch_size above {MOST_ROWS_IN_A_BATCH}"
    return _network_refusal(request.network) or _optimizer_refusal(request)


def _network_refusal(network: NetworkDescription) -> str | None:
    if SAME_ACTIVATION.get(network.activation, network.activation) not in ACTIVATIONS:
        return f"activation {network.activation}"
    if not 0 <= network.dropout < 1:
        return f"dropout {network.dropout}"
    if not (network.l2 >= 0 and math.isfinite(network.l2)):
        return f"l2 {network.l2}"
    if network.width >= 2**31 - 1:
        return f"{network.width} columns"
    return None


def _optimizer_refusal(request: TrainingRequest) -> str | None:
    name = request.optimizer
    if name not in ARGUMENTS:
        return f"optimizer {name}"
    for argument, value in request.optimizer_arguments.items():
        if argument not in ARGUMENTS[name] and value not in _HARMLESS.get(argument, ()):
            return f"{argument} of {name}"
    arguments = full_arguments(request)
    if arguments["weight_decay"] is None and name == "adamw":
        return "adamw without weight_decay"
    # Words that never occur have state zero, and Keras then divides 0 by 0.
    epsilon = arguments.get("epsilon", 1.0)
    if epsilon is None or not epsilon > 0.0:
        return f"epsilon {epsilon}"
    for argument, value in arguments.items():
        if value is not None and not math.isfinite(value):
            return f"{argument} {value}"
    if sum(arguments[clip] is not None for clip in ("clipnorm", "clipvalue", "global_clipnorm")) > 1:
        return "more than one kind of clipping"
    if name == "rmsprop" and (arguments["momentum"] or 0.0) < 0.0:
        return f"momentum {arguments['momentum']}"
    return None
