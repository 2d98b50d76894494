"""One run of the kernel: the steps of a training, and the stages of a step."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  the BLAS that compiled code calls, loaded so that it can be limited
import threadpoolctl  # type: ignore[import-untyped]

from engine.data.rows import Rows
from engine.training import randomness
from engine.training.coverage import activation_code, full_arguments
from engine.training.interface import Checkpoint, Epoch
from engine.training.kernel import clipping, denormals, dropout, layers
from engine.training.kernel.compiling import lock
from engine.training.kernel.epochs import ArrangedEpoch, Arrangements, arrangements
from engine.training.kernel.optimizers import can_drift, rule_for
from engine.training.kernel.rules import DRIFT_COLUMNS
from engine.training.kernel.state import Weights, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from engine.training.interface import Keeper, TrainingRequest

    Array = NDArray[Any]

_PREDICTED_AT_ONCE = 256
_CLIPS = {
    clipping.BY_NORM: "clipnorm",
    clipping.BY_GLOBAL_NORM: "global_clipnorm",
    clipping.BY_VALUE: "clipvalue",
}

# What this process has compiled or loaded already. It saves time and decides nothing.
_COMPILED: set[tuple[object, ...]] = set()


class KernelRun:
    """The state of one training; `epochs()` runs it, from its beginning or from `start`.

    `real`: float32; the tests prove in float64 that the update rules are Keras'.
    """

    def __init__(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        real: type[np.floating[Any]] = np.float32,
        start: Checkpoint | None = None,
    ) -> None:
        network = request.network
        arguments = full_arguments(request.optimizer, request.optimizer_arguments)
        self.request = request
        self.real = real
        self.rule = rule_for(request)
        self.data = frozen(training_rows)
        self.validation = None if validation_rows is None else frozen(validation_rows)
        self.activation = activation_code(network.activation)
        # L2(w) = l2 w² has the gradient 2 l2 w; Keras rounds l2 to float32.
        self.penalty: Any = real(2 * real(np.float32(network.l2)) if network.hidden_units else 0)
        self.numbers = self.rule.numbers(arguments, request.learning_rates.astype(real), real)
        self.steps_per_epoch = -(-len(training_rows) // request.batch_size)
        self.clipping: tuple[int, Any] = next(
            ((kind, real(bound)) for kind, name in _CLIPS.items() if (bound := arguments[name])), (0, real(0))
        )

        slots = self.rule.slots
        initial_slot = float(arguments.get("initial_accumulator_value") or 0.0)
        self.weights = Weights(network, request.seed, slots, initial_slot, real)
        self._rows = training_rows

        self.capacity = max(min(request.batch_size, len(training_rows)), _PREDICTED_AT_ONCE)
        units = self.capacity * sum(units for _, units in network.layer_shapes)
        self.work = (np.zeros(units, real), np.zeros(units, real), np.zeros(units, real))
        hidden = self.capacity * sum(network.hidden_units) if network.dropout > 0 else 0
        self.masks = np.zeros(hidden, real)
        self.gradient_row = np.zeros(self.weights.kernel.shape[1], real)
        self.limits = np.array([1, 0], real)

        decays = bool(arguments["weight_decay"])
        self.drifts = np.zeros((self.steps_per_epoch + 1, DRIFT_COLUMNS))
        self.last = np.full(network.width, 0 if decays else -1, np.int32)
        self.catches_up_late = self.rule.rests and not decays
        self.never_drifts = self.rule.stateless and not decays
        self.epochs_before = self.steps_before = 0
        self.losses = np.zeros(1)  # sum over the epoch's rows so far, each with the mean loss of its batch
        if start is not None:
            self._restore(start)

    def epochs(self, keeper: Keeper | None = None) -> Iterator[Epoch]:
        """Train and yield epoch after epoch, from the one after `start`; `keeper.is_due` is called after each step."""
        compile_for(self.request, self.real, leaves_rows_alone=self.leaves_rows_alone)
        for number in range(self.epochs_before + 1, self.request.epochs + 1):
            with _one_blas_thread(), denormals.flushed():
                loss = self._train_epoch(number, keeper)
                validation_loss, probabilities = self._validate()
            rate = float(self.request.learning_rates[number * self.steps_per_epoch - 1])
            checkpoint = functools.partial(self._checkpoint, number)
            yield Epoch(number, loss, validation_loss, probabilities, rate, self._copied_weights, checkpoint)

    def draw_masks(self, step: int, count: int) -> None:
        """Fill the dropout masks of a step, counted from 0, for a batch of `count` rows."""
        for layer, units in enumerate(self.request.network.hidden_units):
            begin = int(self.weights.layout[layer, 4]) * self.capacity
            mask = self.masks[begin : begin + count * units]
            dropout.fill_mask(mask, self.request.network.dropout, self._dropout_seeds[layer], step)

    @functools.cached_property
    def arrangements(self) -> Arrangements:
        """The batches of every epoch."""
        return arrangements(self._rows, self.request.batch_size, self.request.seed)

    @functools.cached_property
    def leaves_rows_alone(self) -> bool:
        """Whether rows without gradient are left alone until they are needed; otherwise every step visits every row."""
        return can_drift(self.request) and (self.catches_up_late or self._share_touched() < self.rule.worth)

    @functools.cached_property
    def _dropout_seeds(self) -> list[int]:
        hidden = range(len(self.request.network.hidden_units))
        return [randomness.dropout_seed(layer, self.request.seed) for layer in hidden]

    def _copied_weights(self) -> list[NDArray[np.float32]]:
        return [part.astype(np.float32) for part in self.weights.parameters()]

    def _lasting(self, step: int) -> dict[str, Array]:
        """The state that later steps need, as views: after a whole epoch, or after `step` steps of one.

        Masks and batches are not part of it: they follow from the number of the step.
        """
        lasting = {**self.weights.arrays(), "last": self.last}
        return {**lasting, "drifts": self.drifts, "losses": self.losses} if step else lasting

    def _checkpoint(self, epoch: int, step: int = 0) -> Checkpoint:
        return Checkpoint(epoch, {name: part.copy() for name, part in self._lasting(step).items()}, step)

    def _restore(self, start: Checkpoint) -> None:
        lasting = self._lasting(start.step)
        start.check_fits(lasting)
        for name, part in lasting.items():
            part[:] = start.arrays[name]
        self.epochs_before, self.steps_before = start.epoch, start.step

    def _train_epoch(self, number: int, keeper: Keeper | None = None) -> float:
        """Train an epoch; return the mean over its rows of the loss of their batch."""
        arranged = self.arrangements.epoch(number)
        if not self.steps_before:
            self._restart_drifts()
            self.losses[0] = 0.0
        for within in range(self.steps_before + 1, self.steps_per_epoch + 1):
            self.losses[0] += self._step(number, within, arranged)
            if keeper is not None and within < self.steps_per_epoch and keeper.is_due():
                keeper.keep(self._checkpoint(number - 1, within))
        self.steps_before = 0
        self._settle()
        return float(self.losses[0]) / max(len(arranged.order), 1)

    def _step(self, epoch: int, within: int, arranged: ArrangedEpoch) -> float:
        """Step `within` of an epoch, both counted from 1. Returns the batch's mean loss times its rows."""
        step = (epoch - 1) * self.steps_per_epoch + within - 1
        batch_size = self.request.batch_size
        rows = arranged.order[(within - 1) * batch_size : within * batch_size]
        batch = arranged.batch(within - 1)
        weights, numbers = self.weights, self.numbers[step]
        if self.leaves_rows_alone and not self.catches_up_late:
            self.rule.catch_up(weights.kernel, weights.slots, batch[0], self.last, within - 1, self.drifts, numbers)
        if len(self.masks):
            self.draw_masks(step, len(rows))
        penalty_loss = self._penalty_loss()
        loss = self._propagate(rows)
        self._update(batch, len(rows), within, numbers)
        return loss + penalty_loss * len(rows)

    def _propagate(self, rows: Array) -> float:
        """Deltas and gradients of these rows; returns their summed loss, without L2."""
        weights = self.weights
        loss: float = layers.propagate(
            weights.kernel,
            weights.rest,
            weights.gradient,
            weights.layout,
            self.activation,
            self.penalty,
            self.data,
            rows,
            self.capacity,
            self.work,
            self.masks,
        )
        return loss

    def _backpropagate(self, rows: Array) -> float:
        """The second half of `_propagate`, from what the work arrays hold."""
        weights = self.weights
        loss: float = layers.backpropagate(
            weights.rest,
            weights.gradient,
            weights.layout,
            self.penalty,
            self.data[2],
            rows,
            self.capacity,
            self.work,
        )
        return loss

    def _update(self, batch: tuple[Array, Array, Array], count: int, within: int, numbers: Array) -> None:
        """The optimizer's pass after a batch of `count` rows."""
        weights = self.weights
        units = weights.kernel.shape[1]
        deltas = self.work[2][: count * units].reshape(count, units)
        if self.clipping[0]:
            clipping.clip(
                *self.clipping,
                weights.kernel,
                weights.gradient,
                weights.layout,
                deltas,
                batch,
                self.penalty,
                self.gradient_row,
                self.limits,
            )
        shared = (
            weights.kernel,
            weights.slots,
            weights.rest,
            weights.rest_slots,
            weights.gradient,
            deltas,
            batch,
            self.last,
            numbers,
            self.limits,
            self.gradient_row,
        )
        if self.leaves_rows_alone:
            self.rule.update_touched(*shared, within, self.drifts)
        else:
            self.rule.update_all(*shared, self.penalty)

    def _restart_drifts(self) -> None:
        """Every row is current: one that has missed no step keeps its weights, and its slots times one."""
        self.drifts[0] = 0.0
        self.drifts[0, 1:3] = 1.0

    def _settle(self) -> None:
        """Catch every row up at the end of an epoch, so that the weights can be read and drifts restart."""
        if not self.leaves_rows_alone or self.never_drifts:
            return
        every = np.arange(len(self.last), dtype=np.int32)
        steps, numbers = self.steps_per_epoch, self.numbers[0]
        self.rule.catch_up(self.weights.kernel, self.weights.slots, every, self.last, steps, self.drifts, numbers)
        np.minimum(self.last, 0, out=self.last)

    def _validate(self) -> tuple[float | None, NDArray[np.float32]]:
        classes = self.request.network.classes
        if self.validation is None or len(self.validation[2]) == 0:
            return None, np.zeros((0, classes), np.float32)
        weights = self.weights
        probabilities = np.empty((len(self.validation[2]), classes), np.float32)
        loss = layers.predict(
            weights.kernel,
            weights.rest,
            weights.layout,
            self.activation,
            self.validation,
            np.arange(len(probabilities)),
            self.capacity,
            self.work,
            self.masks[:0],
            probabilities,
        )
        return loss / len(probabilities) + self._penalty_loss(), probabilities

    def _penalty_loss(self) -> float:
        """The loss that L2 adds for the hidden kernels."""
        if not self.penalty:
            return 0.0
        hidden_kernels = self.weights.parameters()[0:-2:2]
        squares = sum(layers.sum_of_squares(kernel.reshape(-1)) for kernel in hidden_kernels)
        return float(self.penalty) / 2 * squares

    def _share_touched(self) -> float:
        """The share of all words that occur in the first batch."""
        words, _, _ = self.arrangements.epoch(1).batch(0)
        return len(words) / len(self.last)


def predicted(
    request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows, real: type[np.floating[Any]]
) -> NDArray[np.float32]:
    """Probabilities (rows, classes) that these weights predict when calculated in `real`."""
    untrained = KernelRun(request, rows, rows, real)
    for part, trained in zip(untrained.weights.parameters(), weights, strict=True):
        part[...] = trained
    with _one_blas_thread(), denormals.flushed():
        return untrained._validate()[1]


def compile_for(
    request: TrainingRequest, real: type[np.floating[Any]] = np.float32, *, leaves_rows_alone: bool | None = None
) -> None:
    """Compile or load everything that a training will call, by running a tiny training of its kind.

    `leaves_rows_alone`: whether the training will leave rows alone; None where its rows are not known yet. Then it is
    assumed to do so where it can, as almost every training does.
    """
    if leaves_rows_alone is None:
        leaves_rows_alone = can_drift(request)
    network = request.network
    clips = any(request.optimizer_arguments.get(name) for name in _CLIPS.values())
    path = (real, rule_for(request).name, leaves_rows_alone, bool(network.dropout), bool(network.l2), clips)
    if path in _COMPILED:
        return
    rows = Rows(np.array([0, 1], np.int32), np.array([0, 1, 2]), np.array([0, 1], np.int32), 2, 3)
    tiny_request = replace(
        request,
        network=replace(network, width=2, classes=3, hidden_units=(1,) * len(network.hidden_units[:2])),
        batch_size=1,
        epochs=1,
        learning_rates=np.zeros(2, np.float32),
    )
    tiny = KernelRun(tiny_request, rows, rows, real)
    tiny.leaves_rows_alone = leaves_rows_alone
    stages: dict[str, Callable[[], object]] = {
        "propagate": lambda: tiny._propagate(np.zeros(1, np.int64)),
        "backpropagate": lambda: tiny._backpropagate(np.zeros(1, np.int64)),
        "update": lambda: tiny._update(tiny.arrangements.epoch(1).batch(0), 1, 1, tiny.numbers[0]),
        "predict": tiny._validate,
    }
    with denormals.flushed():
        # Workers start together: each first compiles what no other is compiling, and then loads the rest.
        for name, stage in stages.items():
            with lock(f"{name}-{tiny.rule.name}", wait=False) as is_ours:
                if is_ours:
                    stage()
        tiny._train_epoch(1)
        tiny._validate()
    _COMPILED.add(path)


@functools.cache
def _blas() -> Any:
    return threadpoolctl.ThreadpoolController()


def _one_blas_thread() -> Any:
    """A context: one thread, because the number of threads changes float32 products."""
    return _blas().limit(limits=1, user_api="blas")
