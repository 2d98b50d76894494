"""What a combination's flat parameters mean, every default filled in: network, optimizer, rate of every step."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.spec.catalogue import (
    DEFAULT_OPTIMIZER,
    HYPERPARAMETERS,
    MODEL_PREFIX,
    OPTIMIZERS,
    SCHEDULES,
    Arguments,
    Number,
    same_activation,
)
from engine.spec.schedules import depends_on_epochs, in_steps, learning_rates, steps_per_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping


Pairs = tuple[tuple[str, Any], ...]  # arguments with their values, sorted
_DEFAULTS = {name: default for name, (_, default) in HYPERPARAMETERS.items()}


@dataclass(frozen=True)
class ResolvedParams:
    """A combination with every default filled in and one spelling for equal effects.

    `schedule` is the name of a Keras schedule or None; `schedule_arguments` are as written, in epochs or steps;
    `learning_rate` is the constant rate where there is no schedule. Arguments are sorted pairs, so that resolved
    can be compared and hashed. `model_arguments`: what a function of the user's own gets, each value as JSON, so that
    1, 1.0 and true differ; for the built-in network there are none.
    """

    epochs: int
    batch_size: int
    hidden_units: tuple[int, ...]
    activation: str
    dropout: float
    l2: float
    optimizer: str
    optimizer_arguments: tuple[tuple[str, Any], ...]
    learning_rate: float | None
    schedule: str | None
    schedule_arguments: tuple[tuple[str, Any], ...]
    model_arguments: tuple[tuple[str, str], ...] = ()

    @property
    def shares_epochs(self) -> bool:
        """Whether a longer training passes through this one: nothing in it depends on the number of epochs."""
        return not self.schedule_arguments or not depends_on_epochs(dict(self.schedule_arguments))

    def rates(self, rows: int) -> list[float]:
        """The learning rate of every step of a training on `rows` rows."""
        epoch_steps = steps_per_epoch(rows, self.batch_size)
        steps = epoch_steps * self.epochs
        if self.schedule is None:
            assert self.learning_rate is not None
            return [self.learning_rate] * steps
        arguments = in_steps(self.schedule, dict(self.schedule_arguments), epoch_steps, self.epochs)
        return learning_rates(self.schedule, arguments, steps)


def _arguments(params: Mapping[str, Any], prefix: str, known: Arguments) -> tuple[tuple[str, Any], ...]:
    """The arguments behind a prefix, sorted, those left out that say what Keras does anyway.

    Numbers that may have fractions are floats: Keras refuses some of them, such as a momentum of 1, as integers.
    """
    pairs = []
    for name, value in params.items():
        if not name.startswith(prefix):
            continue
        argument = name.removeprefix(prefix)
        kind, default = known.get(argument, (None, None))
        if not (kind is not None and value == default):
            if isinstance(kind, Number) and not kind.integer and value is not None:
                value = float(value)
            pairs.append((argument, tuple(value) if isinstance(value, list) else value))
    return tuple(sorted(pairs))


def resolved_params_of(params: Mapping[str, Any]) -> ResolvedParams:
    """The meaning of flat parameters that a spec has validated."""
    given = {**_DEFAULTS, **params}
    units = given["hidden_units"]
    hidden_units = tuple(units) if isinstance(units, list | tuple) else (units,) * given["hidden_layers"]
    optimizer = params.get("optimizer", DEFAULT_OPTIMIZER)
    learning_rate = params.get("learning_rate", OPTIMIZERS[optimizer].learning_rate)
    schedule = learning_rate if isinstance(learning_rate, str) else None
    return ResolvedParams(
        epochs=given["epochs"],
        batch_size=given["batch_size"],
        hidden_units=hidden_units,
        activation=same_activation(given["activation"]),
        dropout=float(given["dropout"]),
        l2=float(given["l2"]),
        optimizer=optimizer,
        optimizer_arguments=_arguments(params, "optimizer__", OPTIMIZERS[optimizer].arguments),
        learning_rate=None if schedule else float(learning_rate),
        schedule=schedule,
        schedule_arguments=_arguments(params, "learning_rate__", SCHEDULES[schedule].optional if schedule else {}),
        model_arguments=tuple(
            (name.removeprefix(MODEL_PREFIX), json.dumps(value))
            for name, value in sorted(params.items())
            if name.startswith(MODEL_PREFIX)
        ),
    )


def epochs_of(params: Mapping[str, Any]) -> int:
    """The epochs of flat parameters as a record has them, the default where they name none, valid or not."""
    epochs = params.get("epochs")
    return epochs if isinstance(epochs, int) else int(_DEFAULTS["epochs"])


def without_idle_parts(resolved: ResolvedParams) -> ResolvedParams:
    """The parameters without what has no effect beside the rest, so that equal effects become equal.

    Only what leaves every bit of a training as it is, in both trainers, whatever the number of rows and epochs: a
    schedule that happens to be constant within one training still differs from others in a longer one.
    """
    optimizer, arguments = _without_idle_optimizer_parts(resolved.optimizer, resolved.optimizer_arguments)
    changes: dict[str, Any] = {"optimizer": optimizer, "optimizer_arguments": arguments}
    if not resolved.hidden_units:
        # The activation, dropout and penalty are those of hidden layers.
        changes |= _NO_HIDDEN_LAYERS
    if resolved.schedule is not None:
        rate, schedule_arguments = _without_idle_schedule_parts(resolved.schedule, resolved.schedule_arguments)
        changes["schedule_arguments"] = schedule_arguments
        if rate is not None:
            changes |= {"learning_rate": rate, "schedule": None}
    # Most combinations of a large grid have no idle part, and making new ones is what takes time.
    different = {name: value for name, value in changes.items() if value != getattr(resolved, name)}
    return replace(resolved, **different) if different else resolved


_NO_HIDDEN_LAYERS: dict[str, Any] = {
    name: _DEFAULTS[name] if name == "activation" else float(_DEFAULTS[name])
    for name in ("activation", "dropout", "l2")
}


# The combinations of a grid have few different optimizers and schedules in common.
@functools.lru_cache(maxsize=4096)
def _without_idle_optimizer_parts(optimizer: str, pairs: Pairs) -> tuple[str, Pairs]:
    optimizer, arguments = _without_idle_arguments(optimizer, dict(pairs))
    return optimizer, tuple(sorted(arguments.items()))


@functools.lru_cache(maxsize=4096)
def _without_idle_schedule_parts(schedule: str, pairs: Pairs) -> tuple[float | None, Pairs]:
    """The rate, if it is the same at every step, and the arguments that have an effect if it is not."""
    arguments = _without_idle_schedule_arguments(schedule, dict(pairs))
    rate = _constant_rate(schedule, arguments)
    return rate, () if rate is not None else tuple(sorted(arguments.items()))


def _without_idle_arguments(optimizer: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if optimizer == "adamw":
        # Adam with another default.
        decay = arguments.get("weight_decay", OPTIMIZERS[optimizer].arguments["weight_decay"][1])
        optimizer, arguments = "adam", {**arguments, "weight_decay": decay}
    if optimizer == "sgd" and "momentum" not in arguments:
        arguments.pop("nesterov", None)
    if optimizer == "adafactor":
        # The rate is bounded by 1 / sqrt(step) a second time, whether or not this bounds it.
        arguments.pop("relative_step", None)
    if arguments.get("weight_decay") == 0:
        del arguments["weight_decay"]
    return optimizer, arguments


def _without_idle_schedule_arguments(schedule: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if schedule == "CosineDecay" and arguments.get("warmup_target") is None:
        # Without a target there is no warm-up.
        arguments.pop("warmup_steps", None)
        arguments.pop("warmup_epochs", None)
    elif schedule == "CosineDecay" and not {"warmup_steps", "warmup_epochs"} & arguments.keys():
        # A warm-up of no steps begins at its target.
        arguments["initial_learning_rate"] = arguments.pop("warmup_target")
    if schedule in ("ExponentialDecay", "InverseTimeDecay") and arguments.get("decay_steps") == 1:
        arguments.pop("staircase", None)
    if schedule == "PiecewiseConstantDecay" and "boundaries" in arguments:
        boundaries, values = _distinct_pieces(arguments["boundaries"], arguments["values"])
        arguments.update(boundaries=boundaries, values=values)
    return arguments


def _distinct_pieces(boundaries: Any, values: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Without pieces of no steps, and with neighbours of one value joined."""
    last = dict(zip(boundaries, values[1:], strict=True))  # of equal boundaries the last one's value follows
    kept: list[tuple[int, float]] = []
    before = values[0]
    for boundary, value in last.items():
        if value != before:
            kept.append((boundary, value))
        before = value
    return tuple(boundary for boundary, _ in kept), (values[0], *(value for _, value in kept))


def _constant_rate(schedule: str, arguments: dict[str, Any]) -> float | None:
    """The rate of every step, if it is the same whatever the number of steps."""
    given = {**{name: default for name, (_, default) in SCHEDULES[schedule].optional.items()}, **arguments}
    if schedule == "PiecewiseConstantDecay":
        return float(given["values"][0]) if all(a == b for a, b in itertools.pairwise(given["values"])) else None
    initial = given["initial_learning_rate"]
    match schedule:
        case "ExponentialDecay":
            is_constant = given["decay_rate"] == 1
        case "InverseTimeDecay":
            is_constant = given["decay_rate"] == 0
        case "PolynomialDecay":
            is_constant = given["end_learning_rate"] == initial
        case "CosineDecay":
            is_constant = given["alpha"] == 1 and given["warmup_target"] in (None, initial)
        case _:
            # What grows without bound can leave float64, and is then no number any more.
            is_constant = given["alpha"] == 1 and given["m_mul"] <= 1
    return float(initial) if is_constant else None
