"""The learning rate that a combination's schedule plans for every step, thinned to what a screen can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.spec.resolved import resolved_params_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_POINTS = 600


@dataclass(frozen=True, slots=True)
class PlannedRates:
    """Rates at some steps, the first and the last among them; steps count from 0."""

    steps: list[int]
    rates: list[float]
    steps_per_epoch: int
    epochs: int


def rates_by_epoch(rates: list[float]) -> PlannedRates:
    """The plan of a training of which only each epoch's last rate is known: an epoch is one step."""
    return PlannedRates([*range(len(rates))], rates, 1, len(rates))


def planned_rates(params: Mapping[str, Any], steps_per_epoch: int) -> PlannedRates:
    """The schedule of flat parameters over its whole training. Raises KeyError or ValueError for unknown ones."""
    resolved = resolved_params_of(params)
    rates = resolved.rates(steps_per_epoch * resolved.batch_size)
    stride = max(1, len(rates) // _POINTS)
    steps = [*range(0, len(rates), stride)]
    if steps and steps[-1] != len(rates) - 1:
        steps.append(len(rates) - 1)
    return PlannedRates(steps, [rates[step] for step in steps], steps_per_epoch, resolved.epochs)
