"""One combination of a search: its fits, a record for each fold, and its scores."""

from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass
from typing import Any

import msgspec

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
        """Nothing more will happen to it unless a user requests it."""
        return self in (FitStatus.SCORED, FitStatus.DIVERGED, FitStatus.FAILED)


# A long replay uses them a million times, and each access through the class is a call in Python 3.11.
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
        """Nothing more will happen to it unless a user requests it."""
        return self in (
            CombinationStatus.COMPLETE,
            CombinationStatus.DIVERGED,
            CombinationStatus.FAILED,
            CombinationStatus.DROPPED,
        )


class RungRecord(msgspec.Struct, frozen=True, gc=False):
    """A fit on its way, after fewer epochs than its own, where a strategy wanted its score there.

    `score` is that of the first metric, None where it is not defined; `curve` and `predictions` are None if they were
    not kept.
    """

    epochs: int
    score: float | None
    curve: events.CurvePlace | None = None
    predictions: events.PredictionsPlace | None = None


class FitRecord(msgspec.Struct, frozen=True, gc=False):
    """One combination on one fold: where the fit stands and what it brought.

    It is replaced whole when something happens to the fit (`engine.session.rules`), so that all fits that wait share
    one record. `scores`: a score for each metric of the search, in their order, None where it is not defined; empty
    until the fit has ended with scores (`CombinationState.scores_of` reads them by name). `train_scores`: likewise, on
    the fit's own training rows, where a script asked for them. `seconds`, `score_seconds`,
    `curve`, `predictions`, `taken_from`, `stopped_at` and `stopped_score` are those of `events.FitScored`; `seconds` is
    there from the first rung on. `rungs`: in the order in which they were scored. `error` is None until the fit fails.
    `older_revision`: the revision of the training's rules that scored it, where that is not today's.
    """

    status: FitStatus = FitStatus.WAITING
    scores: tuple[float | None, ...] = ()
    train_scores: tuple[float | None, ...] = ()
    seconds: float | None = None
    score_seconds: float | None = None
    curve: events.CurvePlace | None = None
    predictions: events.PredictionsPlace | None = None
    taken_from: str = ""
    stopped_at: int | None = None
    stopped_score: float | None = None
    rungs: tuple[RungRecord, ...] = ()
    error: str | None = None
    traceback: str = ""
    older_revision: int | None = None

    def rung(self, epochs: int) -> RungRecord | None:
        """The rung after that many epochs; None if the fit was not scored there."""
        return next((rung for rung in self.rungs if rung.epochs == epochs), None)

    @property
    def epochs_behind(self) -> int:
        """Epochs of the highest rung that the fit has a score of; 0 if there is none."""
        return max((rung.epochs for rung in self.rungs if rung.score is not None), default=0)


NOTHING_YET = FitRecord()  # of each fit that waits and has never run


@dataclass(slots=True)
class CombinationState:
    """One combination: its parameters, and a record for each fold in `fits`.

    `metrics`: names of the search's metrics, whose order the scores of each fit have.
    """

    index: int
    params: dict[str, Any]
    trainer: str
    trainer_reason: str
    same_as: int | None
    metrics: list[str]
    fits: list[FitRecord]
    stage: int = 0
    epochs_allowed: int | None = None
    folds_allowed: int | None = None
    dropped: str = ""
    evidence: str = ""

    @property
    def status(self) -> CombinationStatus:
        """All folds together; a dropped combination is dropped unless it was complete before."""
        statuses = self.statuses
        if statuses.count(SCORED) == len(statuses):
            return CombinationStatus.COMPLETE
        if self.dropped:
            return CombinationStatus.DROPPED
        if RUNNING in statuses:
            return CombinationStatus.RUNNING
        if WAITING in statuses:
            begun = any(fit.rungs or fit.status.is_finished for fit in self.fits)
            return CombinationStatus.PARTIAL if begun else CombinationStatus.WAITING
        return CombinationStatus.FAILED if FAILED in statuses else CombinationStatus.DIVERGED

    @property
    def is_complete(self) -> bool:
        """Every fold is scored."""
        return self.statuses.count(SCORED) == len(self.fits)

    @property
    def statuses(self) -> list[FitStatus]:
        """Where the fit on each fold stands."""
        return [fit.status for fit in self.fits]

    @property
    def predictions(self) -> list[events.PredictionsPlace | None]:
        """Where each fold's predictions lie; None where there are none."""
        return [fit.predictions for fit in self.fits]

    @property
    def stopped_at(self) -> list[int | None]:
        """The epoch on each fold after which patience had run out; None where it had not."""
        return [fit.stopped_at for fit in self.fits]

    @property
    def stopped_scores(self) -> list[float | None]:
        """The first metric's score at `stopped_at` on each fold that went on from there; None on the others."""
        return [fit.stopped_score for fit in self.fits]

    def score(self, metric: str, fold: int) -> float | None:
        """The metric's score on one fold, None if there is none. Raises ValueError for an unknown metric."""
        scores = self.fits[fold].scores
        return scores[self.metrics.index(metric)] if scores else None

    def scores_of(self, metric: str) -> list[float | None]:
        """The metric's score on each fold, None where there is none. Raises ValueError for an unknown metric."""
        place = self.metrics.index(metric)
        return [fit.scores[place] if fit.scores else None for fit in self.fits]

    def train_scores_of(self, metric: str) -> list[float | None]:
        """The metric's score on each fold's training rows, None where there is none, as of every spec's search."""
        place = self.metrics.index(metric)
        return [fit.train_scores[place] if fit.train_scores else None for fit in self.fits]

    @property
    def has_train_scores(self) -> bool:
        """Whether any fold was scored on its training rows too."""
        return any(fit.train_scores for fit in self.fits)

    @property
    def rung_epochs(self) -> list[int]:
        """Epochs after which any fold was scored on its way to more, ascending."""
        return sorted({rung.epochs for fit in self.fits for rung in fit.rungs})

    def rung_scores(self, epochs: int) -> list[float | None]:
        """The first metric's score on each fold after that many epochs of more; None where there is none."""
        return [rung.score if (rung := fit.rung(epochs)) is not None else None for fit in self.fits]

    def rung_predictions(self, epochs: int) -> list[events.PredictionsPlace | None]:
        """Where each fold's predictions after that many epochs of more lie; None where there are none."""
        return [rung.predictions if (rung := fit.rung(epochs)) is not None else None for fit in self.fits]

    def mean(self, metric: str) -> tuple[float, float]:
        """Mean and standard deviation over the folds; (nan, nan) unless it is complete and the metric known on each."""
        scores = self.scores_of(metric)
        if None in scores or not self.is_complete:
            return math.nan, math.nan
        return _mean_of_known(scores)

    def mean_so_far(self, metric: str) -> tuple[float, float]:
        """Mean and standard deviation over the folds scored so far; (nan, nan) if there are none.

        It is not to be compared with a mean over other folds.
        """
        return _mean_of_known(self.scores_of(metric))

    @property
    def total_seconds(self) -> float:
        """Training time of its folds so far."""
        return math.fsum(fit.seconds for fit in self.fits if fit.seconds is not None)


def _mean_of_known(scores: list[float | None]) -> tuple[float, float]:
    return mean_and_deviation([score for score in scores if score is not None])


def mean_in_words(combination: CombinationState, metric: str) -> str:
    """`0.8045 ± 0.0032`; empty unless it is complete; "undefined" where a fold does not define the metric."""
    mean, deviation = combination.mean(metric)
    if math.isnan(mean):
        return "undefined" if combination.is_complete else ""
    return f"{mean:.4f} ± {deviation:.4f}"
