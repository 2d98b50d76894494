"""What the plots draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.spec.rate_curve import PlannedRates


@dataclass(frozen=True, slots=True)
class FoldCurve:
    """A fold's epochs; None where a number was not finite."""

    fold: int
    loss: Sequence[float | None]
    validation_loss: Sequence[float | None]
    validation_score: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class RateLine:
    """One combination: its plan, and the rate that the last step of each epoch really used, from epoch 1 on.

    `planned` is None of a script's search: `by_epoch` is then what its optimizer plans for the last step of each epoch,
    empty where it has no schedule.
    """

    combination: int
    planned: PlannedRates | None
    used: list[float] = field(default_factory=list)
    by_epoch: list[float] = field(default_factory=list)

    def plan_points(self, *, in_steps: bool) -> tuple[list[float], list[float]]:
        """The plan by epochs or steps; what is planned by epochs stays in epochs."""
        if self.planned is None:
            return _epochs(self.by_epoch), self.by_epoch
        unit = 1 if in_steps else self.planned.steps_per_epoch
        return [step / unit for step in self.planned.steps], self.planned.rates

    def used_points(self, *, in_steps: bool) -> tuple[list[float], list[float]]:
        """What was used; the first step's rate is the plan's, each epoch's last step is what was reported."""
        if self.planned is None or not self.used:
            return _epochs(self.used), self.used
        steps = self.planned.steps_per_epoch
        unit = 1 if in_steps else steps
        x = [0.0, *(((epoch + 1) * steps - 1) / unit for epoch in range(len(self.used)))]
        return x, [self.planned.rates[0], *self.used]

    def end(self, *, in_steps: bool) -> float:
        """Where the axis ends."""
        if self.planned is None:
            return float(max(len(self.by_epoch), len(self.used)))
        return (self.planned.steps[-1] + 1) / (1 if in_steps else self.planned.steps_per_epoch)


def _epochs(rates: list[float]) -> list[float]:
    """The ends of as many epochs."""
    return [float(epoch) for epoch in range(1, len(rates) + 1)]
