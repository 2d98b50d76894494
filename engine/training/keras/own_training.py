"""Trains a model of the user's own, batch by batch through Keras' public API, from a new model for every training."""

from __future__ import annotations

import functools
import gc
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.interface import Checkpoint, Epoch
from engine.training.keras.network import build_optimizer
from engine.training.keras.own_model import ModelEvaluation, build_model, has_optimizer, outputs_of, targets
from engine.training.keras.variables import TrainedVariables
from engine.training.randomness import batch_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import FunctionCall, Keeper, TrainingRequest


def train_own_model(
    request: TrainingRequest,
    call: FunctionCall,
    rates: NDArray[np.float32],
    training_rows: Rows,
    validation_rows: Rows | None,
    start: Checkpoint | None,
    keeper: Keeper | None,
) -> Iterator[Epoch]:
    """Yield after every epoch, as `Trainer.train`; `rates` (epochs, steps) is the learning rate of every step.

    The rates are set where the model has the optimizer of the search; one that it came with keeps its own.
    """
    training = _OwnTraining(request, call)
    try:
        if start is not None:
            training.restore(start)
        for number in range(start.epoch + 1 if start else 1, request.epochs + 1):
            order = batch_order(len(training_rows), number, request.seed)
            done = start.step if start and number == start.epoch + 1 else 0
            loss = training.train_epoch(training_rows, order, rates[number - 1], number - 1, done, keeper)
            yield training.epoch(number, loss, validation_rows)
    finally:
        # Models and their graphs refer to each other in cycles, and would stay in memory for a long time.
        del training
        gc.collect()


class _OwnTraining(TrainedVariables):
    """A model, its optimizer and how far it is trained."""

    def __init__(self, request: TrainingRequest, call: FunctionCall) -> None:
        super().__init__()
        self._batch_size, self._classes = request.batch_size, request.network.classes
        optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, 0.001)
        self.model = build_model(call, request.network, optimizer, seed=request.seed)
        self._sets_rates = has_optimizer(self.model, optimizer)
        self._outputs = outputs_of(self.model, request.network.width)
        self._evaluate = ModelEvaluation(self.model, self._classes)
        self._rate = 0.0  # of the last step

    def train_epoch(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        rates: NDArray[np.float32],
        epochs: int,
        done: int,
        keeper: Keeper | None,
    ) -> float:
        """Train on the rows in this order; the mean loss of the rows while trained.

        `epochs`: how many epochs are done before this one; `done`: how many steps of this one are done.
        """
        if not done:
            self._losses[0] = 0.0
        for step in range(done, len(rates)):
            batch = rows.take(order[step * self._batch_size : (step + 1) * self._batch_size])
            if self._sets_rates:
                self.model.optimizer.learning_rate = rates[step]
            self._rate = float(self.model.optimizer.learning_rate)
            expected = targets(batch.labels, self.model, self._outputs, self._classes)
            self.model.reset_metrics()  # so that the loss is that of this batch
            logs = self.model.train_on_batch(batch.dense(), expected, return_dict=True)
            self._losses[0] += float(logs["loss"]) * len(batch)
            if keeper is not None and step + 1 < len(rates) and keeper.is_due():
                keeper.keep(self.checkpoint(epochs, step + 1))
        return float(self._losses[0]) / len(rows)

    def epoch(self, number: int, loss: float, validation_rows: Rows | None) -> Epoch:
        """The state after an epoch."""
        probabilities, validation_loss = np.empty((0, self._classes), np.float32), None
        if validation_rows is not None:
            probabilities, validation_loss = self._evaluate(validation_rows)
        checkpoint = functools.partial(self.checkpoint, number)
        return Epoch(number, loss, validation_loss, probabilities, self._rate, self._weights, checkpoint)

    @property
    def _kinds(self) -> dict[str, Any]:
        """All that a step changes: weights, moving averages, the state of dropout's seeds, the optimizer's own."""
        return {"model": self.model.variables, "optimizer": self.model.optimizer.variables}

    def _weights(self) -> list[NDArray[np.float32]]:
        return [np.array(array) for array in self.model.get_weights()]
