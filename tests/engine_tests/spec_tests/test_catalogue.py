"""The static tables say what the pinned Keras and scikit-learn have."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

from engine.spec.catalogue import ACTIVATIONS, OPTIMIZERS, SCORERS, Number, Units, Word

# Options of Keras that a search must not have; `engine.spec.catalogue` says why.
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


# Scorers of scikit-learn that mean nothing for one class a row, and why.
EXCLUDED_SCORERS = {
    **dict.fromkeys(("f1_samples", "jaccard_samples", "precision_samples", "recall_samples"), "several labels a row"),
    **dict.fromkeys(
        (
            *("adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score"),
            *("homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "rand_score"),
            "v_measure_score",
        ),
        "compares clusters: classes that are all confused with each other would score as right ones",
    ),
    **dict.fromkeys(
        (
            *("d2_absolute_error_score", "explained_variance", "neg_max_error", "neg_mean_absolute_error"),
            *("neg_mean_absolute_percentage_error", "neg_mean_gamma_deviance", "neg_mean_poisson_deviance"),
            *("neg_mean_squared_error", "neg_mean_squared_log_error", "neg_median_absolute_error"),
            *("neg_root_mean_squared_error", "neg_root_mean_squared_log_error", "r2"),
        ),
        "regression: a class's number is no quantity",
    ),
}


def test_every_scorer_of_scikit_learn_is_offered_or_left_out_for_a_reason() -> None:
    from sklearn.metrics import get_scorer_names

    assert set(SCORERS).isdisjoint(EXCLUDED_SCORERS)
    assert {*SCORERS, *EXCLUDED_SCORERS} == set(get_scorer_names())


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
def test_scorers_are_defined_exactly_where_the_table_says(name: str) -> None:
    scorer = SCORERS[name]
    every, one_missing, only_one = [0, 1, 2, 3, 0, 1, 2, 3, 1, 2], [0, 1, 2, 0, 1, 2, 0, 1, 2, 1], [1, 1, 1, 1]
    assert np.isfinite(_score(name, [0, 1, 0, 1, 1, 0, 1], 2))
    assert np.isfinite(_score(name, every, 4)) == (not scorer.two_classes_only)
    if scorer.two_classes_only:
        # Some are defined where the first of the two classes has no row, but not where the second has none.
        defined = [np.isfinite(_score(name, [label] * 4, 2)) for label in (0, 1)]
        assert all(defined) or scorer.needs_every_class
        return
    assert np.isfinite(_score(name, one_missing, 4)) == (not scorer.needs_every_class)
    needs_two = scorer.needs_every_class or scorer.needs_two_classes
    assert (abs(_score(name, only_one, 4)) < 1e6) == (not needs_two)


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
