"""The variables of a model that is trained, as a checkpoint holds them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.interface import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class TrainedVariables(ABC):
    """All that a step of a training changes: variables of Keras, and the sum of an epoch's losses."""

    def __init__(self) -> None:
        # Over the epoch's rows so far, each with the mean loss of its batch.
        self._losses: NDArray[np.float64] = np.zeros(1)

    @property
    @abstractmethod
    def _kinds(self) -> Mapping[str, Sequence[Any]]:
        """The variables of each kind, by a name that does not depend on how Keras names them."""

    def checkpoint(self, epoch: int, step: int = 0) -> Checkpoint:
        """Copies of every variable, and of the losses so far within an epoch."""
        arrays = {name: np.array(variable.numpy()) for name, variable in self._variables().items()}
        return Checkpoint(epoch, {**arrays, "losses": self._losses.copy()} if step else arrays, step)

    def restore(self, start: Checkpoint) -> None:
        """Give every variable its value of the checkpoint. Raises `ValueError` for another model's checkpoint."""
        variables = self._variables()
        start.check_fits({**variables, "losses": self._losses} if start.step else variables)
        for name, variable in variables.items():
            variable.assign(start.arrays[name])
        if start.step:
            self._losses[:] = start.arrays["losses"]

    def _variables(self) -> dict[str, Any]:
        return {f"{kind}_{number}": one for kind, several in self._kinds.items() for number, one in enumerate(several)}
