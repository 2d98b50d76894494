"""The messages of workers as events: the engine adds the time, and which combinations a training serves."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from engine.session import events
from engine.session.segments import Curve
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.plan.plan import Training
    from engine.search.reuse import KnownFit


@dataclass(frozen=True)
class Refit:
    """A model that somebody wants to be saved: of which combination (-1: none can be), where, and by which request."""

    combination: int
    path: str
    request: str


@dataclass
class Work:
    """A training that a worker holds: the fits it is to serve, its epochs so far, and when it has taken too long.

    `has_begun`: the worker has reported that it trains.
    """

    training: Training
    fits: list[events.ServedFit]
    kill_at: float = inf  # by the monotonic clock
    has_begun: bool = False

    def __post_init__(self) -> None:
        self.curve = Curve(
            training=self.training.number, loss=[], validation_loss=[], validation_score=[], learning_rate=[]
        )

    @property
    def stops(self) -> list[int]:
        """After how many epochs something is scored, ascending."""
        return sorted({fit.epochs for fit in self.fits})


def training_started(work: Work, worker: int, begun: messages.Begun, now: float) -> events.TrainingStarted:
    """A training began, or goes on."""
    training, share = work.training, begun.step / begun.steps_per_epoch
    return events.TrainingStarted(
        time=now,
        training=training.number,
        worker=worker,
        fold=training.fold,
        fits=work.fits,
        epochs=work.stops[-1],
        start=begun.start,
        start_step=begun.step,
        steps_per_epoch=begun.steps_per_epoch,
        cost=training.cost * (work.stops[-1] - begun.start - share) / training.epochs,
        trainer=training.trainer,
        seed=begun.seed,
    )


def epoch_ended(work: Work, done: messages.EpochDone, now: float) -> events.EpochEnded:
    """An epoch ended; it is added to the work's curve."""
    curve = work.curve
    curve.loss.append(done.loss)
    curve.validation_loss.append(done.validation_loss)
    curve.validation_score.append(done.validation_score)
    curve.learning_rate.append(done.learning_rate)
    return events.EpochEnded(
        time=now,
        training=done.training,
        epoch=done.epoch,
        loss=done.loss,
        validation_loss=done.validation_loss,
        validation_score=done.validation_score,
        learning_rate=done.learning_rate,
        diverged=done.diverged,
    )


def fits_scored(
    work: Work,
    scored: messages.Scored,
    place: events.CurvePlace,
    predictions: events.PredictionsPlace | None,
    now: float,
) -> Iterator[events.FitScored | events.RungScored]:
    """The fits that end where a training was scored, or that are on a rung there; one that diverged has ended."""
    for fit in work.fits:
        if fit.epochs != scored.epochs:
            continue
        if is_rung(work.training, fit) and not scored.diverged:
            yield events.RungScored(
                time=now,
                combination=fit.combination,
                fold=work.training.fold,
                training=scored.training,
                epochs=fit.epochs,
                scores=scored.scores,
                seconds=scored.seconds,
                curve=place,
                predictions=predictions,
            )
        else:
            yield events.FitScored(
                time=now,
                combination=fit.combination,
                fold=work.training.fold,
                training=scored.training,
                epochs=fit.epochs,
                scores=scored.scores,
                seconds=scored.seconds,
                diverged=scored.diverged,
                curve=place,
                predictions=predictions,
                stopped_at=scored.stopped_at,
                stopped_score=scored.stopped_score,
                score_seconds=scored.score_seconds,
            )


def is_rung(training: Training, fit: events.ServedFit) -> bool:
    """Whether a fit is to be scored on its way only, after fewer epochs than its own."""
    return any(fit.combination == own.combination and fit.epochs < own.epochs for own in training.fits)


def known_curve(training: Training, fit: events.ServedFit, known: KnownFit) -> Curve | None:
    """The curve of a known fit, up to where it is wanted; None if it is not there, or has no score there."""
    curve = known.curve
    if curve is None or not is_rung(training, fit):
        return curve
    reached = curve.up_to(fit.epochs)
    return reached if len(reached.validation_score) == fit.epochs and reached.validation_score[-1] is not None else None


def rung_reused(
    training: Training, fit: events.ServedFit, curve: Curve, place: events.CurvePlace, metric: str, now: float
) -> events.RungScored:
    """A rung of a fit that another session has scored: its curve has the first metric of every epoch."""
    return events.RungScored(
        time=now,
        combination=fit.combination,
        fold=training.fold,
        training=training.number,
        epochs=fit.epochs,
        scores={metric: curve.validation_score[-1]},
        seconds=0.0,
        curve=place,
    )


def fit_reused(
    training: Training,
    fit: events.ServedFit,
    known: KnownFit,
    place: events.CurvePlace | None,
    predictions: events.PredictionsPlace | None,
    now: float,
) -> events.FitScored:
    """A fit that another session has scored."""
    return events.FitScored(
        time=now,
        combination=fit.combination,
        fold=training.fold,
        training=training.number,
        epochs=fit.epochs,
        scores=known.scores,
        seconds=known.seconds,
        diverged=known.diverged,
        curve=place,
        predictions=predictions,
        taken_from=known.session.id,
        stopped_at=known.stopped_at,
        stopped_score=known.stopped_score,
        score_seconds=known.score_seconds,
    )


def refit_epoch_ended(refit: Refit, done: messages.RefitEpoch, now: float) -> events.RefitEpochEnded:
    """An epoch of a refit ended."""
    return events.RefitEpochEnded(
        time=now,
        combination=refit.combination,
        epoch=done.epoch,
        epochs=done.epochs,
        loss=done.loss,
        path=refit.path,
        request=refit.request,
    )


def model_saved(refit: Refit, saved: messages.Saved, now: float) -> tuple[events.ModelSaved, events.TestScored]:
    """A model was saved and scored."""
    return (
        events.ModelSaved(
            time=now, combination=refit.combination, path=refit.path, sha256=saved.sha256, request=refit.request
        ),
        events.TestScored(
            time=now,
            combination=refit.combination,
            scores=saved.test_scores,
            rows=saved.test_rows,
            request=refit.request,
        ),
    )


def save_failed(refit: Refit, error: str, exit_code: int, now: float, traceback: str = "") -> events.SaveFailed:
    """No model was saved."""
    return events.SaveFailed(
        time=now,
        combination=refit.combination,
        path=refit.path,
        error=error,
        traceback=traceback,
        request=refit.request,
        exit_code=exit_code,
    )
