"""The whole catalogue against the real Keras: whatever a plan accepts starts, and what it refuses is no use there."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import SpecError
from engine.plan.plan import make_plan
from engine.plan.trainer_choice import trainer_of
from engine.spec.catalogue import CLIPS, OPTIMIZERS, SCHEDULES, Kind, Number
from engine.spec.combinations import combinations_of
from engine.spec.resolved import resolved_params_of
from engine.spec.schedules import rate_of
from engine.spec.spec import SearchSpec
from engine.training.requests import training_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.data.rows import Rows
    from engine.training.interface import Trainer

# Around every bound that any argument has, as integers and as fractions.
CANDIDATES = (
    *(-2, -1.0, -0.5, 0, 0.0, 1e-46, 1e-37, 1e-30, 1e-8, 0.5, 0.999, 1 - 2**-24, 1 - 2**-26, 1, 1.0, 1.5, 2, 100),
    *(1e30, 1e39, math.inf, math.nan, None, True, False),
)

Rule = tuple["Callable[[float], bool]", str]
_NEGATIVE: Rule = (lambda x: x < 0, "below 0 it turns learning round")
_NOT_POSITIVE: Rule = (lambda x: x <= 0, "at 0 and below it divides by zero, or does nothing but under another name")
_NO_AVERAGE: Rule = (lambda x: not 0 <= x < 1, "outside of 0 to 1 it makes no average")
_NO_SHARE: Rule = (lambda x: not 0 <= x <= 1, "outside of 0 to 1 it makes no average")
_NO_STEPS: Rule = (lambda x: x < 1, "at least one step")

# What Keras takes without complaint, and why a search does not: numbers of each argument for which the rule holds.
OF_NO_USE: dict[str, Rule] = {
    **dict.fromkeys((*CLIPS, "epsilon", "epsilon_1", "epsilon_2", "clip_threshold"), _NOT_POSITIVE),
    **dict.fromkeys(("weight_decay", "initial_accumulator_value", "beta"), _NEGATIVE),
    **dict.fromkeys(("beta_1", "beta_2"), _NO_AVERAGE),
    **dict.fromkeys(("rho", "momentum"), _NO_SHARE),
    "beta_2_decay": (lambda x: x > 0, "above 0 it makes no average"),
    **dict.fromkeys(("decay_steps", "first_decay_steps"), _NO_STEPS),
    "warmup_steps": (lambda x: x < 0, "no step comes before the first"),
    "boundaries": (lambda x: x < 0, "no step comes before the first"),
    **dict.fromkeys(("alpha", "m_mul", "values", "end_learning_rate"), _NEGATIVE),
    **dict.fromkeys(("initial_learning_rate", "warmup_target", "power", "decay_rate"), _NOT_POSITIVE),
    "t_mul": (lambda x: x < 1, "below 1 the restarts come to an end, and then the rate is no number"),
}


def _is_of_no_use(argument: str, default: object, value: object) -> bool:
    """Whether it is another kind of value, or a number that float32 does not have, or one of those above."""
    if value is None or isinstance(value, bool) or isinstance(default, bool):
        return True
    assert isinstance(value, int | float)
    if isinstance(value, float) and (argument == "boundaries" or argument.endswith("_steps")):
        return True  # steps are whole
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if not math.isfinite(rounded) or (abs(rounded) < np.finfo(np.float32).tiny and value != 0):
        return True
    return argument in OF_NO_USE and any(map(OF_NO_USE[argument][0], (value, rounded)))


def _accepted(space: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The combinations of a space, planned; None where it is refused."""
    try:
        spec = SearchSpec.from_values({"dataset": "sample", "num_words": 1000, "space": space})
        combinations = combinations_of(spec)
        make_plan(spec, combinations)
    except SpecError:
        return None
    return combinations


def _starts(optimizer: str, arguments: Mapping[str, Any], rate: float = 0.01) -> bool | None:
    """Whether two steps of Keras, with gradients that are partly 0, leave numbers; None where it takes no step."""
    import keras

    try:
        built = getattr(keras.optimizers, OPTIMIZERS[optimizer].class_name)(learning_rate=rate, **arguments)
        weights = [keras.Variable(np.full((3, 2), 0.5, np.float32)), keras.Variable(np.zeros(2, np.float32))]
        built.build(weights)
        for part in (1.0, 0.0):
            kernel = np.array([[0.3 * part, -0.2], [0.0, 0.0], [0.1, 0.4]], np.float32)
            built.apply([keras.ops.convert_to_tensor(kernel), keras.ops.convert_to_tensor(kernel[2])], weights)
    except (TypeError, ValueError):
        return None
    return all(bool(np.isfinite(weight.numpy()).all()) for weight in weights)


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_argument_of_an_optimizer_is_accepted_exactly_where_keras_can_use_it(name: str) -> None:
    for argument, (_, default) in OPTIMIZERS[name].arguments.items():
        for value in CANDIDATES:
            written = "none" if value is None else value
            combinations = _accepted({"optimizer": {"name": name, argument: written}})
            if combinations is None:
                assert not _starts(name, {argument: value}) or _is_of_no_use(argument, default, value), (
                    argument,
                    value,
                )
                continue
            leaves_numbers = _starts(name, dict(resolved_params_of(combinations[0]).optimizer_arguments))
            assert leaves_numbers is not None, (argument, value)
            # What is absurdly large or small may well diverge.
            assert leaves_numbers or 0 < abs(value or 0) < 1e-8 or abs(value or 0) > 100, (argument, value)


def _drawn(kind: Kind, draw: random.Random) -> Any:
    values = [value for value in CANDIDATES if kind.accepts(value)]
    if isinstance(kind, Number) and not kind.integer:
        values.append(draw.uniform(max(kind.low, -2.0), min(kind.high, 2.0) - 1e-6))
    return draw.choice(values)


def _random_optimizer(name: str, draw: random.Random) -> dict[str, Any]:
    arguments = OPTIMIZERS[name].arguments
    chosen = draw.sample(sorted(arguments), draw.randint(2, min(5, len(arguments))))
    values = {argument: _drawn(arguments[argument][0], draw) for argument in chosen}
    return {"name": name, **{argument: "none" if value is None else value for argument, value in values.items()}}


@pytest.mark.keras
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_random_arguments_that_are_accepted_start(name: str) -> None:
    draw = random.Random(name)
    tried = 0
    for _ in range(30):
        table = _random_optimizer(name, draw)
        combinations = _accepted({"optimizer": table})
        if combinations is not None:
            tried += 1
            assert _starts(name, dict(resolved_params_of(combinations[0]).optimizer_arguments)) is not None, table
    assert tried > 4


def _trained(trainer: Trainer, params: Mapping[str, Any], rows: Rows) -> None:
    request = training_request(params, row_count=len(rows), width=rows.width, classes=rows.classes, seed=1)
    assert trainer.refusal(request) is None
    (epoch,) = trainer.train(request, rows, rows)
    assert epoch.number == 1


SMALL_NETWORK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "hidden_units": 4}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_what_a_plan_gives_to_the_kernel_is_trained_by_it(name: str, make_rows: Callable[..., Rows]) -> None:
    from engine.training.kernel import KernelTrainer

    rows = make_rows(40, 3)
    for argument, (kind, _) in OPTIMIZERS[name].arguments.items():
        for value in CANDIDATES:
            table = {"name": name, argument: "none" if value is None else value}
            combinations = _accepted({**SMALL_NETWORK, "optimizer": table}) if kind.accepts(value) else None
            if combinations and trainer_of(resolved_params_of(combinations[0]), "auto")[0] == "kernel":
                _trained(KernelTrainer(), combinations[0], rows)


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_what_a_plan_accepts_is_trained_by_the_keras_trainer(name: str, make_rows: Callable[..., Rows]) -> None:
    from engine.training.keras.trainer import KerasTrainer

    rows, draw = make_rows(40, 3), random.Random(name)
    tables = [_random_optimizer(name, draw) for _ in range(12)]
    for argument, (kind, _) in OPTIMIZERS[name].arguments.items():
        values = [value for value in CANDIDATES if kind.accepts(value)]
        tables += [{"name": name, argument: "none" if value is None else value} for value in values]
    for table in tables:
        for params in _accepted({**SMALL_NETWORK, "optimizer": table}) or []:
            _trained(KerasTrainer(), params, rows)


GOOD: dict[str, dict[str, Any]] = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.9},
    "PiecewiseConstantDecay": {"boundaries": [3, 9], "values": [0.1, 0.05, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.9},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 5},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 5},
}
STEPS = range(40)


def _rates(schedule: str, arguments: Mapping[str, Any]) -> list[float] | None:
    """Keras' rates, where they are of use: numbers, none below 0, not all of them 0.

    Rates are given to it as fractions: from whole numbers it makes whole rates.
    """
    import keras

    def fraction(value: Any) -> Any:
        return float(value) if type(value) is int else value

    given = {
        name: [fraction(item) for item in value] if name == "values" else value if "steps" in name else fraction(value)
        for name, value in arguments.items()
    }
    try:
        built = getattr(keras.optimizers.schedules, schedule)(**given)
        rates = [float(built(step)) for step in STEPS]
    except Exception:  # whatever it is, no training starts with it
        return None
    return rates if all(math.isfinite(rate) and rate >= 0 for rate in rates) and any(rates) else None


def _schedule_values(schedule: str, argument: str) -> list[Any]:
    if argument == "boundaries":
        return [[3, 9], [3, 3], [0, 0], [0, 5], [9, 3], [3], [-1, 3], [1.5, 3], [], [3, 10**9]]
    if argument == "values":
        return [[0.1, value, 0.01] for value in CANDIDATES] + [[0.0, 0, 0.1], [0, 0.0, 0.0], [0.1], []]
    return list(CANDIDATES)


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_every_argument_of_a_schedule_is_accepted_exactly_where_keras_can_use_it(schedule: str) -> None:
    optional = SCHEDULES[schedule].optional
    for argument in [*SCHEDULES[schedule].required, *optional]:
        for value in _schedule_values(schedule, argument):
            theirs = {**GOOD[schedule], argument: value}
            if argument == "warmup_steps":
                theirs["warmup_target"] = 0.2
            written = {**theirs, argument: "none" if value is None else value}
            combinations = _accepted({"learning_rate": {"schedule": schedule, **written}})
            rates = _rates(schedule, theirs)
            if combinations is None:
                numbers = value if isinstance(value, list) else [value]
                default = optional[argument][1] if argument in optional else None
                is_of_no_use = any(_is_of_no_use(argument, default, number) for number in numbers)
                assert rates is None or is_of_no_use or numbers != sorted(numbers), (argument, value)
                continue
            resolved = resolved_params_of(combinations[0])
            ours = [rate_of(schedule, dict(resolved.schedule_arguments))(step) for step in STEPS]
            if rates is not None:
                assert ours == pytest.approx(rates, rel=1e-3, abs=1e-9), (argument, value)
            # What leaves float32 on its way is no number in Keras, and the largest one here.
            assert rates is not None or max(ours) > 1e30, (argument, value)
