"""The epochs of any `keras.Model.fit`, whoever calls it and however, with the learning rates that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.training.keras.watched_fit import EpochCounter, WatchedEpoch, watch_keras

if TYPE_CHECKING:
    from collections.abc import Iterator

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
y = (X[:, 0] > 0).astype("float32")


@pytest.fixture
def epochs() -> Iterator[list[WatchedEpoch]]:
    seen: list[WatchedEpoch] = []
    stop = watch_keras(seen.append)
    yield seen
    stop()


def _compiled(model: Any, rate: Any = 0.1) -> Any:
    import keras

    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def _models() -> dict[str, Any]:
    import keras

    class Subclassed(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1, activation="sigmoid")

        def call(self, rows: Any) -> Any:
            return self.dense(rows)

    class WithItsOwnFit(Subclassed):
        def fit(self, *arguments: Any, **keywords: Any) -> Any:
            return super().fit(*arguments, **keywords)

    rows = keras.Input((3,))
    return {
        "sequential": keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")]),
        "functional": keras.Model(rows, keras.layers.Dense(1, activation="sigmoid")(rows)),
        "subclassed": Subclassed(),
        "with its own fit": WithItsOwnFit(),
    }


@pytest.mark.parametrize("name", ["sequential", "functional", "subclassed", "with its own fit"])
def test_every_kind_of_model_reports_its_epochs(name: str, epochs: list[WatchedEpoch]) -> None:
    history = _compiled(_models()[name]).fit(X, y, batch_size=8, epochs=2, verbose=0, validation_data=(X, y))
    assert [(epoch.number, epoch.epochs, epoch.steps) for epoch in epochs] == [(1, 2, 3), (2, 2, 3)]
    assert [epoch.loss for epoch in epochs] == pytest.approx(history.history["loss"])
    assert [epoch.validation_loss for epoch in epochs] == pytest.approx(history.history["val_loss"])
    assert [epoch.validation_score for epoch in epochs] == pytest.approx(history.history["val_accuracy"])
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([0.1, 0.1])
    assert epochs[0].planned_rates == ()


@pytest.mark.parametrize("place", ["by name", "by position", "a single one", "a list of Keras"])
def test_callbacks_of_the_caller_stay(place: str, epochs: list[WatchedEpoch]) -> None:
    import keras

    ended: list[int] = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(epoch))
    model = _compiled(_models()["sequential"])
    if place == "by position":
        model.fit(X, y, 8, 2, 0, [callback])
    elif place == "a list of Keras":
        model.fit(X, y, epochs=2, verbose=0, callbacks=keras.callbacks.CallbackList([callback], model=model))
    else:
        model.fit(X, y, epochs=2, verbose=0, callbacks=callback if place == "a single one" else [callback])
    assert ended == [0, 1]
    assert [epoch.number for epoch in epochs] == [1, 2]


def test_a_schedule_is_planned_and_used(epochs: list[WatchedEpoch]) -> None:
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, decay_steps=3, decay_rate=0.5)
    _compiled(_models()["sequential"], schedule).fit(X, y, batch_size=8, epochs=3, verbose=0)
    expected = [0.4 * 0.5 ** (step / 3) for step in (2, 5, 8)]
    assert epochs[0].planned_rates == pytest.approx(expected)
    assert [epoch.planned_rates for epoch in epochs[1:]] == [(), ()]
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx(expected)


def test_nothing_is_reported_once_it_is_stopped() -> None:
    seen: list[WatchedEpoch] = []
    watch_keras(seen.append)()
    _compiled(_models()["sequential"]).fit(X, y, epochs=1, verbose=0)
    assert seen == []


def test_trainings_that_follow_one_another_are_counted_through() -> None:
    counter = EpochCounter()
    epochs = [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2), (1, 1)]
    places = [counter.place_of(WatchedEpoch(number, of, 1, None, None, None, 0.0)) for number, of in epochs]
    assert places == [(1, 3), (2, 3), (3, 3), (4, 5), (5, 5), (6, 6)]
