"""Worker processes, the child's side: takes orders from standard input, trains, and says what came of it.

Started as `python -P -m engine.worker FD`, FD being the pipe for what it says. When the engine goes, its end of
standard input closes, and the worker exits at once, whatever it is doing.
"""

from __future__ import annotations

import math
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import messages, scratch
from engine.early_stopping import NEVER, Patience
from engine.errors import FoldwatchError
from engine.events import finite
from engine.regular_files import open_mine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.data import Dataset
    from engine.rows import Rows
    from engine.training.checkpoints import KeptTraining
    from engine.training.interface import Epoch, Trainer

TrainerFactories = dict[str, "Callable[[], Trainer]"]


def _kernel() -> Trainer:
    from engine.training.kernel import KernelTrainer

    return KernelTrainer()


def _keras() -> Trainer:
    from engine.training.keras_trainer import KerasTrainer

    return KerasTrainer()


REAL_TRAINERS: TrainerFactories = {"kernel": _kernel, "keras": _keras}


class Orders:
    """Reads the engine's orders in a thread of its own: work goes into a queue, the rest acts at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.work: queue.SimpleQueue[messages.Warm | messages.Prepare | messages.Train | messages.Refit] = (
            queue.SimpleQueue()
        )
        self.may_run = threading.Event()
        self.may_run.set()
        self.abandoned: dict[int, int] = {}  # training -> epochs that are still wanted

    def read_forever(self) -> None:
        """Ends the process when the engine's end closes."""
        try:
            with os.fdopen(self._descriptor, "rb") as lines:
                for line in lines:
                    self._take(messages.decode_to_worker(line))
        finally:
            scratch.leave(Path(os.environ.get(scratch.VARIABLE, "")))
            os._exit(0)

    def _take(self, order: messages.ToWorker) -> None:
        match order:
            case messages.Hold():
                self.may_run.clear()
            case messages.GoOn():
                self.may_run.set()
            case messages.Abandon():
                self.abandoned[order.training] = order.epochs
            case messages.Train():
                # One that was left, or ended just before it could be left, may be asked for again.
                self.abandoned.pop(order.training, None)
                self.work.put(order)
            case _:
                self.work.put(order)


class Worker:
    """Does the work of one process: `data` and trainers are loaded when they are first needed."""

    def __init__(self, say: Callable[[messages.Message], None], orders: Orders, factories: TrainerFactories) -> None:
        self._say, self._orders, self._factories = say, orders, factories
        self._trainers: dict[str, Trainer] = {}
        self._prepared: messages.Prepare | None = None
        self._dataset: Dataset | None = None
        self._folds: Any = None
        self._splits: dict[int, tuple[Rows, Rows, int]] = {}

    def run(self) -> None:
        """Work until the process ends."""
        self._say(messages.Ready(pid=os.getpid()))
        while True:
            order = self._orders.work.get()
            match order:
                case messages.Warm():
                    self._warm(order)
                case messages.Prepare():
                    self._prepare(order)
                case messages.Train():
                    self._train(order)
                case messages.Refit():
                    self._refit(order)

    def _warm(self, order: messages.Warm) -> None:
        from engine.training import scoring
        from engine.training.requests import training_request

        for name, params in order.trainings:
            request = training_request(params, training_rows=2, width=2, classes=3, seed=0)
            self._trainer(name).warm_up(request)
        scoring.warm_up(order.scoring)

    def _prepare(self, order: messages.Prepare) -> None:
        from engine import data
        from engine.array_files import map_array

        self._prepared = order
        self._dataset = data.open_cached(Path(order.dataset))
        with open_mine(order.folds) as file:
            self._folds = map_array(file)
        self._splits.clear()

    def _trainer(self, name: str) -> Trainer:
        if name not in self._trainers:
            self._trainers[name] = self._factories[name]()
        return self._trainers[name]

    def _split(self, number: int) -> tuple[Rows, Rows, int]:
        """Training rows, validation rows and the training's seed of a split; kept, since every combination has it."""
        if number not in self._splits:
            import numpy as np

            from engine.training.randomness import training_seed

            assert self._dataset is not None
            assert self._prepared is not None
            folds = int(self._folds.max()) + 1
            repeat, fold = divmod(number, folds)
            row = np.asarray(self._folds[repeat])
            training = self._dataset.training.take(np.flatnonzero((row >= 0) & (row != fold)))
            validation = self._dataset.training.take(np.flatnonzero(row == fold))
            self._splits[number] = (training, validation, training_seed(self._prepared.seed, training))
        return self._splits[number]

    def _train(self, order: messages.Train) -> None:
        try:
            self._train_and_score(order)
        except Exception as error:  # a training that raises is a result: it is recorded, and the search goes on
            self._say(
                messages.Failed(
                    training=order.training,
                    error=_in_a_line(error),
                    traceback=traceback.format_exc(),
                    out_of_memory=isinstance(error, MemoryError),
                )
            )
        else:
            self._say(messages.Ended(training=order.training, memory=_resident_bytes()))

    def _train_and_score(self, order: messages.Train) -> None:
        from engine.training.requests import training_request
        from engine.training.scoring import scores

        assert self._prepared is not None
        training, validation, seed = self._split(order.fold)
        request = training_request(
            order.params, training_rows=len(training), width=training.width, classes=training.classes, seed=seed
        )
        steps = len(request.learning_rates) // request.epochs
        self._say(messages.Begun(training=order.training, seed=seed, steps_per_epoch=steps))
        first = self._prepared.scoring[0]
        stops = list(order.stops)
        kept = _kept_before(order)
        rule, patience = self._prepared.early_stopping or NEVER, kept.patience if kept else Patience()
        started = time.perf_counter() - (kept.seconds if kept else 0.0)
        start = kept.checkpoint if kept else None
        epochs = self._trainer(order.trainer).train(request, training, validation, start)
        for epoch in epochs:
            diverged = _diverged(epoch)
            runs_out = not diverged and patience.runs_out(rule, epoch.number, _validation_loss(epoch))
            ends = diverged or (runs_out and rule.stop)
            wanted = epoch.number == stops[0]
            names = [] if diverged else self._prepared.scoring if wanted or ends else [first]
            scoring_began = time.perf_counter()
            scored = scores(names, validation.labels, epoch.probabilities, validation.classes)
            score_seconds = time.perf_counter() - scoring_began
            if runs_out and not ends:
                patience.score = finite(scored.get(first))
            self._say(
                messages.EpochDone(
                    training=order.training,
                    epoch=epoch.number,
                    loss=finite(epoch.loss),
                    validation_loss=finite(epoch.validation_loss),
                    validation_score=finite(scored.get(first)),
                    # Beyond float32 it is infinite, for which JSON has no word; what it does to the loss is told.
                    learning_rate=min(epoch.learning_rate, sys.float_info.max),
                    diverged=diverged,
                )
            )
            seconds = time.perf_counter() - started
            if order.keep and stops == [epoch.number] and not ends:
                # Before the score is known, upon which somebody may want to go on from here.
                _keep(order, epoch, seconds, patience)
            for stop in stops if ends else stops[:1] if wanted else []:
                stopped = patience.stopped_at is not None and patience.stopped_at < stop
                self._say(
                    messages.Scored(
                        training=order.training,
                        epochs=stop,
                        scores={name: finite(score) for name, score in scored.items()},
                        seconds=seconds,
                        score_seconds=score_seconds,
                        diverged=diverged,
                        stopped_at=patience.stopped_at if stopped else None,
                        stopped_score=patience.score if stopped else None,
                        predictions=b"" if diverged else _predictions(validation, epoch),
                    )
                )
            if wanted:
                stops.pop(0)
            halted = time.perf_counter()
            self._orders.may_run.wait()
            started += time.perf_counter() - halted  # a pause is no time of the training
            still_wanted = self._orders.abandoned.get(order.training, math.inf)
            if ends or not stops or stops[0] > still_wanted:
                break
        # Dropping the iterator here frees the trainer's state before the next training.
        del epochs

    def _refit(self, order: messages.Refit) -> None:
        from engine.training.refit import refit

        assert self._dataset is not None
        assert self._prepared is not None

        def say_epoch(epoch: Epoch, epochs: int) -> None:
            self._say(
                messages.RefitEpoch(
                    combination=order.combination, epoch=epoch.number, epochs=epochs, loss=finite(epoch.loss)
                )
            )

        try:
            saved = refit(
                self._trainer(order.trainer),
                self._dataset,
                order.params,
                epochs=order.epochs,
                seed=self._prepared.seed,
                scoring=self._prepared.scoring,
                path=Path(order.path),
                record=order.record,
                on_epoch=say_epoch,
            )
        except Exception as error:  # as above: a failed refit must not end the worker
            self._say(
                messages.RefitFailed(
                    combination=order.combination,
                    path=order.path,
                    error=str(error) if isinstance(error, FoldwatchError) else _in_a_line(error),
                    traceback=traceback.format_exc(),
                )
            )
        else:
            self._say(
                messages.Saved(
                    combination=order.combination,
                    path=order.path,
                    sha256=saved.sha256,
                    test_scores=saved.test_scores,
                    test_rows=len(self._dataset.test),
                )
            )


def _kept_before(order: messages.Train) -> KeptTraining | None:
    """Where to continue from; None to train from the beginning."""
    if not order.start:
        return None
    from engine.training.checkpoints import read_checkpoint

    kept = read_checkpoint(Path(order.start), order.key)
    # A score needs its epoch to be run.
    return kept if kept and kept.checkpoint.epoch < order.stops[0] else None


def _keep(order: messages.Train, epoch: Epoch, seconds: float, patience: Patience) -> None:
    """Leave a checkpoint; without one, whoever would go on from it begins anew."""
    from engine.training.checkpoints import KeptTraining, write_checkpoint

    try:
        write_checkpoint(Path(order.keep), KeptTraining(epoch.checkpoint(), seconds, patience), order.key)
    except OSError as error:
        print(f"{order.keep}: no checkpoint was kept: {error.strerror or error}", file=sys.stderr, flush=True)


def _validation_loss(epoch: Epoch) -> float:
    assert epoch.validation_loss is not None, "no fold is without validation rows"
    return epoch.validation_loss


def _diverged(epoch: Epoch) -> bool:
    return not math.isfinite(epoch.loss) or (
        epoch.validation_loss is not None and not math.isfinite(epoch.validation_loss)
    )


def _predictions(validation: Rows, epoch: Epoch) -> bytes:
    import numpy as np

    from engine.predictions import Predictions
    from engine.training.scoring import predicted_classes

    labels, probabilities = validation.labels, epoch.probabilities
    own = probabilities[np.arange(len(labels)), labels]
    return Predictions.of(labels, predicted_classes(probabilities), own).pack()


def _in_a_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def main(arguments: Sequence[str], factories: TrainerFactories = REAL_TRAINERS) -> None:
    """Run a worker; `arguments` is the number of the pipe to speak on."""
    speech = int(arguments[0])
    os.set_inheritable(speech, False)

    def say(message: messages.Message) -> None:
        line = messages.encode(message) + b"\n"
        try:
            while line:
                line = line[os.write(speech, line) :]
        except BrokenPipeError:  # the engine has gone, which is no fault of the training
            os._exit(0)

    orders = Orders(os.dup(0))
    # Nothing else may read orders: what a library starts gets an empty standard input.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=orders.read_forever, name="orders", daemon=True).start()
    Worker(say, orders, factories).run()


if __name__ == "__main__":
    main(sys.argv[1:])
