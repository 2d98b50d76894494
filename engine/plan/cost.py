"""What a training is expected to cost before anything has run, in parts that a search learns each for itself.

A training's seconds are taken as a sum: what is paid once, and what every epoch pays for the optimizer's pass over all
weights, for the activations, for the rows, and for validation and scores. The constants were measured on one core of a
common server; only their ratios decide an order, and `engine.plan.pace` corrects each part by what really ran.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.spec.schedules import steps_per_epoch

if TYPE_CHECKING:
    from engine.spec.resolved import ResolvedParams

# Seconds for a weight and a step: the optimizer's pass, which the first layer's weights dominate.
_PASS = {
    "sgd": 1.2e-10,
    "sgd momentum": 3e-10,
    "rmsprop": 2.6e-10,
    "adagrad": 2.6e-10,
    "adam": 5.5e-10,
    "adamw": 5e-10,
    "nadam": 6e-10,
}
_OTHER_PASS = 5e-10
# For a row and a neuron: the activation, forward and back.
_ACTIVATION = {"linear": 1e-9, "relu": 5e-9, "leaky_relu": 5e-9, "tanh": 5e-8, "softplus": 5e-8, "mish": 9e-8}
_OTHER_ACTIVATION = 2.5e-8
_DROPOUT = 6e-9
_KERNEL_ROW = 2e-6
_KERNEL_ROW_UNIT = 1e-8  # for a row and a neuron of the first layer
_KERNEL_ROW_WEIGHT = 1.5e-10  # for a row and a weight behind the first layer
_KERNEL_STEP = 1.5e-5
_KERNEL_EPOCH = 1e-3
_KERNEL_START = 2e-2
_KERAS_STEP = 1.5e-3
_KERAS_INPUT = 1.2e-9  # for a row and an input of a dense batch
_KERAS_EPOCH = 0.05
_KERAS_START = 1.0
_CLASSES = 46

Parts = dict[str, float]  # the name of a part -> seconds


@dataclass(frozen=True, slots=True)
class Cost:
    """The parts of a training, in seconds on one core: paid `once`, and `each` epoch."""

    once: Parts
    each: Parts

    def parts(self, epochs: int) -> Parts:
        """The parts of so many epochs."""
        return {**self.once, **{name: epochs * seconds for name, seconds in self.each.items()}}

    def seconds(self, epochs: int) -> float:
        """Their sum."""
        return sum(self.once.values()) + epochs * sum(self.each.values())


def cost_of(resolved: ResolvedParams, trainer: str, rows: int, num_words: int) -> Cost:
    """The cost of a training on so many rows; the number of epochs does not matter."""
    steps = steps_per_epoch(rows, resolved.batch_size)
    widths = (num_words, *resolved.hidden_units, _CLASSES)
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    optimizer = resolved.optimizer + (" momentum" if dict(resolved.optimizer_arguments).get("momentum") else "")
    optimizer_pass = _PASS.get(optimizer, _OTHER_PASS) * weights * steps
    if trainer == "kernel":
        behind = weights - num_words * widths[1]
        neurons = rows * sum(resolved.hidden_units)
        row = _KERNEL_ROW + _KERNEL_ROW_UNIT * widths[1] + _KERNEL_ROW_WEIGHT * behind
        each = {
            f"kernel {optimizer}": optimizer_pass,
            f"kernel {resolved.activation}": _ACTIVATION.get(resolved.activation, _OTHER_ACTIVATION) * neurons,
            "kernel rows": row * rows + _KERNEL_STEP * steps,
            "kernel epoch": _KERNEL_EPOCH,
        }
        if resolved.dropout:
            each["kernel dropout"] = _DROPOUT * neurons
        return Cost({"kernel start": _KERNEL_START}, each)
    return Cost(
        {"keras start": _KERAS_START},
        {
            f"keras {optimizer}": 2 * optimizer_pass,
            "keras steps": _KERAS_STEP * steps,
            "keras rows": _KERAS_INPUT * rows * num_words,
            "keras epoch": _KERAS_EPOCH,
        },
    )


def expected_seconds(resolved: ResolvedParams, trainer: str, rows: int, num_words: int) -> float:
    """A rough guess of a training's time on one core."""
    return cost_of(resolved, trainer, rows, num_words).seconds(resolved.epochs)
