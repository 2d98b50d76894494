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
    """One combination: its plan, and the rate that the last step of each epoch really used, from epoch 1 on."""

    combination: int
    planned: PlannedRates
    used: list[float] = field(default_factory=list)
