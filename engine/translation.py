"""What workers say, as events: the engine adds the time, and which combinations a training serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from engine import events, messages
from engine.journal import Curve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.plan import Training
    from engine.takeover import KnownFit


@dataclass
class Work:
    """A training that a worker holds: the fits it is to serve, its epochs so far, and when it has taken too long."""

    training: Training
    fits: list[events.ServedFit]
    deadline: float = inf  # by the monotonic clock
    curve: Curve = field(init=False)

    def __post_init__(self) -> None:
        number = self.training.number
        self.curve = Curve(training=number, loss=[], validation_loss=[], validation_score=[], learning_rate=[])

    @property
    def stops(self) -> list[int]:
        """After how many epochs something is scored, ascending."""
        return sorted({fit.epochs for fit in self.fits})


def training_started(work: Work, worker: int, begun: messages.Begun, now: float) -> events.TrainingStarted:
    """A training began."""
    training = work.training
    return events.TrainingStarted(
        time=now,
        training=training.number,
        worker=worker,
        fold=training.fold,
        fits=work.fits,
        epochs=work.stops[-1],
        steps_per_epoch=begun.steps_per_epoch,
        cost=training.cost,
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
    work: Work, scored: messages.Scored, place: events.CurvePlace, now: float
) -> Iterator[events.FitScored]:
    """The fits that end where a training was scored."""
    for fit in work.fits:
        if fit.epochs == scored.epochs:
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
            )


def fit_taken_over(
    training: Training, fit: events.ServedFit, known: KnownFit, place: events.CurvePlace | None, now: float
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
        taken_from=known.session,
    )


def refit_event(said: messages.RefitEpoch | messages.RefitFailed, now: float) -> events.Event:
    """How a refit goes."""
    if isinstance(said, messages.RefitEpoch):
        return events.RefitEpochEnded(
            time=now, combination=said.combination, epoch=said.epoch, epochs=said.epochs, loss=said.loss
        )
    return events.SaveFailed(
        time=now, combination=said.combination, path=said.path, error=said.error, traceback=said.traceback
    )


def model_saved(saved: messages.Saved, now: float) -> tuple[events.ModelSaved, events.TestScored]:
    """A model was saved and scored."""
    return (
        events.ModelSaved(time=now, combination=saved.combination, path=saved.path, sha256=saved.sha256),
        events.TestScored(time=now, combination=saved.combination, scores=saved.test_scores, rows=saved.test_rows),
    )
