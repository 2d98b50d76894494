"""What a trainer gets and what it yields: the one interface of the keras and the kernel trainer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from engine.data.rows import Rows


@dataclass(frozen=True)
class NetworkDescription:
    """A multilayer perceptron on multi-hot rows.

    Dense(units, activation) for each of `hidden_units`, each followed by Dropout(`dropout`) if that is
    above 0; kernels of the hidden layers carry L2(`l2`) if that is above 0. The output is one sigmoid unit
    for two classes, else a softmax over `classes`. Loss: binary or categorical cross-entropy.
    """

    width: int
    classes: int
    hidden_units: tuple[int, ...]
    activation: str = "relu"
    dropout: float = 0.0
    l2: float = 0.0

    @property
    def outputs(self) -> int:
        """Units of the output layer: 1 (sigmoid) for two classes, else one for each class (softmax)."""
        return 1 if self.classes == 2 else self.classes

    @property
    def layer_shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, units) of every dense layer, the output layer last."""
        sizes = (self.width, *self.hidden_units, self.outputs)
        return tuple(itertools.pairwise(sizes))


@dataclass(frozen=True, eq=False)
class FunctionCall:
    """A call of a function of the user's own that builds a Keras model.

    `name`: as errors call it. `rows`: the training rows, which the function may ask for in `meta`.
    `optimizer_named`: the search chooses an optimizer or a learning rate, so the model may not come with its own.
    """

    function: Callable[..., Any]
    name: str
    arguments: Mapping[str, Any]
    rows: int
    optimizer_named: bool


@dataclass(frozen=True, eq=False)
class TrainingRequest:
    """One training: everything that decides its result, besides the rows.

    `optimizer`: Keras' lower-case name; `optimizer_arguments`: Keras' own arguments without the learning
    rate, those not named at Keras' defaults; `learning_rates` (steps,) float32: the rate of every step, a step
    being one batch, the last of an epoch partial: steps = epochs x ceil(rows / batch_size);
    `seed`: from `randomness.training_seed`.
    `call`: what builds the model, if that is no built-in network; `network` then says how wide the rows are and how
    many classes there are, and nothing of the layers. A model that comes with an optimizer of its own keeps it.
    """

    network: NetworkDescription
    optimizer: str
    optimizer_arguments: Mapping[str, float | bool | None]
    batch_size: int
    epochs: int
    learning_rates: NDArray[np.float32]
    seed: int
    call: FunctionCall | None = None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that a training needs to go on after `epoch` epochs, to the last bit as if it had never halted.

    `arrays`: weights, the optimizer's state and the state of the random generators, under names that only the trainer
    understands that made the checkpoint. `step`: how many steps of the next epoch are done as well.
    """

    epoch: int
    arrays: dict[str, NDArray[Any]]
    step: int = 0

    def check_fits(self, own: Mapping[str, Any]) -> None:
        """Raise `ValueError` unless a trainer's `own` arrays, or variables, have these names and shapes."""
        if {name: array.shape for name, array in self.arrays.items()} != {name: one.shape for name, one in own.items()}:
            message = "the checkpoint is of another network or optimizer"
            raise ValueError(message)


@dataclass(frozen=True, eq=False)
class Epoch:
    """The state of a training at the end of one epoch.

    `number` counts from 1; `loss`: mean over the epoch's rows of the loss of their batch while it was trained,
    penalties included, as Keras' `fit` reports it; `validation_loss`: mean loss on the validation rows after the
    epoch, penalties included, as Keras' `evaluate` reports it; `probabilities` (validation rows, classes) float32:
    predicted, two columns for two classes; `learning_rate`: the rate of the epoch's last step; `weights()`: kernel and
    bias of each dense layer, first to last, float32, in Keras' order; `checkpoint()`: where to continue from. Both are
    copies, and must be called before the next epoch is trained.
    Losses may be NaN or infinite; the caller decides what that means.
    Without validation rows `validation_loss` is None and `probabilities` has no rows.
    """

    number: int
    loss: float
    validation_loss: float | None
    probabilities: NDArray[np.float32]
    learning_rate: float
    weights: Callable[[], list[NDArray[np.float32]]]
    checkpoint: Callable[[], Checkpoint]


class Keeper(Protocol):
    """Keeps checkpoints of a training, from within an epoch too."""

    def is_due(self) -> bool:
        """Whether to make a checkpoint now; cheap enough to be called after every step."""
        ...

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint. An exception that this raises ends the training."""
        ...


class Trainer(Protocol):
    """Trains one network on one fold."""

    name: str

    def refusal(self, request: TrainingRequest) -> str | None:
        """Why this trainer does not cover the request, in a few words; None if it does."""
        ...

    def warm_up(self, request: TrainingRequest) -> None:
        """Import and load everything that such a request needs, before its rows are known."""
        ...

    def train(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        """Yield after every epoch, until `request.epochs` are done or the caller closes the iterator.

        `start`: a checkpoint of the same training, or of one that differs in nothing but its number of epochs; the
        first epoch is then `start.epoch` + 1. `keeper.is_due` is called between steps, at least about once a second; at
        the end of an epoch the caller has `Epoch.checkpoint`.
        """
        ...

    def exact_probabilities(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.floating[Any]]:
        """What it predicts for the rows with these weights (as `Epoch.weights`), worked out in float64.

        Shape (rows, classes). Two trainers that mean the same network agree here to the last digits, while outputs in
        the thousands leave only three or four of a float32 probability.
        """
        ...
