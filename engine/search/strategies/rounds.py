"""How far combinations have come, for strategies that decide round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.session.combination import FitStatus

if TYPE_CHECKING:
    from engine.session.combination import CombinationState

_WITHOUT_SCORES = (FitStatus.FAILED, FitStatus.DIVERGED)


def has_reached(combination: CombinationState, epochs: int) -> bool:
    """Whether every fold is scored after so many epochs, or has ended before."""
    scores = combination.rung_scores(epochs)
    return all(score is not None or fit.status.is_finished for score, fit in zip(scores, combination.fits, strict=True))


def why_incomplete(combination: CombinationState) -> str:
    """Why a combination can never be complete, in words; empty if it can."""
    statuses = enumerate(combination.statuses)
    ended = (f"{status} on fold {fold}" for fold, status in statuses if status in _WITHOUT_SCORES)
    return next(ended, "")
