"""How far a combination has come, for strategies that wait for a whole round and drop what cannot be complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.session.combination import FitStatus

if TYPE_CHECKING:
    from engine.session.combination import CombinationState

_WITHOUT_SCORES = (FitStatus.FAILED, FitStatus.DIVERGED)


def has_reached(combination: CombinationState, epochs: int) -> bool:
    """Whether every fold is scored after so many epochs, or has ended before."""
    rung = combination.rungs.get(epochs, [None] * len(combination.fits))
    return all(score is not None or fit.is_finished for score, fit in zip(rung, combination.fits, strict=True))


def unfit(combination: CombinationState) -> str:
    """Why a combination cannot be complete; empty if it can."""
    ended = (f"{fit} on fold {fold}" for fold, fit in enumerate(combination.fits) if fit in _WITHOUT_SCORES)
    return next(ended, "")
