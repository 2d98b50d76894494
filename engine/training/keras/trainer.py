"""Trains any network with Keras on TensorFlow, with the same bits from a model that is reused as from a new one."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from engine.training.interface import Checkpoint, Epoch
from engine.training.keras.batches import (
    Evaluation,
    coordinates,
    dense_batch,
    predict_exactly,
    release_custom_gradients,
    targets,
)
from engine.training.keras.dropout_masks import mask, mask_keys
from engine.training.keras.network import build_network, build_optimizer, compile_network
from engine.training.keras.own_training import train_own_model
from engine.training.keras.variables import TrainedVariables
from engine.training.randomness import batch_order, initial_weights

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import Keeper, NetworkDescription, TrainingRequest

_MODELS_KEPT = 4
# An epoch with a keeper is run in stretches of about this length; no result depends on where they end.
_STRETCH_SECONDS = 0.5
_FIRST_STRETCH = 32  # steps


class BuiltNetwork(TrainedVariables):
    """A model, its optimizer and its traced epoch, for all trainings that differ only in the values of variables."""

    def __init__(self, request: TrainingRequest) -> None:
        super().__init__()
        self.network: NetworkDescription = request.network
        self.model = build_network(request.network)
        self.optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, 0.001)
        compile_network(self.model, request.network, self.optimizer)
        self.evaluate = Evaluation(self.model, request.network)
        self._masked_layers = len(request.network.hidden_units) if request.network.dropout > 0 else 0
        self._optimizer_start = [_compact(variable.numpy()) for variable in self.optimizer.variables]
        # Traced here, once, for any number of rows and any batch size; a call can never trace again.
        self.traced_epoch = tf.function(self._epoch, autograph=False).get_concrete_function(
            tf.TensorSpec((None, 2), tf.int32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None, self._masked_layers, 2), tf.int64),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((2,), tf.int32),
            tf.TensorSpec((), tf.float64),
        )

    def reset(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Give every variable the value that it has in a new model with these weights."""
        self.model.set_weights(weights)
        for variable, start in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)

    @property
    def _kinds(self) -> dict[str, Any]:
        """All variables that `reset` sets, by names that do not depend on how Keras names them."""
        return {"weight": self.model.weights, "optimizer": self.optimizer.variables}

    def train_epoch(
        self,
        rows: Rows,
        learning_rates: NDArray[np.float32],
        batch_size: int,
        *,
        seed: int,
        epochs: int,
        done: int = 0,
        keeper: Keeper | None = None,
    ) -> float:
        """Train on the rows in their order, with one rate for each batch; the mean loss of the rows while trained.

        `epochs`: how many epochs are done before this one; `done`: how many steps of this one are done. `keeper.is_due`
        is called from time to time.
        """
        steps = len(learning_rates)
        epoch = (
            tf.constant(coordinates(rows, batch_size)),
            tf.constant(rows.indptr),
            tf.constant(rows.labels),
            tf.constant(learning_rates),
            tf.constant(mask_keys(self._masked_layers, seed, epochs * steps, steps)),
            tf.constant(batch_size),
        )
        if not done:
            self._losses[0] = 0.0
        stretch = steps if keeper is None else _FIRST_STRETCH
        while done < steps:
            until, started = min(done + stretch, steps), time.perf_counter()
            losses = self.traced_epoch(*epoch, tf.constant([done, until]), tf.constant(self._losses[0]))
            self._losses[0] = float(losses)
            if keeper is not None and until < steps:
                stretch = max(1, int((until - done) * _STRETCH_SECONDS / (time.perf_counter() - started)))
                if keeper.is_due():
                    keeper.keep(self.checkpoint(epochs, until))
            done = until
        return float(self._losses[0]) / len(rows)

    def weights(self) -> list[NDArray[np.float32]]:
        """Copies of kernel and bias of every dense layer, first to last."""
        return [np.array(variable) for variable in self.model.get_weights()]

    def _epoch(
        self,
        positions: Any,
        indptr: Any,
        labels: Any,
        learning_rates: Any,
        keys: Any,
        batch_size: Any,
        steps: Any,
        losses: Any,
    ) -> Any:
        """Steps `steps[0]` up to `steps[1]` of an epoch. `losses`: the sum before them; returned with theirs added."""
        rows = tf.shape(labels)[0]

        def step(number: Any, total: Any) -> tuple[Any, Any]:
            first = number * batch_size
            last = tf.minimum(first + batch_size, rows)
            ones = positions[indptr[first] : indptr[last]]
            loss = self._step(ones, labels[first:last], learning_rates[number], keys[number])
            return number + 1, total + tf.cast(loss, tf.float64) * tf.cast(last - first, tf.float64)

        # One iteration at a time: each step reads the weights that the one before it wrote.
        _, total = tf.while_loop(
            lambda number, _: number < steps[1],
            step,
            (steps[0], losses),
            parallel_iterations=1,
        )
        return total

    def _step(self, positions: Any, labels: Any, learning_rate: Any, keys: Any) -> Any:
        """One batch, as `keras.Model.train_step` does it."""
        self.optimizer.learning_rate.assign(learning_rate)
        dense = dense_batch(positions, tf.shape(labels)[0], self.network.width)
        expected = targets(labels, self.network)
        with tf.GradientTape() as tape:
            outputs = self._outputs(dense, keys) if self._masked_layers else self.model(dense, training=True)
            loss = self.model.compute_loss(x=dense, y=expected, y_pred=outputs, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        release_custom_gradients()
        return loss

    def _outputs(self, batch: Any, keys: Any) -> Any:
        """The model's outputs, with the kernel's masks in place of those that its Dropout layers would draw."""
        masked = 0
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                units = self.network.hidden_units[masked]
                batch = batch * mask(keys[masked], tf.shape(batch)[0], units, self.network.dropout)
                masked += 1
            else:
                batch = layer(batch, training=True)
        return batch


class KerasTrainer:
    """The trainer that defines what is right: Keras' own layers, losses and optimizers, on a CPU or a GPU.

    It keeps the last few models that it built (`models_kept`), because building and tracing a model often takes longer
    than an epoch; an unfinished training has its model for itself. On a CPU with one thread (see
    `process_pool.ONE_THREAD`) the same request on the same rows gives the same bits.
    """

    name = "keras"

    def __init__(self, models_kept: int = _MODELS_KEPT) -> None:
        self._models_kept = models_kept
        self._idle: OrderedDict[Hashable, BuiltNetwork] = OrderedDict()
        self._lock = threading.Lock()

    def refusal(self, request: TrainingRequest) -> str | None:
        """None: Keras covers every network that can be described."""
        del request
        return None

    def warm_up(self, request: TrainingRequest) -> None:
        """Nothing is left to do: what takes seconds is the import of this module."""

    def exact_probabilities(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.float64]:
        """What Keras predicts for the rows with these weights, worked out in float64."""
        return predict_exactly(request.network, weights, rows)

    def train(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        """Yield after every epoch, the first after `start`, until `request.epochs` are done or the caller closes.

        `keeper.is_due` is called about twice a second.

        Raises `ValueError` if `request.learning_rates` does not hold one rate for every step and for another network's
        `start`, and `UsageError` for an optimizer that Keras does not accept.
        """
        steps = -(-len(training_rows) // request.batch_size)
        if len(request.learning_rates) != steps * request.epochs:
            message = f"{len(request.learning_rates)} learning rates for {request.epochs} epochs of {steps} steps each"
            raise ValueError(message)
        rates = request.learning_rates.reshape(request.epochs, steps)
        if request.call is not None:
            yield from train_own_model(request, request.call, rates, training_rows, validation_rows, start, keeper)
            return
        key = _trace_key(request)
        built = self._take(key) or BuiltNetwork(request)
        try:
            if start is None:
                built.reset(initial_weights(request.network, request.seed))
            else:
                built.restore(start)
            for number in range(start.epoch + 1 if start else 1, request.epochs + 1):
                order = batch_order(len(training_rows), number, request.seed)
                loss = built.train_epoch(
                    training_rows.take(order),
                    rates[number - 1],
                    request.batch_size,
                    seed=request.seed,
                    epochs=number - 1,
                    done=start.step if start and number == start.epoch + 1 else 0,
                    keeper=keeper,
                )
                yield _epoch(built, number, loss, validation_rows)
        finally:
            self._keep(key, built)

    def predict(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.float32]:
        """Probabilities (rows, classes) after a training as requested that ended in these weights."""
        key = _trace_key(request)
        built = self._take(key) or BuiltNetwork(request)
        try:
            built.model.set_weights(weights)
            return built.evaluate(rows)[0]
        finally:
            self._keep(key, built)

    def _take(self, key: Hashable) -> BuiltNetwork | None:
        with self._lock:
            return self._idle.pop(key, None)

    def _keep(self, key: Hashable, built: BuiltNetwork) -> None:
        with self._lock:
            self._idle[key] = built
            self._idle.move_to_end(key)
            dropped = [self._idle.popitem(last=False) for _ in range(len(self._idle) - self._models_kept)]
        if dropped:
            # Models and their graphs refer to each other in cycles, and would stay in memory for a long time.
            dropped.clear()
            gc.collect()


def _trace_key(request: TrainingRequest) -> Hashable:
    return request.network, request.optimizer, tuple(sorted(request.optimizer_arguments.items()))


def _epoch(built: BuiltNetwork, number: int, loss: float, validation_rows: Rows | None) -> Epoch:
    if validation_rows is None:
        probabilities = np.empty((0, built.network.classes), np.float32)
        validation_loss = None
    else:
        probabilities, validation_loss = built.evaluate(validation_rows)
    rate = float(built.optimizer.learning_rate.numpy())
    checkpoint = functools.partial(built.checkpoint, number)
    return Epoch(number, loss, validation_loss, probabilities, rate, built.weights, checkpoint)


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    """These values in the memory of a single one where all are equal, as an optimizer's initial state is."""
    if values.size and np.all(values == values.flat[0]):
        return np.broadcast_to(values.flat[0], values.shape)
    return values
