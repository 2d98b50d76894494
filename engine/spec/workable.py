"""What a spec can say although no training could follow it, or no strategy would do what it is for: refused.

Asked of new searches alone. What an earlier version accepted stays in the sessions that it began: they are read and
resumed, and such fits fail as they did.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from engine.errors import SpecError
from engine.spec.catalogue import (
    CLIPS,
    EPOCHS_ARGUMENT,
    HYPERPARAMETERS,
    LEARNING_RATE,
    OPTIMIZERS,
    SCHEDULES,
    Kind,
    Number,
)
from engine.spec.space import Axis, Distribution, Option, items_of, parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.spec.models import Model
    from engine.spec.strategy_options import Choice

# Smaller numbers lose their digits, and are taken for 0 while networks are trained.
_SMALLEST_FLOAT32 = 2.0**-126
_LARGEST_FLOAT32 = 2.0**128 - 2.0**104


def check_trainable(raw: Mapping[str, Any], place: str, model: Model) -> None:
    """Raises SpecError for a value of a valid space with which no training could start or do anything."""
    for name in sorted(raw):
        if model.takes(name):
            continue  # the function itself knows what it can work with
        kind = HYPERPARAMETERS.get(name, (LEARNING_RATE, None))[0]
        if not isinstance(kind, Number) or kind.integer:
            continue  # whole numbers and words are what they are
        for item, where in items_of(raw[name], f"{place}.{name}"):
            (axis,) = parse_space({name: item}, place)
            for option in axis.options:
                _check_numbers(option, where, axis)
                if name == "optimizer":
                    _check_optimizer(option, where)
                elif name == "learning_rate":
                    _check_rate(option, where)


def _check_numbers(option: Option, where: str, axis: Axis) -> None:
    """Trainings calculate in float32: a number must be there what its kind accepts."""
    for name, value in option.items():
        kind = _kind_of(name, option)
        if not isinstance(kind, Number) or kind.integer:
            continue
        place = where if name == axis.name else f"{where}.{name.partition('__')[2]}"
        for number in _numbers_in(value):
            rounded = _in_float32(number)
            if math.isinf(rounded) or not kind.accepts(rounded) or (rounded == 0) != (number == 0):
                accepted = f"{kind}; trainings calculate in float32, where this is {rounded:g}"
                raise SpecError(place, number, accepted)


def _numbers_in(value: Any) -> list[float]:
    if isinstance(value, Distribution):
        return [value.low, value.high]
    return [number for number in (value if isinstance(value, list) else [value]) if isinstance(number, int | float)]


def _in_float32(number: float) -> float:
    if abs(number) > _LARGEST_FLOAT32:
        return math.copysign(math.inf, number)
    if abs(number) < _SMALLEST_FLOAT32:
        return 0.0
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _kind_of(name: str, option: Option) -> Kind | None:
    """What a flat parameter of an option accepts; None for names of optimizers and schedules."""
    head, _, argument = name.partition("__")
    if head == "optimizer":
        return OPTIMIZERS[option["optimizer"]].arguments[argument][0] if argument else None
    if head == "learning_rate":
        if not argument:
            return None if isinstance(option[name], str) else LEARNING_RATE
        schedule = SCHEDULES[option["learning_rate"]]
        known = {**schedule.required, **{key: kind for key, (kind, _) in schedule.optional.items()}}
        return known.get(argument, EPOCHS_ARGUMENT)
    return HYPERPARAMETERS[name][0]


def _check_optimizer(option: Option, where: str) -> None:
    clips = [clip for clip in CLIPS if option.get(f"optimizer__{clip}") is not None]
    if len(clips) > 1:
        accepted = f"no {clips[1]} beside {clips[0]}: Keras takes one of {', '.join(CLIPS)}"
        raise SpecError(f"{where}.{clips[1]}", _shown(option[f"optimizer__{clips[1]}"]), accepted)
    if option["optimizer"] == "lion" and option.get("optimizer__beta_1") == 0:
        # Keras refuses it for lion alone.
        raise SpecError(f"{where}.beta_1", option["optimizer__beta_1"], "a number above 0 and below 1, for lion")
    if option["optimizer"] == "ftrl" and option.get("optimizer__initial_accumulator_value") == 0:
        others = ("l2_regularization_strength", "beta")
        if option.get("optimizer__learning_rate_power") != 0 and not any(option.get(f"optimizer__{o}") for o in others):
            accepted = f"a number above 0, unless {' or '.join(others)} is: else words that do not occur divide 0 by 0"
            raise SpecError(f"{where}.initial_accumulator_value", 0, accepted)


def _check_rate(option: Option, where: str) -> None:
    """A schedule of nothing but zeros, however long the training."""
    match option["learning_rate"]:
        case "PiecewiseConstantDecay":
            values, named = option["learning_rate__values"], "values"
        case "CosineDecay":
            # Without a target there is no warm-up.
            named = "initial_learning_rate"
            values = [option[f"learning_rate__{named}"], option.get("learning_rate__warmup_target") or 0]
        case "PolynomialDecay":
            named, end = "initial_learning_rate", SCHEDULES["PolynomialDecay"].optional["end_learning_rate"][1]
            values = [option[f"learning_rate__{named}"], option.get("learning_rate__end_learning_rate", end)]
        case _:
            return
    if all(value == 0 for value in values):
        accepted = "a learning rate above 0 at some step: with this schedule it is 0 all through the training"
        raise SpecError(f"{where}.{named}", option[f"learning_rate__{named}"], accepted)


def _shown(value: Any) -> Any:
    return {"low": value.low, "high": value.high} if isinstance(value, Distribution) else value


def check_strategy(choice: Choice, named: Mapping[str, Any], *, combinations: int, epochs: int, rows: int) -> None:
    """Raises SpecError for an option that somebody named and with which a strategy would not do what it is for.

    `named`: the options as the spec has them; `combinations`: as many as there can be; `epochs`: of one that has the
    most; `rows`: in use.
    """
    options = choice.options
    if choice.name in ("halving", "hyperband"):
        over_rows = options.get("over") == "rows"
        most, unit = (rows, "rows in use") if over_rows else (epochs, "epochs of a combination")
        _check_rungs(choice, named, most, unit, combinations, counts_least=not over_rows or "least" in named)
    elif choice.name == "racing" and options["between"] == "epochs" and epochs < 3:
        accepted = f'"folds", or 3 epochs at least: with {epochs} there is no point at which one could be dropped'
        raise SpecError("strategy.between", options["between"], accepted)
    elif choice.name == "bayes":
        assert choice.count is not None
        if named.get("first", 0) > choice.count:
            raise SpecError("strategy.first", named["first"], f"at most {choice.count}, the combinations in all")
        if choice.count > 1 and named.get("lag", 0) >= choice.count:
            accepted = f"at most {choice.count - 1}: else none of {choice.count} combinations is chosen by any score"
            raise SpecError("strategy.lag", named["lag"], accepted)


def _check_rungs(
    choice: Choice, named: Mapping[str, Any], most: int, unit: str, combinations: int, *, counts_least: bool
) -> None:
    """Successive halving drops nothing without a rung below the most that a combination gets."""
    least, factor = choice.options["least"] or 1, choice.options["factor"]
    if counts_least and most / least < factor and "least" in named and named["least"] is not None:
        below = max(1, math.floor(most / factor))
        accepted = f"at most {below}: {most} {unit} by factor {factor:g}, or there is no rung and nothing is dropped"
        raise SpecError("strategy.least", least, accepted)
    bounds = {f"{most} {unit}": most / least} if counts_least else {}
    if choice.name == "halving":
        bounds[f"{combinations} combinations"] = combinations
    what, bound = min(bounds.items(), key=lambda entry: entry[1])
    if "factor" in named and bound < factor:
        accepted = f"at most {bound:g} with {what}, or there is no rung and nothing is dropped"
        raise SpecError("strategy.factor", factor, accepted)
