"""What the kernel trainer promises besides being Keras: same bits, exact rows, honest losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.data.rows import Rows
from engine.errors import TrainingRefusedError
from engine.training.interface import Epoch, TrainingRequest
from engine.training.kernel import KernelTrainer
from engine.training.kernel.run import KernelRun
from engine.training.randomness import initial_weights
from tests.engine_tests.kernel_tests.kernel_requests import WIDTH, make_request, make_rows
from tests.marks import first_of

LAZY: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("rmsprop", {}),
    ("rmsprop", {"weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.8}),
    ("rmsprop", {"centered": True, "momentum": 0.8}),
    ("adam", {}),
    ("adam", {"amsgrad": True}),
    ("adamw", {}),
    ("adagrad", {}),
]


def trained(request: TrainingRequest, rows: Rows, validation: Rows | None = None) -> list[tuple[Epoch, list[Any]]]:
    return [(epoch, epoch.weights()) for epoch in KernelTrainer().train(request, rows, validation)]


def assert_same_bits(ours: list[Any], theirs: list[Any]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one.view(np.int32), other.view(np.int32))


@pytest.mark.parametrize("network", [{}, {"dropout": 0.3}, {"l2": 0.01}], ids=str)
def test_the_same_request_gives_the_same_bits(rows: Rows, network: dict[str, Any]) -> None:
    request = make_request(rows, "adam", network=network)
    first = trained(request, rows)
    trained(make_request(rows, "adam", batch_size=30, seed=5), rows)
    for (_, ours), (_, theirs) in zip(first, trained(request, rows), strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "nadam"])
def test_epochs_of_a_longer_training_are_those_of_a_shorter_one(rows: Rows, optimizer: str) -> None:
    validation = make_rows(50, 4, seed=8)
    longer = trained(make_request(rows, optimizer, epochs=3), rows, validation)
    shorter = trained(make_request(rows, optimizer, epochs=2), rows, validation)
    for (epoch, ours), (other, theirs) in zip(longer[:2], shorter, strict=True):
        assert_same_bits(ours, theirs)
        np.testing.assert_array_equal(epoch.probabilities, other.probabilities)
        assert (epoch.loss, epoch.validation_loss) == (other.loss, other.validation_loss)


def test_words_that_never_occur_keep_their_initial_weights(rows: Rows) -> None:
    for optimizer in ("sgd", "rmsprop", "adam", "nadam", "adagrad"):
        request = make_request(rows, optimizer)
        *_, (_, weights) = trained(request, rows)
        initial = initial_weights(request.network, request.seed)
        present = np.isin(np.arange(WIDTH), rows.indices)
        np.testing.assert_array_equal(weights[0][~present], initial[0][~present])
        assert np.any(weights[0][present] != initial[0][present], axis=1).all()


@pytest.mark.parametrize(("name", "arguments"), LAZY, ids=str)
@pytest.mark.parametrize("real", first_of([(np.float32,), (np.float64,)]))
def test_catching_up_equals_visiting_every_row(rows: Rows, name: str, arguments: dict[str, Any], real: Any) -> None:
    request = make_request(rows, name, **arguments)
    lazy, dense = KernelRun(request, rows, None, real), KernelRun(request, rows, None, real)
    assert lazy.leaves_rows_alone
    dense.leaves_rows_alone = False
    for _ in zip(lazy.epochs(), dense.epochs(), strict=True):
        for ours, theirs in zip(lazy.weights.parameters(), dense.weights.parameters(), strict=True):
            # In float32 roundings grow over a hundred steps; one wrong step of 0.01 would still show.
            np.testing.assert_allclose(ours, theirs, atol=3e-4 if real is np.float32 else 1e-9)


@pytest.mark.slow
def test_gradients_are_the_differences_of_the_loss() -> None:
    rows = make_rows(16, 4)
    network = {"activation": "tanh", "l2": 0.05, "hidden_units": (6, 5)}
    # One step of SGD with rate 1 moves the weights by the gradient.
    request = make_request(rows, "sgd", epochs=1, batch_size=16, rate=1.0, network=network)

    def loss_at(place: int, index: int, change: float) -> float:
        training = KernelRun(request, rows, rows, np.float64)
        training.weights.parameters()[place].reshape(-1)[index] += change
        loss, _ = training._validate()
        assert loss is not None
        return loss

    stepped = KernelRun(request, rows, None, np.float64)
    before = [part.copy() for part in stepped.weights.parameters()]
    list(stepped.epochs())
    for place, (start, end) in enumerate(zip(before, stepped.weights.parameters(), strict=True)):
        for index in (0, start.size // 2, start.size - 1):
            numeric = (loss_at(place, index, 1e-5) - loss_at(place, index, -1e-5)) / 2e-5
            assert (start - end).reshape(-1)[index] == pytest.approx(numeric, abs=1e-8)


def test_a_diverging_training_shows_it(rows: Rows) -> None:
    validation = make_rows(40, 4, seed=8)
    request = make_request(rows, "sgd", rate=1e30, network={"activation": "linear"})
    epochs = trained(request, rows, validation)
    assert len(epochs) == 2
    assert all(not np.isfinite(epoch.loss) for epoch, _ in epochs)
    assert not np.isfinite(epochs[-1][0].probabilities).all()


def test_dropout_drops_its_share_and_keeps_the_mean(rows: Rows) -> None:
    request = make_request(rows, network={"dropout": 0.25, "hidden_units": (64, 32)}, batch_size=128)
    training = KernelRun(request, rows, None)
    seen = []
    for step in range(20):
        training.draw_masks(step, 128)
        seen.append(training.masks[: 128 * 64].copy())
    masks = np.array(seen)
    assert set(np.unique(masks)) == {np.float32(0), np.float32(1 / 0.75)}
    assert np.mean(masks == 0) == pytest.approx(0.25, abs=0.005)
    # Neighbours, steps and layers are independent: agreement by chance is 0.75² + 0.25².
    for one, other in ((masks[:, 1:], masks[:, :-1]), (masks[1:], masks[:-1])):
        assert np.mean(one == other) == pytest.approx(0.625, abs=0.01)


def test_two_columns_of_probabilities_for_two_classes_and_partial_batches() -> None:
    rows, validation = make_rows(37, 2), make_rows(300, 2, seed=4)
    for batch_size in (1, 10, 37, 1000):
        request = make_request(rows, batch_size=batch_size)
        for epoch, weights in trained(request, rows, validation):
            assert epoch.probabilities.shape == (300, 2)
            np.testing.assert_allclose(epoch.probabilities.sum(axis=1), 1.0, rtol=1e-6)
            assert [part.shape for part in weights] == [(WIDTH, 7), (7,), (7, 5), (5,), (5, 1), (1,)]
            assert epoch.learning_rate == request.learning_rates[epoch.number * -(-37 // batch_size) - 1]


def test_without_validation_rows(rows: Rows) -> None:
    for validation in (None, rows.take(np.array([], np.intp))):
        for epoch, _ in trained(make_request(rows), rows, validation):
            assert epoch.validation_loss is None
            assert epoch.probabilities.shape == (0, 4)


def test_it_learns(rows: Rows) -> None:
    epochs = trained(make_request(rows, "adam", epochs=12, network={"hidden_units": (16,)}), rows, rows)
    assert epochs[-1][0].loss < epochs[0][0].loss / 2
    assert np.mean(epochs[-1][0].probabilities.argmax(axis=1) == rows.labels) > 0.9


def test_closing_the_iterator_stops_and_read_only_rows_are_welcome(rows: Rows) -> None:
    for part in (rows.indices, rows.indptr, rows.labels):
        part.flags.writeable = False
    iterator: Iterator[Epoch] = KernelTrainer().train(make_request(rows), rows, None)
    assert next(iterator).number == 1
    iterator.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("optimizer", "network", "arguments", "named"),
    [
        ("ftrl", {}, {}, "optimizer ftrl"),
        ("adam", {"activation": "glu"}, {}, "activation glu"),
        ("adam", {}, {"use_ema": True}, "use_ema"),
        ("adam", {}, {"epsilon": 0.0}, "epsilon"),
        ("sgd", {}, {"gradient_accumulation_steps": 4}, "gradient_accumulation_steps"),
        ("sgd", {}, {"clipnorm": 1.0, "clipvalue": 1.0}, "clipping"),
    ],
    ids=str,
)
def test_what_is_not_covered_is_refused_with_its_name(
    rows: Rows, optimizer: str, network: dict[str, Any], arguments: dict[str, Any], named: str
) -> None:
    request = make_request(rows, optimizer, network=network, **arguments)
    assert named in str(KernelTrainer().refusal(request))
    with pytest.raises(TrainingRefusedError, match=named):
        next(KernelTrainer().train(request, rows, None))


def test_what_is_covered_is_not_refused(rows: Rows) -> None:
    for optimizer, arguments in [*LAZY, ("nadam", {}), ("adam", {"clipnorm": None})]:
        assert KernelTrainer().refusal(make_request(rows, optimizer, **arguments)) is None
