"""Which trainer runs a combination, and why: decided by the combination alone, never by the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.spec.catalogue import CLIPS, OPTIMIZERS, same_activation

if TYPE_CHECKING:
    from collections.abc import Mapping


# What the kernel computes. Compiled functions know an activation by its position here.
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
MOST_ROWS_IN_A_BATCH = 65_536  # rows of a batch are numbered by 16 bits
_OPTIMIZERS = frozenset({"sgd", "rmsprop", "adam", "adamw", "nadam", "adagrad"})


def activation_code(name: str) -> int:
    """The number by which the kernel knows an activation that it covers."""
    return ACTIVATIONS.index(same_activation(name))


def full_arguments(optimizer: str, arguments: Mapping[str, float | bool | None]) -> dict[str, float | bool | None]:
    """Every argument of an optimizer, Keras' default where it is not named."""
    defaults = {name: default for name, (_, default) in OPTIMIZERS[optimizer].arguments.items()}
    return {**defaults, **arguments}


def kernel_refusal(
    batch_size: int, activation: str, optimizer: str, optimizer_arguments: Mapping[str, float | bool | None]
) -> str | None:
    """Why the kernel trainer does not cover a combination, in a few words; None if it does.

    Values are those that a spec accepts.
    """
    if batch_size > MOST_ROWS_IN_A_BATCH:
        return f"batch_size above {MOST_ROWS_IN_A_BATCH}"
    if same_activation(activation) not in ACTIVATIONS:
        return f"activation {activation}"
    if optimizer not in _OPTIMIZERS:
        return f"optimizer {optimizer}"
    for argument in optimizer_arguments:
        if argument not in OPTIMIZERS[optimizer].arguments:
            return f"{argument} of {optimizer}"
    arguments = full_arguments(optimizer, optimizer_arguments)
    if arguments["weight_decay"] is None and optimizer == "adamw":
        return "adamw without weight_decay"
    # Words that never occur have state zero, for which Keras divides 0 by 0.
    epsilon = arguments.get("epsilon", 1.0)
    if epsilon is None or not epsilon > 0.0:
        return f"epsilon {epsilon}"
    if sum(arguments[clip] is not None for clip in CLIPS) > 1:
        return "more than one kind of clipping"
    return None
