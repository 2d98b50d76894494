"""The keras trainer is Keras: the same losses, weights and rates, and nothing left over from a model's past."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import TrainingRefusedError, UsageError
from engine.spec.catalogue import OPTIMIZERS
from engine.training.randomness import batch_order, initial_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.data.rows import Rows
    from engine.training.interface import Epoch, TrainingRequest
    from engine.training.keras.trainer import KerasTrainer

pytestmark = pytest.mark.keras


# The rest of Keras' optimizers take the same way, and a minute more.
EVERY_OPTIMIZER = [pytest.param(name, marks=[] if name == "adam" else pytest.mark.slow) for name in OPTIMIZERS]


def trainer(models_kept: int = 4) -> KerasTrainer:
    from engine.training.keras.trainer import KerasTrainer

    return KerasTrainer(models_kept)


def run(
    request: TrainingRequest, training: Rows, validation: Rows | None, by: KerasTrainer | None = None
) -> list[tuple[Epoch, list[np.ndarray[Any, Any]]]]:
    return [(epoch, epoch.weights()) for epoch in (by or trainer()).train(request, training, validation)]


def assert_same_bits(
    one: list[tuple[Epoch, list[np.ndarray[Any, Any]]]], other: list[tuple[Epoch, list[np.ndarray[Any, Any]]]]
) -> None:
    assert len(one) == len(other)
    for (epoch, weights), (other_epoch, other_weights) in zip(one, other, strict=True):
        assert epoch.number == other_epoch.number
        assert epoch.loss == other_epoch.loss
        assert epoch.validation_loss == other_epoch.validation_loss
        assert epoch.learning_rate == other_epoch.learning_rate
        np.testing.assert_array_equal(epoch.probabilities, other_epoch.probabilities)
        for array, other_array in zip(weights, other_weights, strict=True):
            np.testing.assert_array_equal(array, other_array)


ARGUMENTS: dict[str, dict[str, float | bool | None]] = {
    "sgd": {"momentum": 0.9, "nesterov": True, "clipnorm": 0.5},
    "rmsprop": {"momentum": 0.5, "centered": True, "clipvalue": 0.1},
    "adam": {"amsgrad": True, "weight_decay": 0.01},
    "adamw": {"weight_decay": 0.02, "global_clipnorm": 1.0},
}


@pytest.mark.parametrize(("classes", "activation"), [(4, "relu"), pytest.param(2, "silu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER)
def test_trains_as_plain_keras_does(
    make_rows: Callable[..., Rows],
    make_request: Callable[..., TrainingRequest],
    optimizer: str,
    classes: int,
    activation: str,
) -> None:
    import keras

    training, validation = make_rows(70, classes), make_rows(33, classes, seed=1)
    request = make_request(
        training, optimizer=optimizer, arguments=ARGUMENTS.get(optimizer), activation=activation, l2=0.01
    )
    layers = [
        keras.Input((training.width,)),
        *(keras.layers.Dense(u, activation, kernel_regularizer=keras.regularizers.L2(0.01)) for u in (8, 6)),
        keras.layers.Dense(1, "sigmoid") if classes == 2 else keras.layers.Dense(classes, "softmax"),
    ]
    model = keras.Sequential(layers)
    plain = getattr(keras.optimizers, OPTIMIZERS[optimizer].class_name)
    model.compile(
        plain(learning_rate=1.0, **request.optimizer_arguments),
        "binary_crossentropy" if classes == 2 else "categorical_crossentropy",
    )
    model.set_weights(initial_weights(request.network, request.seed))

    def target(rows: Rows) -> np.ndarray[Any, Any]:
        return rows.labels[:, np.newaxis] if classes == 2 else np.eye(classes, dtype=np.float32)[rows.labels]

    rates = iter(request.learning_rates)
    for epoch, weights in run(request, training, validation):
        ordered = training.take(batch_order(len(training), epoch.number, request.seed))
        losses = []
        for start in range(0, len(training), request.batch_size):
            batch = ordered.take(np.arange(start, min(start + request.batch_size, len(training))))
            model.optimizer.learning_rate.assign(next(rates))
            model.reset_metrics()
            losses.append(len(batch) * float(model.train_on_batch(batch.dense(), target(batch))))
        for ours, theirs in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)
        assert epoch.loss == pytest.approx(sum(losses) / len(training), abs=1e-5)
        plain_loss = model.evaluate(validation.dense(), target(validation), verbose=0)
        assert epoch.validation_loss == pytest.approx(plain_loss, abs=1e-5)
        predicted = model.predict(validation.dense(), verbose=0)
        expected = np.concatenate([1 - predicted, predicted], axis=1) if classes == 2 else predicted
        np.testing.assert_allclose(epoch.probabilities, expected, rtol=0, atol=2e-6)
    assert next(rates, None) is None


@pytest.mark.slow
def test_reports_the_loss_that_fit_reports(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    from engine.training.keras.network import build_network, build_optimizer, compile_network

    training = make_rows(70, 4)
    request = make_request(training, l2=0.01, epochs=1)
    model = build_network(request.network)
    compile_network(model, request.network, build_optimizer("rmsprop", {}, 0.01))
    model.set_weights(initial_weights(request.network, request.seed))
    constant = make_request(training, l2=0.01, epochs=1)
    constant.learning_rates.fill(0.01)
    ordered = training.take(batch_order(len(training), 1, request.seed))
    history = model.fit(ordered.dense(), np.eye(4)[ordered.labels], batch_size=16, epochs=1, shuffle=False, verbose=0)
    ((epoch, _),) = run(constant, training, None)
    assert epoch.loss == pytest.approx(history.history["loss"][0], abs=1e-5)
    assert epoch.validation_loss is None
    assert epoch.probabilities.shape == (0, 4)


@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER)
def test_reused_equals_fresh_to_the_last_bit(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest], optimizer: str
) -> None:
    training, validation = make_rows(70, 4), make_rows(33, 4, seed=1)
    other_rows = make_rows(50, 4, seed=2)
    arguments = ARGUMENTS.get(optimizer)
    request = make_request(training, optimizer=optimizer, arguments=arguments, dropout=0.3, l2=0.001)
    other = make_request(
        other_rows, optimizer=optimizer, arguments=arguments, dropout=0.3, l2=0.001, batch_size=7, rate=0.1, seed=5
    )
    fresh = run(request, training, validation)
    reusing = trainer()
    run(other, other_rows, None, reusing)
    (built,) = reusing._idle.values()
    assert_same_bits(run(request, training, validation, reusing), fresh)
    assert list(reusing._idle.values()) == [built]
    seeds = [layer.seed_generator.state for layer in built.model.layers if "dropout" in layer.name]
    that_reset_knows = [*built.model.weights, *built.optimizer.variables, *seeds]
    assert len(seeds) == 2
    assert {id(v) for v in built.traced_epoch.graph.variables} <= {id(v.value) for v in that_reset_knows}


@pytest.mark.slow
def test_an_abandoned_training_leaves_nothing_behind(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training, validation = make_rows(70, 4), make_rows(33, 4, seed=1)
    request = make_request(training, optimizer="nadam", dropout=0.3)
    fresh = run(request, training, validation)
    reusing = trainer()
    abandoned = reusing.train(request, training, validation)
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert_same_bits(run(request, training, validation, reusing), fresh)


@pytest.mark.slow
def test_two_unfinished_trainings_do_not_share_a_model(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training = make_rows(70, 4)
    request, other = make_request(training, dropout=0.3), make_request(training, dropout=0.3, seed=12)
    shared = trainer()
    pairs = list(zip(shared.train(request, training, None), shared.train(other, training, None), strict=True))
    for epoch, other_epoch in pairs:
        assert epoch.loss != other_epoch.loss
    assert [one.loss for one, _ in pairs] == [epoch.loss for epoch, _ in run(request, training, None)]
    assert [two.loss for _, two in pairs] == [epoch.loss for epoch, _ in run(other, training, None)]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "nadam", "adafactor"])
def test_a_longer_training_passes_through_the_shorter_one(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest], optimizer: str
) -> None:
    training, validation = make_rows(70, 4), make_rows(33, 4, seed=1)
    longer = make_request(training, optimizer=optimizer, dropout=0.3, epochs=4)
    shorter = make_request(training, optimizer=optimizer, dropout=0.3, epochs=2)
    assert_same_bits(run(longer, training, validation)[:2], run(shorter, training, validation))


@pytest.mark.slow
def test_uses_the_rate_given_for_every_step(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training = make_rows(40, 4)
    request = make_request(training, optimizer="sgd", epochs=2)
    request.learning_rates[:] = 0
    (_, first), (_, second) = run(request, training, None)
    for weights in (first, second):
        for array, start in zip(weights, initial_weights(request.network, request.seed), strict=True):
            np.testing.assert_array_equal(array, start)
    request.learning_rates[-1] = 0.5  # the last, partial batch of the second epoch
    (epoch, first), (last_epoch, second) = run(request, training, None)
    assert [epoch.learning_rate, last_epoch.learning_rate] == [0, 0.5]
    assert np.array_equal(first[0], initial_weights(request.network, request.seed)[0])
    touched = training.take(batch_order(len(training), 2, request.seed)[32:])
    moved = np.unique(np.nonzero(first[0] - second[0])[0])
    assert set(moved) <= set(touched.indices)
    assert len(moved)


@pytest.mark.slow
def test_one_trace_serves_every_schedule_batch_size_and_number_of_rows(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    shared = trainer()
    traced = set()
    for count, batch_size, rate in ((70, 16, 0.01), (50, 7, 0.1), (33, 33, 0.5), (5, 8, 1e-3)):
        training = make_rows(count, 4)
        run(make_request(training, batch_size=batch_size, rate=rate), training, make_rows(9, 4), shared)
        traced |= {built.traced_epoch for built in shared._idle.values()}
    assert len(traced) == 1


@pytest.mark.slow
def test_keeps_few_models(make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]) -> None:
    shared = trainer(models_kept=2)
    training = make_rows(20, 4)
    for units in (3, 4, 5, 4):
        run(make_request(training, hidden_units=(units,), epochs=1), training, None, shared)
    assert [built.network.hidden_units for built in shared._idle.values()] == [(5,), (4,)]


@pytest.mark.slow
def test_a_model_that_is_no_longer_kept_is_freed(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training = make_rows(20, 4)
    shared = trainer(models_kept=1)
    run(make_request(training, activation="silu", dropout=0.1, epochs=1), training, training, shared)
    (built,) = shared._idle.values()
    graph = weakref.ref(built.traced_epoch.graph)
    kernel = weakref.ref(built.model.weights[0].value)
    del built
    run(make_request(training, hidden_units=(3,), epochs=1), training, None, shared)
    assert graph() is None
    assert kernel() is None


@pytest.mark.slow
def test_learns_and_sees_divergence(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training, validation = make_rows(300, 4), make_rows(100, 4, seed=1)
    epochs = run(make_request(training, optimizer="adam", epochs=8), training, validation)
    accuracy = np.mean(epochs[-1][0].probabilities.argmax(axis=1) == validation.labels)
    assert accuracy > 0.8
    diverging = make_request(training, optimizer="sgd", rate=1e20)
    assert not np.isfinite(run(diverging, training, validation)[-1][0].loss)


def test_no_hidden_layer_and_empty_rows(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    training = make_rows(30, 4)
    empty = training.take(np.arange(0))
    blank = type(training)(empty.indices, np.zeros(4, np.int64), np.zeros(3, np.int32), training.width, 4)
    epochs = run(make_request(training, hidden_units=()), training, blank)
    assert epochs[-1][0].probabilities.shape == (3, 4)
    np.testing.assert_allclose(epochs[-1][0].probabilities.sum(axis=1), 1, atol=1e-6)
    assert [array.shape for array in epochs[-1][1]] == [(training.width, 4), (4,)]


def test_refuses_what_makes_no_sense(
    make_rows: Callable[..., Rows], make_request: Callable[..., TrainingRequest]
) -> None:
    from engine.training.keras.network import build_optimizer

    training = make_rows(30, 4)
    request = make_request(training)
    assert trainer().refusal(request) is None
    with pytest.raises(ValueError, match="6 learning rates for 3 epochs of 1 steps"):
        run(request, training.take(np.arange(10)), None)
    with pytest.raises(UsageError, match="'momentum' is not accepted"):
        build_optimizer("momentum", {}, 0.1)
    with pytest.raises(UsageError, match="optimizer sgd: Keras does not accept"):
        build_optimizer("sgd", {"beta_1": 0.9}, 0.1)
    with pytest.raises(UsageError, match="optimizer sgd: Keras does not accept"):
        build_optimizer("sgd", {"momentum": 7.0}, 0.1)


@pytest.mark.parametrize(("setting", "value"), [("backend", "jax"), ("floatx", "float16")])
def test_refuses_a_keras_set_to_something_else(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    import keras

    from engine.training.keras import network

    monkeypatch.setattr(keras.config, setting, lambda: value)
    with pytest.raises(TrainingRefusedError, match=f"{setting} is {value}, set by .* foldwatch needs"):
        network._refuse_other_settings()


def test_refuses_layers_of_another_precision() -> None:
    import keras

    from engine.training.keras import network

    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(TrainingRefusedError, match=r"dtype policy is mixed_float16, .* foldwatch needs float32"):
            network._refuse_other_settings()
    finally:
        keras.config.set_dtype_policy("float32")
