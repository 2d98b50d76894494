"""The learning-rate curves that a spec chooses, over their whole training, and in words what is odd about them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.spec.catalogue import HYPERPARAMETERS
from engine.spec.rate_curve import PlannedRates
from engine.spec.resolved import resolved_params_of
from engine.spec.schedules import depends_on_epochs, in_steps, rate_of, steps_per_epoch
from engine.spec.space import Distribution
from engine.spec.spelling import show_value
from tui.results.parameter_columns import FIRST, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.spec.space import Axis
    from engine.spec.spec import SearchSpec

MOST_CURVES = 12
_POINTS = 600
_ZERO_SHARE = 1e-4  # a rate below this share of its highest trains no more
_EARLY = 0.9
_HARDLY = 0.01


@dataclass(frozen=True, slots=True)
class ScheduleCurve:
    """One schedule as it will be: its values in words, its rates, and what somebody should know before it runs."""

    label: str
    rates: PlannedRates
    remark: str
    is_odd: bool


@dataclass(frozen=True, slots=True)
class ScheduleCurves:
    """The curves of a spec at one batch size; `left_out`: how many more there are."""

    curves: tuple[ScheduleCurve, ...]
    left_out: int
    batch_size: int
    batch_sizes: tuple[int, ...]
    rows: int


def schedule_curves_of(spec: SearchSpec, batch_number: int = 0) -> ScheduleCurves:
    """Every chosen schedule once: over the most epochs, or over each number of epochs if it stretches to them.

    `batch_number` chooses among the batch sizes, which decide how many steps an epoch has.
    """
    sizes = _batch_sizes(spec)
    size = sizes[batch_number % len(sizes)]
    rows = spec.rows - -(-spec.rows // spec.folds)
    chosen: dict[str, tuple[str, dict[str, Any]]] = {}
    for axes in spec.spaces:
        for label, params in _schedules(axes):
            chosen.setdefault(repr(params), (label, {**params, "batch_size": size}))
    curves = []
    for label, params in itertools.islice(chosen.values(), MOST_CURVES):
        rates = sampled_rates(params, steps_per_epoch(rows, size))
        remark, is_odd = remark_on(params, rates)
        curves.append(ScheduleCurve(label, rates, remark, is_odd))
    return ScheduleCurves(tuple(curves), max(0, len(chosen) - MOST_CURVES), size, sizes, rows)


def sampled_rates(params: Mapping[str, Any], epoch_steps: int) -> PlannedRates:
    """The rates at some steps of the whole training: typing redraws them, however long the training is."""
    resolved = resolved_params_of(params)
    last = epoch_steps * resolved.epochs - 1
    stride = max(1, last // _POINTS)
    steps = [*range(0, last, stride), last]
    if resolved.schedule is None:
        assert resolved.learning_rate is not None
        rates = [resolved.learning_rate] * len(steps)
    else:
        arguments = in_steps(resolved.schedule, dict(resolved.schedule_arguments), epoch_steps, resolved.epochs)
        rate = rate_of(resolved.schedule, arguments)
        rates = [rate(step) for step in steps]
    return PlannedRates(steps, rates, epoch_steps, resolved.epochs)


def remark_on(params: Mapping[str, Any], rates: PlannedRates) -> tuple[str, bool]:
    """What the rates do, and whether that is likely a mistake."""
    first, last, highest = rates.rates[0], rates.rates[-1], max(rates.rates)
    if not isinstance(params.get("learning_rate"), str):
        return "constant", False
    change = f"{_rate(first)} → {_rate(last)}"
    lowest = min(rates.rates)
    if highest - lowest <= _HARDLY * highest:
        steps = params.get("learning_rate__decay_steps") or params.get("learning_rate__first_decay_steps")
        why = f"; {steps:,} steps are {_count(steps / rates.steps_per_epoch)} epochs" if steps else ""
        return f"never decays: {change} in {rates.epochs} epochs{why}", True
    end = _zero_from(rates, highest)
    if end is not None and end < _EARLY * rates.epochs:
        return f"reaches zero at epoch {_count(end)} of {rates.epochs}: the remaining epochs learn nothing", True
    still = _still_from(rates)
    if still is not None and still < 0.5 * rates.epochs and last < first:
        return f"{change}, unchanged from epoch {_count(still)} of {rates.epochs} on", False
    return change, False


def _rate(value: float) -> str:
    return f"{value:.3g}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _zero_from(rates: PlannedRates, highest: float) -> float | None:
    """The epoch after which every rate is as good as zero."""
    return _holds_from(rates, lambda rate: rate <= _ZERO_SHARE * highest)


def _still_from(rates: PlannedRates) -> float | None:
    last = rates.rates[-1]
    return _holds_from(rates, lambda rate: rate == last)


def _holds_from(rates: PlannedRates, holds: Any) -> float | None:
    """The epoch from which something holds of every rate to the end; None if it does not hold at the end."""
    found = None
    for step, rate in zip(reversed(rates.steps), reversed(rates.rates), strict=True):
        if not holds(rate):
            break
        found = step / rates.steps_per_epoch
    return found


def _batch_sizes(spec: SearchSpec) -> tuple[int, ...]:
    sizes: dict[int, None] = {}
    for axes in spec.spaces:
        axis = next((axis for axis in axes if axis.name == "batch_size"), None)
        for value in [option["batch_size"] for option in axis.options] if axis else [None]:
            if isinstance(value, Distribution):
                sizes |= {int(value.low): None, int(value.high): None}
            else:
                sizes[value or HYPERPARAMETERS["batch_size"][1]] = None
    return tuple(sizes)


def _schedules(axes: tuple[Axis, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(label, parameters) of the learning rates of one space."""
    by_name = {axis.name: axis for axis in axes}
    epochs = _epochs(by_name.get("epochs"))
    optimizers = [dict(option) for option in by_name["optimizer"].options] if "optimizer" in by_name else [{}]
    if "learning_rate" not in by_name:
        # Without one, each optimizer has its own constant rate.
        for optimizer in optimizers:
            name = {"optimizer": optimizer["optimizer"]} if optimizer else {}
            yield f"{optimizer.get('optimizer', 'default')}'s own rate", {**name, "epochs": max(epochs)}
        return
    for option in by_name["learning_rate"].options:
        for ends, params in _without_distributions(dict(option)):
            stretches = depends_on_epochs(params)
            for count in epochs if stretches else [max(epochs)]:
                over = f" over {count} epochs" if stretches and len(epochs) > 1 else ""
                yield f"{_label(params)}{over}{ends}", {**params, "epochs": count}


def _epochs(axis: Axis | None) -> list[int]:
    values: list[int] = []
    for option in axis.options if axis else ({"epochs": HYPERPARAMETERS["epochs"][1]},):
        value = option["epochs"]
        values += [int(value.low), int(value.high)] if isinstance(value, Distribution) else [value]
    return list(dict.fromkeys(values))


def _without_distributions(option: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The option itself, or its two ends where some of its values are to be drawn."""
    if not any(isinstance(value, Distribution) for value in option.values()):
        return [("", option)]
    return [
        (
            f" ({end} end)",
            {name: getattr(v, end) if isinstance(v, Distribution) else v for name, v in option.items()},
        )
        for end in ("low", "high")
    ]


def _label(params: Mapping[str, Any]) -> str:
    """`Exp 0.1, decay rate 0.8, per epoch`: what tells curves apart comes first, since a narrow pane cuts the end."""
    rate = params["learning_rate"]
    if not isinstance(rate, str):
        return show_value(rate)
    words = []
    per = ("learning_rate__decay_epochs", "learning_rate__decay_steps")
    for name, value in sorted(params.items(), key=lambda pair: (pair[0] in per, not pair[0].endswith(FIRST))):
        argument = name.removeprefix("learning_rate__")
        if argument == "learning_rate":
            continue
        shown = show_value(value)
        if argument in ("decay_epochs", "decay_steps") and isinstance(value, int | float):
            unit = argument.removeprefix("decay_")
            words.append(f"per {unit[:-1] if value == 1 else f'{shown} {unit}'}")
        elif argument == "initial_learning_rate":
            words.append(shown)
        else:
            words.append(f"{argument.replace('_', ' ')} {shown}")
    return f"{SHORT[rate]} {', '.join(words)}"
