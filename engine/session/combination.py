"""One combination of a search: its fits and its scores."""

from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass, field
from typing import Any

from engine.session import events
from engine.session.ranking import mean_and_deviation


class FitStatus(enum.StrEnum):
    """Where a fit stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SCORED = "scored"
    DIVERGED = "diverged"
    FAILED = "failed"

    @functools.cached_property
    def is_finished(self) -> bool:
        """Nothing more will happen to it unless somebody asks."""
        return self in (FitStatus.SCORED, FitStatus.DIVERGED, FitStatus.FAILED)


# A long replay looks at them a million times, and each look into the class is a call in Python 3.11.
WAITING, RUNNING, SCORED, DIVERGED, FAILED = FitStatus


class CombinationStatus(enum.StrEnum):
    """Where a combination stands, all folds together."""

    WAITING = "waiting"
    RUNNING = "running"
    PARTIAL = "partial"  # some folds are done, none is running
    COMPLETE = "complete"
    DIVERGED = "diverged"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to it unless somebody asks."""
        return self in (
            CombinationStatus.COMPLETE,
            CombinationStatus.DIVERGED,
            CombinationStatus.FAILED,
            CombinationStatus.DROPPED,
        )


@dataclass(slots=True)
class CombinationState:
    """One combination: parameters and what each fold brought.

    `scores[metric][fold]`, `seconds[fold]` and `fits[fold]`; a missing score is None, as are lost curves, predictions.
    `score_seconds[fold]`: None in sessions that did not measure it.
    `stopped_at[fold]`, `stopped_scores[fold]`: as in `events.FitScored`.
    `rungs[epochs][fold]`: the first metric on the way, after fewer epochs than its own, where a strategy wanted it;
    `rung_predictions[epochs][fold]`: of those; `rung_curves[fold]`: of the latest rung.
    """

    index: int
    params: dict[str, Any]
    trainer: str
    trainer_reason: str
    same_as: int | None
    fits: list[FitStatus]
    scores: dict[str, list[float | None]]
    seconds: list[float | None]
    score_seconds: list[float | None]
    curves: list[events.CurvePlace | None]
    predictions: list[events.PredictionsPlace | None]
    taken_from: list[str]
    stopped_at: list[int | None]
    stopped_scores: list[float | None]
    rung_curves: list[events.CurvePlace | None]
    stage: int = 0
    epochs_allowed: int | None = None
    folds_allowed: int | None = None
    rungs: dict[int, list[float | None]] = field(default_factory=dict)
    rung_predictions: dict[int, list[events.PredictionsPlace | None]] = field(default_factory=dict)
    dropped: str = ""
    evidence: str = ""
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)  # fold -> error, traceback
    older_revisions: dict[int, int] = field(default_factory=dict)  # fold -> revision of the rules, where not today's

    @property
    def status(self) -> CombinationStatus:
        """All folds together; a dropped combination is dropped unless it was complete before."""
        fits = self.fits
        if self.is_complete:
            return CombinationStatus.COMPLETE
        if self.dropped:
            return CombinationStatus.DROPPED
        if RUNNING in fits:
            return CombinationStatus.RUNNING
        if WAITING in fits:
            begun = self.rungs or any(fit.is_finished for fit in fits)
            return CombinationStatus.PARTIAL if begun else CombinationStatus.WAITING
        return CombinationStatus.FAILED if FAILED in fits else CombinationStatus.DIVERGED

    @property
    def is_complete(self) -> bool:
        """Every fold is scored."""
        return self.fits.count(SCORED) == len(self.fits)

    def epochs_behind(self, fold: int) -> int:
        """Epochs of the highest rung that the fold has been scored at; 0 if none."""
        return max((epochs for epochs, scores in self.rungs.items() if scores[fold] is not None), default=0)

    def mean(self, metric: str) -> tuple[float, float]:
        """Mean and standard deviation over the folds; (nan, nan) unless it is complete and the metric known on each."""
        if not self.is_complete or None in self.scores[metric]:
            return math.nan, math.nan
        return self.mean_so_far(metric)

    def mean_so_far(self, metric: str) -> tuple[float, float]:
        """The same over the folds scored so far; (nan, nan) if there are none. Not to be compared with any other."""
        return mean_and_deviation([score for score in self.scores[metric] if score is not None])

    @property
    def total_seconds(self) -> float:
        """Training time of its folds so far."""
        return math.fsum(seconds for seconds in self.seconds if seconds is not None)


def mean_in_words(combination: CombinationState, metric: str) -> str:
    """`0.8045 ± 0.0032`; nothing while the combination is not complete; "undefined" where a fold cannot define it."""
    mean, deviation = combination.mean(metric)
    if math.isnan(mean):
        return "undefined" if combination.is_complete else ""
    return f"{mean:.4f} ± {deviation:.4f}"
