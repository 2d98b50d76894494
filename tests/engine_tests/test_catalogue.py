"""The static tables say what the pinned Keras and scikit-learn have."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

from engine.catalogue import ACTIVATIONS, OPTIMIZERS, SCORERS, Number, Units, Word

# Options of Keras that a search must not have; `engine.catalogue` says why.
LEFT_OUT = {
    *("self", "name", "kwargs", "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"),
    *("gradient_accumulation_steps", "learning_rate"),
}


@pytest.mark.keras
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_optimizers_have_keras_arguments_and_defaults(name: str) -> None:
    import keras

    optimizer = OPTIMIZERS[name]
    keras_class = getattr(keras.optimizers, optimizer.class_name)
    parameters = inspect.signature(keras_class.__init__).parameters
    theirs = {key: value.default for key, value in parameters.items() if key not in LEFT_OUT}
    assert {key: default for key, (_, default) in optimizer.arguments.items()} == theirs
    assert parameters["learning_rate"].default == optimizer.learning_rate
    assert keras_class.__name__.lower() == name


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_default_is_accepted_by_its_own_kind(name: str) -> None:
    for argument, (kind, default) in OPTIMIZERS[name].arguments.items():
        assert kind.accepts(default), argument


@pytest.mark.keras
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_exist_and_keep_the_shape(name: str) -> None:
    import keras

    values = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
    activated = np.asarray(keras.activations.get(name)(values))
    assert activated.shape == values.shape
    assert np.isfinite(activated).all()


def test_only_sklearns_classification_scorers_are_offered() -> None:
    from sklearn.metrics import get_scorer_names

    assert set(SCORERS) <= set(get_scorer_names())


def _score(name: str, labels: list[int], classes: int) -> float:
    """A score of probabilities that mostly favour the right class; NaN where scikit-learn refuses."""
    from engine.training.scoring import scores

    generator = np.random.default_rng(0)
    probabilities = generator.random((len(labels), classes))
    probabilities[np.arange(len(labels)), labels] += 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scored = scores([name], np.array(labels, np.int32), probabilities.astype(np.float32), classes)
        except ValueError:
            return float("nan")
    return scored[name]


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_scorers_are_defined_where_the_table_says(name: str) -> None:
    scorer = SCORERS[name]
    every_class, one_missing = [0, 1, 2, 3, 0, 1, 2, 3, 1, 2], [0, 1, 2, 0, 1, 2, 0, 1, 2, 1]
    assert np.isfinite(_score(name, [0, 1, 0, 1, 1, 0, 1], 2))
    assert np.isfinite(_score(name, every_class, 4)) == (not scorer.two_classes_only)
    if not scorer.two_classes_only:
        assert np.isfinite(_score(name, one_missing, 4)) or scorer.needs_every_class
    if not scorer.needs_every_class:
        assert np.isfinite(_score(name, [1, 1, 1, 1], 2))


@pytest.mark.parametrize("name", sorted(name for name, scorer in SCORERS.items() if scorer.needs_every_class))
def test_scorers_that_need_every_class_are_undefined_without_one(name: str) -> None:
    one_missing = [0, 1, 2, 0, 1, 2, 0, 1, 2, 1]
    labels, classes = ([1, 1, 1, 1], 2) if SCORERS[name].two_classes_only else (one_missing, 4)
    assert np.isnan(_score(name, labels, classes))


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        (Number(0, 1), [0, 1, 0.5], [-0.1, 1.1, True, "1", None, float("nan"), float("inf"), [1], 10**400]),
        (Number(0, 1, low_open=True, high_open=True), [0.5], [0, 1]),
        (Number(1, integer=True), [1, 10**9], [0, 1.0, False, -(10**400)]),
        (Number(0, optional=True), [None, 0], [-1]),
        (Word(("relu", "ReLU6")), ["relu", "RELU", "relu6"], ["", "tanh", 1, None]),
        (Units(), [1, [64], [64, 32]], [0, [], [0], [1.5], "64", [[64]], [1] * 33]),
    ],
)
def test_kinds_accept_what_they_say(kind: Number | Word | Units, accepted: list[Any], refused: list[Any]) -> None:
    assert [value for value in accepted if not kind.accepts(value)] == []
    assert [value for value in refused if kind.accepts(value)] == []
    assert str(kind)
