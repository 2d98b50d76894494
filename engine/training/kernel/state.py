"""The weights of a training with their optimizer state, and the memory they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training import randomness
from engine.training.kernel.memory import Arena

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import NetworkDescription

    Array = NDArray[Any]

_SLOTS = 3


class Weights:
    """All weights and their slots of optimizer state, at their initial values.

    `kernel` (width, units): the first layer's; `rest`: all others in one vector; `layout`: see `layers`;
    `slots`, `rest_slots`: always three, those that the rule does not use have no rows.
    """

    def __init__(
        self,
        network: NetworkDescription,
        seed: int,
        slots: int,
        initial_slot: float,
        real: type[np.floating[Any]],
    ) -> None:
        kernel, *rest = randomness.initial_weights(network, seed)
        self.layout = _layout(network)
        arena = Arena([(kernel.shape, real)] * (1 + slots))
        self.kernel = arena.zeros(kernel.shape, real)
        self.kernel[:] = kernel
        self.rest = np.concatenate([part.ravel() for part in rest]).astype(real)
        used = [arena.zeros(kernel.shape, real) for _ in range(slots)]
        rest_used = [np.zeros_like(self.rest) for _ in range(slots)]
        if slots:
            used[0][:] = initial_slot
            rest_used[0][:] = initial_slot
        self.slots = _padded(used, np.zeros((0, kernel.shape[1]), real))
        self.rest_slots = _padded(rest_used, np.zeros(0, real))
        self.gradient = np.zeros_like(self.rest)

    def arrays(self) -> dict[str, Array]:
        """Everything, as views by name."""
        named = {"kernel": self.kernel, "rest": self.rest}
        for number, (slot, rest_slot) in enumerate(zip(self.slots, self.rest_slots, strict=True), 1):
            named |= {f"slot_{number}": slot, f"rest_slot_{number}": rest_slot}
        return named

    def parameters(self) -> list[Array]:
        """Kernel and bias of each layer, in Keras' order, as views."""
        parts = [self.kernel]
        for layer, (inputs, units, kernel_at, bias_at, _) in enumerate(self.layout):
            if layer > 0:
                parts.append(self.rest[kernel_at : kernel_at + inputs * units].reshape(inputs, units))
            parts.append(self.rest[bias_at : bias_at + units])
        return parts


def frozen(rows: Rows) -> tuple[Array, Array, Array]:
    """`indices`, `indptr` and `labels` as read-only views: mapped files and plain arrays are then one type."""
    views = []
    for part, kind in ((rows.indices, np.int32), (rows.indptr, np.int64), (rows.labels, np.int32)):
        view = np.require(part, kind, ["C", "A"]).view(np.ndarray)[:]
        view.flags.writeable = False
        views.append(view)
    indices, indptr, labels = views
    return indices, indptr, labels


def _padded(used: list[Array], unused: Array) -> tuple[Array, Array, Array]:
    first, second, third = [*used, *[unused] * (_SLOTS - len(used))]
    return first, second, third


def _layout(network: NetworkDescription) -> NDArray[np.int64]:
    places = []
    at = units_before = 0
    for layer, (inputs, units) in enumerate(network.layer_shapes):
        kernel_at, bias_at = at, at + (inputs * units if layer > 0 else 0)
        places.append((inputs, units, kernel_at, bias_at, units_before))
        at, units_before = bias_at + units, units_before + units
    return np.array(places, np.int64)
