"""The learning rate of every step: Keras' six schedules as plain numbers, in steps or in epochs.

The formulas are those of keras.optimizers.schedules; step 0 is the first batch. Keras computes in float32: where
rounding decides a branch (restarts), this does too; elsewhere it agrees to float32 rounding.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

from engine.spec.catalogue import SCHEDULES, WHOLE_TRAINING

Rate = Callable[[int], float]
_LARGEST_FLOAT32 = 2.0**128 - 2.0**104


def _float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _exponential(a: Mapping[str, Any]) -> Rate:
    """initial x decay_rate ^ (step / decay_steps); the exponent in whole numbers if staircase."""
    # A power multiplies the rounding of its base, so the base is rounded as in Keras.
    decay_rate = _float32(a["decay_rate"])

    def rate(step: int) -> float:
        exponent = step // a["decay_steps"] if a["staircase"] else step / a["decay_steps"]
        return float(a["initial_learning_rate"] * decay_rate**exponent)

    return rate


def _piecewise_constant(a: Mapping[str, Any]) -> Rate:
    """values[i] for the first boundary i that is not below the step, the last value beyond all of them."""

    def rate(step: int) -> float:
        passed = sum(step > boundary for boundary in a["boundaries"])
        return float(a["values"][passed])

    return rate


def _polynomial(a: Mapping[str, Any]) -> Rate:
    """(initial - end) x (1 - step / decay_steps) ^ power + end; if cycle, decay_steps grows to the next multiple."""
    initial, end = a["initial_learning_rate"], a["end_learning_rate"]

    def rate(step: int) -> float:
        decay_steps = a["decay_steps"]
        if a["cycle"]:
            decay_steps *= max(1, math.ceil(step / decay_steps))
        done = min(step, decay_steps) / decay_steps
        return float((initial - end) * (1 - done) ** a["power"] + end)

    return rate


def _inverse_time(a: Mapping[str, Any]) -> Rate:
    """initial / (1 + decay_rate x step / decay_steps); the quotient in whole numbers if staircase."""

    def rate(step: int) -> float:
        done = step // a["decay_steps"] if a["staircase"] else step / a["decay_steps"]
        return float(a["initial_learning_rate"] / (1 + a["decay_rate"] * done))

    return rate


def _cosine(a: Mapping[str, Any]) -> Rate:
    """Linear warm-up from initial to target, then a half cosine down to alpha x target (SGDR, Loshchilov 2017)."""
    initial, target, alpha = a["initial_learning_rate"], a["warmup_target"], a["alpha"]
    # Without a target Keras skips the warm-up, whatever warmup_steps says.
    warmup_steps, top = (0, initial) if target is None else (a["warmup_steps"], target)

    def rate(step: int) -> float:
        if step < warmup_steps:
            return float(initial + (target - initial) * step / warmup_steps)
        done = min(step - warmup_steps, a["decay_steps"]) / a["decay_steps"]
        return float(top * ((1 - alpha) * 0.5 * (1 + math.cos(math.pi * done)) + alpha))

    return rate


def _cosine_restarts(a: Mapping[str, Any]) -> Rate:
    """Half cosines, each t_mul times as long and m_mul times as high as the one before (SGDR, Loshchilov 2017)."""
    t_mul, m_mul, alpha = a["t_mul"], a["m_mul"], a["alpha"]

    def rate(step: int) -> float:
        done = step / a["first_decay_steps"]
        if t_mul == 1:
            restarts = math.floor(done)
            done -= restarts
        else:
            # Which period a step at a restart belongs to is decided by rounding: as Keras, in float32.
            grown = _float32(1 - _float32(_float32(done) * _float32(1 - t_mul)))
            restarts = math.floor(_float32(_float32(math.log(grown)) / _float32(math.log(t_mul))))
            done = (done - (1 - t_mul**restarts) / (1 - t_mul)) / t_mul**restarts
        cosine = 0.5 * m_mul**restarts * (1 + math.cos(math.pi * done))
        return float(a["initial_learning_rate"] * ((1 - alpha) * cosine + alpha))

    return rate


_RATES: dict[str, Callable[[Mapping[str, Any]], Rate]] = {
    "ExponentialDecay": _exponential,
    "PiecewiseConstantDecay": _piecewise_constant,
    "PolynomialDecay": _polynomial,
    "InverseTimeDecay": _inverse_time,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _cosine_restarts,
}


def rate_of(schedule: str, arguments: Mapping[str, Any]) -> Rate:
    """The rate of any step of a schedule with Keras' own arguments, those in steps resolved.

    Where a schedule that grows leaves float32, it is infinite in Keras and float32's largest number here, which can be
    written down: a training diverges with either.
    """
    defaults = {name: default for name, (_, default) in SCHEDULES[schedule].optional.items()}
    unbounded = _RATES[schedule]({**defaults, **arguments})

    def rate(step: int) -> float:
        try:
            return min(unbounded(step), _LARGEST_FLOAT32)
        except OverflowError:
            return _LARGEST_FLOAT32

    return rate


def learning_rates(schedule: str, arguments: Mapping[str, Any], steps: int) -> list[float]:
    """The rates of steps 0 to `steps` - 1, as `rate_of` gives them."""
    rate = rate_of(schedule, arguments)
    return [rate(step) for step in range(steps)]


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Batches in an epoch, the last one partial: 50,000 rows at 64 are 782."""
    return -(-rows // batch_size)


def in_steps(schedule: str, arguments: Mapping[str, Any], epoch_steps: int, epochs: int) -> dict[str, Any]:
    """The arguments as Keras takes them: those in epochs turned into whole steps, at least one.

    What changes after e epochs changes at the first step of the next, number round(`epoch_steps` x e).
    `epoch_steps`: steps in an epoch; "all" stretches to the end of a training of `epochs` epochs, after its warm-up.
    """
    resolved = dict(arguments)
    # Warm-up first: a decay over the whole training begins after it.
    for in_steps_name, in_epochs_name in sorted(SCHEDULES[schedule].in_epochs.items(), reverse=True):
        if in_epochs_name not in resolved:
            continue
        value = resolved.pop(in_epochs_name)
        if value == WHOLE_TRAINING:
            # Without a target Keras has no warm-up.
            warmup_steps = resolved.get("warmup_steps", 0) if resolved.get("warmup_target") is not None else 0
            resolved[in_steps_name] = max(1, epoch_steps * epochs - warmup_steps)
        elif isinstance(value, list | tuple):
            # Keras' boundary is the last step of the value before it, not the first of the next.
            resolved[in_steps_name] = [max(0, round(epoch_steps * item) - 1) for item in value]
        else:
            resolved[in_steps_name] = max(1, round(epoch_steps * value))
    return resolved


def depends_on_epochs(arguments: Mapping[str, Any]) -> bool:
    """Whether the schedule changes when only the number of epochs does: one of its arguments is "all"."""
    return WHOLE_TRAINING in (value for value in arguments.values() if isinstance(value, str))
