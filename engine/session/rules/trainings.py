"""Workers and the trainings that they run: how they begin, how far they are, how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.activity import TrainingState, WorkerState
from engine.session.combination import RUNNING, SCORED, WAITING
from engine.session.rules.fits import set_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.search_facts import SearchFacts


def _on_worker_started(facts: SearchFacts, event: events.WorkerStarted) -> None:
    facts.workers[event.worker] = WorkerState(event.worker, event.pid, event.device)


def _on_worker_ended(facts: SearchFacts, event: events.WorkerDied | events.WorkerRecycled) -> None:
    worker = facts.workers.get(event.worker)
    if worker is not None:
        worker.alive = False
        if worker.training is not None:
            release(facts, worker.training)


def _on_training_started(facts: SearchFacts, event: events.TrainingStarted) -> None:
    for fit in event.fits:
        set_status(facts, fit.combination, event.fold, RUNNING)
    facts.trainings[event.training] = TrainingState(
        event.training,
        event.worker,
        event.fold,
        event.fits,
        event.epochs,
        event.steps_per_epoch,
        event.cost,
        event.trainer,
        event.time,
        first_epoch=event.start,
        epoch=event.start,
    )
    if event.worker in facts.workers:
        worker = facts.workers[event.worker]
        worker.training, worker.has_trained = event.training, True


def _on_epoch_ended(facts: SearchFacts, event: events.EpochEnded) -> None:
    training = facts.trainings.get(event.training)
    if training is None or event.epoch <= training.epoch:
        return
    training.epoch, training.epoch_ended = event.epoch, event.time
    training.epochs = max(event.epochs or training.epochs, event.epoch)
    if event.epochs:  # known only now
        training.fits = [events.ServedFit(fit.combination, training.epochs) for fit in training.fits]
    training.validation_score = event.validation_score
    facts.changed.update(fit.combination for fit in training.fits)


def end_if_served(facts: SearchFacts, number: int, time: float) -> None:
    """The training ends at `time` if none of its fits runs any more."""
    training = facts.trainings.get(number)
    if training is None:
        return
    for fit in training.fits:
        if facts.combinations[fit.combination].fits[training.fold].status is RUNNING:
            return
    _learn(facts, training, max(0.0, time - training.started))
    _forget(facts, training)


def release(facts: SearchFacts, number: int) -> None:
    """The training runs no more; fits it still owed wait again, and the work on them is to be done again."""
    training = facts.trainings.get(number)
    if training is None:
        return
    for fit in training.fits:
        if facts.combinations[fit.combination].fits[training.fold].status is RUNNING:
            set_status(facts, fit.combination, training.fold, WAITING)
    _forget(facts, training)


def _learn(facts: SearchFacts, training: TrainingState, seconds: float) -> None:
    """Note what a training took, if it went to its end: one that diverged or was abandoned is no measure for others."""
    facts.longest_training = max(facts.longest_training, seconds)
    last = training.fits[-1]
    fit = facts.combinations[last.combination].fits[training.fold]
    if fit.status is not SCORED and fit.epochs_behind < last.epochs:
        return
    ended_early = fit.stopped_at is not None and fit.stopped_score is None
    epochs = fit.stopped_at if ended_early and fit.stopped_at else training.epochs
    facts.ended.append((last.combination, epochs - training.first_epoch, seconds))


def _forget(facts: SearchFacts, training: TrainingState) -> None:
    del facts.trainings[training.training]
    worker = facts.workers.get(training.worker)
    if worker is not None and worker.training == training.training:
        worker.training = None


RULES: dict[type[events.Event], Callable[[SearchFacts, Any], None]] = {
    events.WorkerStarted: _on_worker_started,
    events.WorkerDied: _on_worker_ended,
    events.WorkerRecycled: _on_worker_ended,
    events.TrainingStarted: _on_training_started,
    events.EpochEnded: _on_epoch_ended,
}
