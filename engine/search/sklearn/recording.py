"""A script's fits as events: what is recorded of each, from its announcement to its score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.plan.workload import SCRIPT
from engine.search.sklearn.scores import are_exact, recorded
from engine.session import events
from engine.session.segments import Curve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.search.recorder import Recorder
    from engine.search.sklearn.fits import ScriptFit
    from engine.search.sklearn.task_results import TaskResult
    from engine.workers import messages

_LONGEST_ERROR = 500


class FitRecorder:
    """Records the fits of one search; `scoring`: names of its scores, the one that ranks first."""

    def __init__(self, record: Recorder, scoring: list[str], clock: Callable[[], float]) -> None:
        self._record, self._scoring, self._clock = record, scoring, clock
        self._curves: dict[int, Curve] = {}  # of trainings that run

    def announce(self, fits: Sequence[ScriptFit], known: int) -> None:
        """The combinations of these fits, but for the `known` first ones of the search."""
        new: dict[int, dict[str, Any]] = {}
        for fit in fits:
            if fit.combination >= known:
                new.setdefault(fit.combination, fit.params)
        if new:
            planned = [
                events.PlannedCombination(index=index, params=new[index], trainer=SCRIPT) for index in sorted(new)
            ]
            self._record.emit(events.CombinationsAdded(time=self._clock(), combinations=planned))

    def begun(self, fit: ScriptFit, training: int, worker: int) -> None:
        """A worker began a fit."""
        self._curves.pop(training, None)  # of an attempt before
        self._record.emit(
            events.TrainingStarted(
                time=self._clock(),
                training=training,
                worker=worker,
                fold=fit.split,
                fits=[events.ServedFit(fit.combination, 1)],
                epochs=1,
                steps_per_epoch=1,
                cost=0.0,
                trainer=SCRIPT,
                seed=0,
            )
        )

    def epoch_ended(self, message: messages.TaskEpoch) -> None:
        """An epoch of a Keras model inside of a fit ended."""
        curve = self._curves.get(message.task)
        if curve is None:
            curve = self._curves[message.task] = Curve(
                training=message.task,
                loss=[],
                validation_loss=[],
                validation_score=[],
                learning_rate=[],
                planned_rates=message.planned_rates,
            )
        curve.loss.append(message.loss)
        curve.validation_loss.append(message.validation_loss)
        curve.validation_score.append(message.validation_score)
        curve.learning_rate.append(message.learning_rate)
        self._record.emit(
            events.EpochEnded(
                time=self._clock(),
                training=message.task,
                epoch=message.epoch,
                loss=message.loss,
                validation_loss=message.validation_loss,
                validation_score=message.validation_score,
                learning_rate=message.learning_rate,
                epochs=message.epochs,
                planned_rates=message.planned_rates,
            )
        )

    def returned(self, fit: ScriptFit, training: int, result: TaskResult) -> None:
        """A fit returned: with scores, or, where its estimator raised and the script tolerates it, with an error."""
        value, curve = result.value, self._curves.pop(training, None)
        error = value.get("fit_error")
        if error is not None:
            lines = str(error).strip().splitlines() or ["it raised"]
            self.failed(fit, training, lines[-1], str(error))
            return
        scores, train_scores = value["test_scores"], value.get("train_scores")
        is_exact = are_exact(fit, scores) and (train_scores is None or are_exact(fit, train_scores))
        self._record.emit(
            events.FitScored(
                time=self._clock(),
                combination=fit.combination,
                fold=fit.split,
                training=training,
                epochs=max(1, len(curve.loss)) if curve else 1,
                scores=recorded(scores, self._scoring),
                seconds=max(0.0, float(value.get("fit_time", 0.0))),
                curve=self._record.journal.append_curve(curve) if curve else None,
                digest=fit.digest if is_exact else "",
                train_scores=recorded(train_scores, self._scoring) if train_scores is not None else {},
                score_seconds=max(0.0, float(value.get("score_time", 0.0))),
                rows=int(value.get("n_test_samples", 0)),
            )
        )

    def taken_over(self, fit: ScriptFit, session: str, score: events.FitScored) -> None:
        """A fit has the scores that an earlier run of the script recorded in a session."""
        self._record.emit(
            events.FitScored(
                time=self._clock(),
                combination=fit.combination,
                fold=fit.split,
                training=score.training,
                epochs=score.epochs,
                scores=score.scores,
                seconds=score.seconds,
                taken_from=session,
                digest=fit.digest,
                train_scores=score.train_scores,
                score_seconds=score.score_seconds,
                rows=score.rows,
            )
        )

    def failed(self, fit: ScriptFit, training: int, error: str, traceback: str) -> None:
        """A fit ended without a score."""
        self._curves.pop(training, None)
        self._record.emit(
            events.FitFailed(
                time=self._clock(),
                combination=fit.combination,
                fold=fit.split,
                training=training,
                error=error[:_LONGEST_ERROR],
                traceback=traceback,
            )
        )

    def retried(self, fit: ScriptFit, training: int, reason: str) -> None:
        """A fit will run once more."""
        self._curves.pop(training, None)
        self._record.emit(
            events.FitRetried(
                time=self._clock(), combination=fit.combination, fold=fit.split, training=training, reason=reason
            )
        )
