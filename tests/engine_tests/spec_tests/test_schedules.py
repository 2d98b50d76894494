"""The six schedules give Keras' own learning rate at every step, and count epochs in steps as documented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.spec.catalogue import SCHEDULES
from engine.spec.schedules import depends_on_epochs, in_steps, learning_rates, steps_per_epoch

STEPS = 2500
DECAY = {"initial_learning_rate": 0.1, "decay_steps": 137}
COSINE = {"initial_learning_rate": 0.02, "decay_steps": 1400}
RESTARTS = {"initial_learning_rate": 0.3, "first_decay_steps": 100}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {**DECAY, "decay_rate": 0.8}),
    ("ExponentialDecay", {**DECAY, "decay_rate": 0.96, "staircase": True}),
    ("ExponentialDecay", {**DECAY, "decay_steps": 1, "decay_rate": 0.999, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [100, 700, 701], "values": [0.5, 0.1, 0.02, 0.0]}),
    ("PolynomialDecay", {**DECAY, "end_learning_rate": 0.001}),
    ("PolynomialDecay", {**DECAY, "decay_steps": 2000, "power": 0.5}),
    ("PolynomialDecay", {**DECAY, "end_learning_rate": 0.01, "power": 2.0, "cycle": True}),
    ("PolynomialDecay", {**DECAY, "decay_steps": 7, "cycle": True}),
    ("InverseTimeDecay", {**DECAY, "decay_rate": 0.5}),
    ("InverseTimeDecay", {**DECAY, "decay_rate": 2.0, "staircase": True}),
    ("CosineDecay", COSINE),
    ("CosineDecay", {**COSINE, "alpha": 0.1}),
    ("CosineDecay", {**COSINE, "warmup_steps": 200}),
    ("CosineDecay", {**COSINE, "warmup_target": 0.3, "warmup_steps": 200, "alpha": 0.01}),
    ("CosineDecay", {**COSINE, "initial_learning_rate": 0.0, "warmup_target": 0.3, "warmup_steps": 333}),
    ("CosineDecay", {**COSINE, "warmup_target": 0.3, "warmup_steps": 0}),
    *(
        ("CosineDecayRestarts", {**RESTARTS, "first_decay_steps": first, "t_mul": t_mul, "m_mul": m_mul, "alpha": 0.02})
        for first, t_mul, m_mul in (
            (100, 1.0, 1.0),
            (100, 1, 0.9),
            (137, 1.5, 0.8),
            (100, 1.5, 1.0),
            (100, 2.0, 1.0),
            (71, 2.0, 0.7),
            (1, 2.0, 0.9),
            (13, 3.0, 0.9),
            (100, 3, 1.1),
        )
    ),
]


@pytest.mark.keras
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_every_step_is_as_in_keras(name: str, arguments: dict[str, Any]) -> None:
    import keras
    import tensorflow as tf

    schedule = getattr(keras.optimizers.schedules, name)(**arguments)
    # One step at a time, in one graph, which is a hundred times faster than outside of one; but unoptimised, or 21 / 7
    # becomes 21 x (1 / 7), which is above 3 and thus in another cycle.
    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        every_step = tf.function(lambda: tf.map_fn(schedule, tf.range(STEPS), fn_output_signature=tf.float32))
        theirs = every_step().numpy().astype(np.float64)
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})
    ours = np.array(learning_rates(name, arguments, STEPS))
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6 * float(theirs.max()))


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.parametrize(
    ("first", "t_mul"), [(100, 1), (137, 1.5), (100, 2.0), (1, 2.0), (13, 3.0), (7, 1.1), (3, 2.5)]
)
def test_restarts_begin_at_the_same_step_as_in_keras(first: int, t_mul: float) -> None:
    """Rounding decides to which period a step at a boundary belongs; training asks for one step at a time."""
    import keras

    arguments = {"initial_learning_rate": 0.3, "first_decay_steps": first, "t_mul": t_mul, "m_mul": 0.7}
    schedule = keras.optimizers.schedules.CosineDecayRestarts(**arguments)
    ours = learning_rates("CosineDecayRestarts", arguments, 100_000)
    boundaries = np.cumsum([first * t_mul**period for period in range(60)])
    steps = {max(0, round(float(b)) + around) for b in boundaries[boundaries < 99_000] for around in (-1, 0, 1)}
    assert {step: ours[step] for step in steps} == {
        step: pytest.approx(float(schedule(step)), rel=2e-5, abs=1e-6) for step in steps
    }


@pytest.mark.keras
@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_the_table_names_the_arguments_that_keras_has(name: str) -> None:
    import inspect

    import keras

    parameters = dict(inspect.signature(getattr(keras.optimizers.schedules, name).__init__).parameters)
    for extra in ("self", "name"):
        del parameters[extra]
    schedule = SCHEDULES[name]
    required = {key for key, value in parameters.items() if value.default is inspect.Parameter.empty}
    assert set(schedule.required) == required
    defaults = {key: value.default for key, value in parameters.items() if key not in required}
    assert {key: default for key, (_, default) in schedule.optional.items()} == defaults


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 10.0}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 2, "t_mul": 1.0, "m_mul": 50.0}),
    ],
)
def test_a_rate_that_keras_makes_infinite_is_the_largest(name: str, arguments: dict[str, Any]) -> None:
    import keras

    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    largest = np.finfo(np.float32).max
    beyond = 0
    ours = np.array(learning_rates(name, arguments, 400), np.float32)
    for step in range(0, 400, 9):
        expected = float(theirs(step))
        beyond += expected == np.inf
        assert ours[step] == pytest.approx(min(expected, largest), rel=1e-4)
    assert 0 < beyond < 45


def test_a_step_is_a_batch_and_the_last_one_is_partial() -> None:
    assert steps_per_epoch(50_000, 64) == 782
    assert steps_per_epoch(128, 64) == 2
    assert steps_per_epoch(1, 64) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "resolved"),
    [
        ("ExponentialDecay", {"decay_epochs": 1, "decay_rate": 0.9}, {"decay_steps": 782, "decay_rate": 0.9}),
        ("ExponentialDecay", {"decay_epochs": 0.5}, {"decay_steps": 391}),
        ("ExponentialDecay", {"decay_epochs": 0.0001}, {"decay_steps": 1}),
        ("ExponentialDecay", {"decay_steps": 10}, {"decay_steps": 10}),
        ("CosineDecay", {"decay_epochs": "all"}, {"decay_steps": 3910}),
        (
            "CosineDecay",
            {"decay_epochs": "all", "warmup_epochs": 2, "warmup_target": 0.1},
            {"decay_steps": 2346, "warmup_steps": 1564, "warmup_target": 0.1},
        ),
        (
            "CosineDecay",
            {"decay_epochs": "all", "warmup_epochs": 5, "warmup_target": 0.1},
            {"decay_steps": 1, "warmup_steps": 3910, "warmup_target": 0.1},
        ),
        (
            "CosineDecay",
            {"decay_epochs": "all", "warmup_steps": 10, "warmup_target": 0.1},
            {"decay_steps": 3900, "warmup_steps": 10, "warmup_target": 0.1},
        ),
        # Without a target Keras has no warm-up that the decay could come after.
        ("CosineDecay", {"decay_epochs": "all", "warmup_epochs": 2}, {"decay_steps": 3910, "warmup_steps": 1564}),
        ("CosineDecayRestarts", {"first_decay_epochs": 1.5}, {"first_decay_steps": 1173}),
        ("PiecewiseConstantDecay", {"boundary_epochs": (1, 2.5)}, {"boundaries": [781, 1954]}),
    ],
)
def test_epochs_become_steps(name: str, arguments: dict[str, Any], resolved: dict[str, Any]) -> None:
    assert in_steps(name, arguments, epoch_steps=782, epochs=5) == resolved


def test_only_a_schedule_over_the_whole_training_depends_on_epochs() -> None:
    assert depends_on_epochs({"decay_epochs": "all", "initial_learning_rate": 0.1})
    assert not depends_on_epochs({"decay_epochs": 3, "boundaries": [1, 2]})
    assert not depends_on_epochs({})


def test_a_value_changes_at_the_first_step_of_its_epoch() -> None:
    for epoch_steps in (1, 2, 7):
        resolved = in_steps("PiecewiseConstantDecay", {"boundary_epochs": (1, 2)}, epoch_steps, 3)
        rates = learning_rates("PiecewiseConstantDecay", {**resolved, "values": [0.3, 0.2, 0.1]}, 3 * epoch_steps)
        assert rates == [0.3] * epoch_steps + [0.2] * epoch_steps + [0.1] * epoch_steps
