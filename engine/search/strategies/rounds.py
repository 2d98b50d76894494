"""How far combinations have come, for strategies that decide round by round."""

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


def why_incomplete(combination: CombinationState) -> str:
    """Why a combination can never be complete, in words; empty if it can."""
    ended = (f"{fit} on fold {fold}" for fold, fit in enumerate(combination.fits) if fit in _WITHOUT_SCORES)
    return next(ended, "")
