"""One training in a worker: it is trained on a split, scored where the order says, and reported epoch by epoch."""

from __future__ import annotations

import math
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from engine.session.events import finite
from engine.session.predictions import Predictions
from engine.training.keeping import CheckpointFile, LeftError, Progress, kept_before
from engine.training.requests import training_request
from engine.training.scoring import predicted_classes, scores
from engine.workers import messages
from engine.workers.failures import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.data.rows import Rows
    from engine.training.interface import Epoch, Trainer
    from engine.workers.orders import Orders
    from engine.workers.search_data import SearchData


def train(
    order: messages.Train,
    data: SearchData,
    trainer: Callable[[], Trainer],
    orders: Orders,
    send: Callable[[messages.Message], None],
) -> None:
    """Carry out an order to train, and send how it ended: whatever a training raises is a result, and is sent too."""
    try:
        if orders.is_leaving:
            raise LeftError  # it has not begun, so there is nothing to keep
        FoldTraining(order, data, orders, send).run(trainer)
    except LeftError:
        send(messages.Left(training=order.training))
    except Exception as error:  # the search goes on without this training
        send(
            messages.Failed(
                training=order.training,
                error=in_one_line(error),
                traceback=traceback.format_exc(),
                out_of_memory=isinstance(error, MemoryError),
            )
        )
    else:
        send(messages.Ended(training=order.training, memory=int(psutil.Process().memory_info().rss)))


@dataclass(frozen=True)
class _Evaluation:
    """What an epoch is worth: no scores where it diverged, and all of them where the training ends or has a stop.

    `seconds`: what the scores took; `ends`: whether nothing is trained after this epoch, whatever was ordered.
    """

    scores: dict[str, float]
    seconds: float
    diverged: bool
    ends: bool


class FoldTraining:
    """Serves one `Train` order. Each method is one step of what `run` does after every epoch."""

    def __init__(
        self,
        order: messages.Train,
        data: SearchData,
        orders: Orders,
        send: Callable[[messages.Message], None],
    ) -> None:
        self._order, self._orders, self._send = order, orders, send
        self._scoring, self._early_stopping = data.scoring, data.early_stopping
        self._split = data.split(order.split)
        rows = self._split.training_rows
        self._request = training_request(
            order.params,
            row_count=len(rows),
            width=rows.width,
            classes=rows.classes,
            seed=self._split.seed,
            own=data.own,
        )
        self._stops = list(order.stops)  # those that are still to come
        path, key = Path(order.checkpoint.path), order.key
        self._kept = kept_before(path, key, self._stops[0])
        self._progress = Progress.after(self._kept)
        self._patience = self._progress.patience
        self._file = CheckpointFile(path, key, self._progress, lambda: orders.is_leaving)

    def run(self, trainer: Callable[[], Trainer]) -> None:
        """Train up to the last stop. Raises LeftError where the worker is to leave, and what the trainer raises.

        When it returns nothing holds the trainer's state any more, so that the next training has the memory.
        """
        self._send_begun()
        split, start = self._split, self._kept.checkpoint if self._kept else None
        for epoch in trainer().train(self._request, split.training_rows, split.validation_rows, start, self._file):
            evaluation = self._evaluate(epoch)
            self._send_epoch(epoch, evaluation)
            self._send_scores(epoch, evaluation)
            self._wait_while_held()
            if evaluation.ends or self._is_served:
                return
            if self._file.is_due():
                self._file.keep(epoch.checkpoint())

    def _send_begun(self) -> None:
        """Report that the training begins, and the epochs that its checkpoint brings."""
        kept = self._kept
        checkpoint = kept.checkpoint if kept else None
        self._send(
            messages.Begun(
                training=self._order.training,
                seed=self._split.seed,
                steps_per_epoch=len(self._request.learning_rates) // self._request.epochs,
                start=checkpoint.epoch if checkpoint else 0,
                step=checkpoint.step if checkpoint else 0,
                seconds=kept.seconds if kept else 0.0,
            )
        )
        for number, (loss, validation_loss, score, rate) in enumerate(kept.curve.tolist() if kept else [], 1):
            self._send(
                messages.EpochDone(
                    training=self._order.training,
                    epoch=number,
                    loss=finite(loss),
                    validation_loss=finite(validation_loss),
                    validation_score=finite(score),
                    learning_rate=rate,
                    before=True,
                )
            )

    def _evaluate(self, epoch: Epoch) -> _Evaluation:
        """Score an epoch, by the first metric alone between stops, and see whether patience runs out."""
        assert epoch.validation_loss is not None, "no fold is without validation rows"
        diverged = not (math.isfinite(epoch.loss) and math.isfinite(epoch.validation_loss))
        runs_out = not diverged and self._patience.runs_out(self._early_stopping, epoch.number, epoch.validation_loss)
        ends = diverged or (runs_out and self._early_stopping.stop)
        needs_all = ends or epoch.number == self._stops[0]
        metrics = [] if diverged else self._scoring if needs_all else self._scoring[:1]
        rows = self._split.validation_rows
        scoring_began = time.perf_counter()
        scored = scores(metrics, rows.labels, epoch.probabilities, rows.classes)
        seconds = time.perf_counter() - scoring_began
        if runs_out and not ends:
            self._patience.score = finite(scored.get(self._scoring[0]))
        return _Evaluation(scored, seconds, diverged, ends)

    def _send_epoch(self, epoch: Epoch, evaluation: _Evaluation) -> None:
        """Report an epoch, and add it to the curve that a checkpoint has."""
        done = messages.EpochDone(
            training=self._order.training,
            epoch=epoch.number,
            loss=finite(epoch.loss),
            validation_loss=finite(epoch.validation_loss),
            validation_score=finite(evaluation.scores.get(self._scoring[0])),
            # Beyond float32 it is infinite, for which JSON has no word; the loss shows what such a rate does.
            learning_rate=min(epoch.learning_rate, sys.float_info.max),
            diverged=evaluation.diverged,
        )
        self._send(done)
        numbers = (done.loss, done.validation_loss, done.validation_score)
        loss, validation_loss, score = (math.nan if number is None else number for number in numbers)
        self._progress.curve.append((loss, validation_loss, score, done.learning_rate))

    def _send_scores(self, epoch: Epoch, evaluation: _Evaluation) -> None:
        """Report the scores of the stops that the epoch serves: its own, or all that are left where training ends."""
        seconds = self._progress.seconds
        is_stop = epoch.number == self._stops[0]
        if self._order.keeps_last and self._stops == [epoch.number] and not evaluation.ends:
            # Before the score is known, upon which somebody may want to go on from here.
            self._file.write(epoch.checkpoint())
        for stop in self._stops if evaluation.ends else self._stops[:1] if is_stop else []:
            stopped = self._patience.stopped_at is not None and self._patience.stopped_at < stop
            self._send(
                messages.Scored(
                    training=self._order.training,
                    epochs=stop,
                    scores={metric: finite(score) for metric, score in evaluation.scores.items()},
                    seconds=seconds,
                    score_seconds=evaluation.seconds,
                    diverged=evaluation.diverged,
                    stopped_at=self._patience.stopped_at if stopped else None,
                    stopped_score=self._patience.score if stopped else None,
                    predictions=b"" if evaluation.diverged else _predictions(self._split.validation_rows, epoch),
                )
            )
        if is_stop:
            del self._stops[0]

    def _wait_while_held(self) -> None:
        """Halt while trainings are held: a pause is not part of the training's time."""
        halted = time.perf_counter()
        self._orders.may_run.wait()
        self._progress.started += time.perf_counter() - halted

    @property
    def _is_served(self) -> bool:
        """Whether no stop is left that somebody still wants."""
        wanted_epochs = self._orders.abandoned.get(self._order.training, math.inf)
        return not self._stops or self._stops[0] > wanted_epochs


def _predictions(rows: Rows, epoch: Epoch) -> bytes:
    labels, probabilities = rows.labels, epoch.probabilities
    of_own_class = probabilities[np.arange(len(labels)), labels]
    return Predictions.of(labels, predicted_classes(probabilities), of_own_class).pack()
