"""The kernel trainer: multi-hot multilayer perceptrons on the CPU, by Keras' rules, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.training.coverage import kernel_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import Checkpoint, Epoch, Keeper, TrainingRequest


class KernelTrainer:
    """A `Trainer` that runs compiled code; `refusal` imports nothing heavy."""

    name = "kernel"

    def refusal(self, request: TrainingRequest) -> str | None:
        """Why this trainer does not cover the request, in a few words; None if it does."""
        return kernel_refusal(
            request.batch_size, request.network.activation, request.optimizer, request.optimizer_arguments
        )

    def warm_up(self, request: TrainingRequest) -> None:
        """Import the compiler, and load or compile what the request will call, whatever its rows are."""
        from engine.training.kernel.run import compile_for

        compile_for(request)

    def train(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        """Yield after every epoch, the first after `start`, until `request.epochs` are done or the caller closes.

        `keeper.is_due` is called after every step.

        Raises `TrainingRefusedError` for a request that `refusal` names, `ValueError` for another network's `start`.
        """
        from engine.training.kernel.run import KernelRun

        reason = self.refusal(request)
        if reason is not None:
            from engine.errors import TrainingRefusedError

            message = f"the kernel trainer does not cover {reason}"
            raise TrainingRefusedError(message)
        yield from KernelRun(request, training_rows, validation_rows, start=start).epochs(keeper)

    def exact_probabilities(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.float32]:
        """What it predicts for the rows with these weights, worked out in float64, rounded to float32."""
        from engine.training.kernel.run import predicted

        return predicted(request, weights, rows, np.float64)
