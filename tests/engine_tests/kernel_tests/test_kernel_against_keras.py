"""The kernel is Keras: same weights, same batches, same masks, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.training.coverage import ACTIVATIONS
from engine.training.interface import TrainingRequest
from engine.training.kernel.run import KernelRun
from engine.training.randomness import batch_order, initial_weights
from tests.engine_tests.kernel_tests.kernel_requests import OPTIMIZERS, make_request, make_rows
from tests.marks import first_of

pytestmark = pytest.mark.keras


@pytest.fixture
def float64() -> Iterator[None]:
    import keras

    # The policy of layers is taken from floatx when it is first asked for, and kept: it is set and reset too.
    for precision in ("float64", "float32"):
        keras.config.set_floatx(precision)
        keras.config.set_dtype_policy(precision)
        if precision == "float64":
            yield


class KerasTwin:
    """The same network in Keras, stepped by hand, with dropout masks as inputs."""

    def __init__(self, request: TrainingRequest) -> None:
        import keras
        import tensorflow

        network = request.network
        inputs = [keras.Input((network.width,))]
        values = inputs[0]
        penalty = keras.regularizers.L2(network.l2) if network.l2 else None
        for units in network.hidden_units:
            values = keras.layers.Dense(units, network.activation, kernel_regularizer=penalty)(values)
            if network.dropout:
                inputs.append(keras.Input((units,)))
                values = keras.layers.Multiply()([values, inputs[-1]])
        last = "sigmoid" if network.outputs == 1 else "softmax"
        self.model = keras.Model(inputs, keras.layers.Dense(network.outputs, last)(values))
        weights = initial_weights(network, request.seed)
        self.model.set_weights(weights)
        names = {"sgd": "SGD", "rmsprop": "RMSprop", "adamw": "AdamW"}
        name = names.get(request.optimizer, request.optimizer.capitalize())
        self.optimizer = getattr(keras.optimizers, name)(**request.optimizer_arguments)
        self.optimizer.build(self.model.trainable_variables)
        loss_of = keras.losses.binary_crossentropy if network.outputs == 1 else keras.losses.categorical_crossentropy

        def evaluate(inputs: Any, targets: Any) -> Any:
            losses = loss_of(targets, self.model(inputs, training=True))
            total = keras.ops.mean(losses)
            for penalty_loss in self.model.losses:
                total = total + penalty_loss
            return total

        def step(inputs: Any, targets: Any) -> Any:
            with tensorflow.GradientTape() as tape:
                loss = evaluate(inputs, targets)
            gradients = tape.gradient(loss, self.model.trainable_variables)
            self.optimizer.apply(gradients, self.model.trainable_variables)
            return loss

        self.step = tensorflow.function(step, reduce_retracing=True)
        self.evaluate = evaluate

    def weights(self) -> list[np.ndarray[Any, Any]]:
        return list(self.model.get_weights())


def targets_of(request: TrainingRequest, labels: Any, real: Any) -> Any:
    if request.network.outputs == 1:
        return labels[:, None].astype(real)
    return np.eye(request.network.classes, dtype=real)[labels]


def compare(request: TrainingRequest, rows: Any, real: Any) -> list[np.ndarray[Any, Any]]:
    """Run both; return the difference of every weight array, and check the losses of the epochs."""
    twin = KerasTwin(request)
    training = KernelRun(request, rows, None, real)
    recorded: list[list[np.ndarray[Any, Any]]] = []
    draw = training.draw_masks

    def draw_and_record(step: int, count: int) -> None:
        draw(step, count)
        layout = training.weights.layout[:-1]
        starts = [int(at) * training.capacity for at in layout[:, 4]]
        recorded.append(
            [
                training.masks[start : start + count * units].reshape(count, units).copy()
                for start, units in zip(starts, request.network.hidden_units, strict=True)
            ]
        )

    training.draw_masks = draw_and_record  # type: ignore[method-assign]
    epochs = list(training.epochs())
    dense = training_dense(training, real)
    labels = training.data[2]
    step = 0
    for epoch in epochs:
        order = batch_order(len(labels), epoch.number, request.seed)
        total = 0.0
        for begin in range(0, len(order), request.batch_size):
            batch = order[begin : begin + request.batch_size]
            twin.optimizer.learning_rate.assign(request.learning_rates[step])
            masks = recorded[step] if recorded else []
            loss = twin.step([dense[batch], *masks], targets_of(request, labels[batch], real))
            total += float(loss) * len(batch)
            step += 1
        assert epoch.loss == pytest.approx(total / len(order), rel=1e-4 if real is np.float32 else 1e-7)
    return [np.abs(ours - theirs) for ours, theirs in zip(training.weights.parameters(), twin.weights(), strict=True)]


def training_dense(training: KernelRun, real: Any) -> Any:
    indices, indptr, labels = training.data
    dense = np.zeros((len(labels), len(training.last)), real)
    dense[np.repeat(np.arange(len(labels)), np.diff(indptr)), indices] = 1
    return dense


def check_float64(request: TrainingRequest, rows: Any) -> None:
    assert len(request.learning_rates) == 100
    for difference in compare(request, rows, np.float64):
        assert difference.max() < 1e-6


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "arguments"), first_of(OPTIMIZERS, 4), ids=lambda value: str(value).replace(" ", ""))
def test_every_optimizer_after_100_steps(name: str, arguments: dict[str, Any]) -> None:
    rows = make_rows(396, 4)
    check_float64(make_request(rows, name, **arguments), rows)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "swish"])
def test_every_activation_after_100_steps(activation: str) -> None:
    rows = make_rows(396, 4)
    rate = 0.001 if activation == "exponential" else 0.03
    check_float64(make_request(rows, "sgd", momentum=0.5, rate=rate, network={"activation": activation}), rows)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("classes", "network"),
    [
        (4, {"hidden_units": ()}),
        (2, {"hidden_units": ()}),
        (2, {"hidden_units": (6,)}),
        (3, {"hidden_units": (9, 6, 8, 5)}),
        (4, {"dropout": 0.5}),
        (2, {"dropout": 0.2, "l2": 0.01}),
        (4, {"l2": 0.03}),
    ],
    ids=str,
)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_every_shape_of_network_after_100_steps(classes: int, network: dict[str, Any], optimizer: str) -> None:
    rows = make_rows(396, classes)
    check_float64(make_request(rows, optimizer, network=network), rows)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_clipping_and_weight_decay_with_l2() -> None:
    rows = make_rows(396, 4)
    clips: list[dict[str, Any]] = [{"clipnorm": 0.1}, {"global_clipnorm": 0.1, "weight_decay": 0.1}]
    for arguments in clips:
        check_float64(make_request(rows, "adam", network={"l2": 0.02}, **arguments), rows)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=lambda value: str(value).replace(" ", ""))
def test_one_step_in_float32(name: str, arguments: dict[str, Any]) -> None:
    rows = make_rows(64, 4)
    request = make_request(rows, name, epochs=1, batch_size=64, network={"hidden_units": (32, 16)}, **arguments)
    differences = np.concatenate([part.ravel() for part in compare(request, rows, np.float32)])
    assert np.mean(differences < 1e-6) >= 0.999


def test_validation_loss_and_probabilities_are_those_of_evaluate_and_predict() -> None:
    for classes, network in ((4, {"l2": 0.01, "dropout": 0.3}), (2, {})):
        rows, validation = make_rows(64, classes), make_rows(301, classes, seed=9)
        request = make_request(rows, network=network)
        *_, epoch = KernelRun(request, rows, validation).epochs()
        twin = KerasTwin(request)
        twin.model.set_weights(epoch.weights())
        ones = [np.ones((len(validation), units), np.float32) for units in request.network.hidden_units]
        inputs = [validation.dense(), *(ones if request.network.dropout else [])]
        expected = np.asarray(twin.model(inputs))
        if classes == 2:
            expected = np.hstack([1 - expected, expected])
        np.testing.assert_allclose(epoch.probabilities, expected, atol=1e-6)
        targets = targets_of(request, validation.labels, np.float32)
        assert epoch.validation_loss == pytest.approx(float(twin.evaluate(inputs, targets)), rel=1e-5)
