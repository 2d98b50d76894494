"""Worker processes, the child's side: takes orders from standard input, trains, and says what came of it.

Started as `python -P -m engine.workers.worker FD`, FD being the pipe for what it says. When the engine goes, its end of
standard input closes, and the worker exits at once, whatever it is doing. SIGTERM lets it keep what it trains before it
ends: a system that stops a service sends it to engine and workers at once.
"""

from __future__ import annotations

import functools
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import FoldwatchError, exit_code_of
from engine.session.events import finite
from engine.spec.early_stopping import NEVER
from engine.system import scratch
from engine.system.regular_files import open_mine
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.data import Dataset
    from engine.data.rows import Rows
    from engine.training.checkpoint_file import KeptTraining
    from engine.training.interface import Epoch, Trainer
    from engine.workers.task_runner import TaskRunner

NOT_UNDERSTOOD = 65  # the exit code of a worker that cannot read an order

TrainerFactories = dict[str, "Callable[[], Trainer]"]


def _kernel() -> Trainer:
    from engine.training.kernel import KernelTrainer

    return KernelTrainer()


def _keras() -> Trainer:
    from engine.training.keras.trainer import KerasTrainer

    return KerasTrainer()


REAL_TRAINERS: TrainerFactories = {"kernel": _kernel, "keras": _keras}


class Orders:
    """Reads the engine's orders in a thread of its own: work goes into a queue, the rest acts at once.

    `say` is for what the engine must know before the process ends because of an order.
    """

    def __init__(self, descriptor: int, say: Callable[[messages.Message], None]) -> None:
        self._descriptor, self._say = descriptor, say
        self.work: queue.SimpleQueue[
            messages.Warm | messages.Prepare | messages.Train | messages.Refit | messages.Leave | messages.OfScript
        ] = queue.SimpleQueue()
        self.may_run = threading.Event()
        self.may_run.set()
        self.abandoned: dict[int, int] = {}  # training -> epochs that are still wanted
        self.is_leaving = False  # the training is to be left as soon as it has a checkpoint
        self.is_terminated = False  # and the process is to end then

    def read_forever(self) -> None:
        """Ends the process when the engine's end closes, or when it cannot be understood."""
        code = 0
        try:
            with os.fdopen(self._descriptor, "rb") as lines:
                for line in lines:
                    self._take(messages.decode_to_worker(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            code = NOT_UNDERSTOOD
            reason = f"it cannot read an order: {error}"
            print(reason, file=sys.stderr, flush=True)
            self._say(messages.Broken(reason=reason))
        finally:
            scratch.leave(Path(os.environ.get(scratch.VARIABLE, "")))
            os._exit(code)

    def _take(self, order: messages.ToWorker) -> None:
        match order:
            case messages.Hold():
                self.may_run.clear()
            case messages.GoOn():
                self.may_run.set()
            case messages.Abandon():
                self.abandoned[order.training] = order.epochs
            case messages.Leave():
                self.leave()
            case messages.Train():
                # One that was left, or ended just before it could be left, may be asked for again.
                self.abandoned.pop(order.training, None)
                self.work.put(order)
            case _:
                self.work.put(order)

    def leave(self) -> None:
        """Have the training left that runs, and every one after it."""
        self.is_leaving = True
        self.may_run.set()
        self.work.put(messages.Leave())  # wakes who waits for work

    def terminate(self, number: int, frame: object) -> None:
        """What SIGTERM does."""
        self.is_terminated = True
        self.leave()

    def end_if_terminated(self) -> None:
        """End as SIGTERM would have ended the process, once it holds nothing."""
        if self.is_terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)


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
            self._orders.end_if_terminated()
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
                case messages.OpenTasks() | messages.Share() | messages.RunTask():
                    self._task_runner.handle(order)

    @functools.cached_property
    def _task_runner(self) -> TaskRunner:
        from engine.workers.task_runner import TaskRunner

        return TaskRunner(self._say, self._orders.may_run)

    def _warm(self, order: messages.Warm) -> None:
        from engine.training import scoring
        from engine.training.requests import training_request

        for name, params in order.trainings:
            request = training_request(params, training_rows=2, width=2, classes=3, seed=0)
            self._trainer(name).warm_up(request)
        scoring.warm_up(order.scoring)

    def _prepare(self, order: messages.Prepare) -> None:
        from engine import data
        from engine.system.array_files import map_array

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
        from engine.training.keeping import LeftError

        try:
            if self._orders.is_leaving:
                raise LeftError  # it has not begun, so there is nothing to keep
            self._train_and_score(order)
        except LeftError:
            self._say(messages.Left(training=order.training))
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
        from engine.training.keeping import CheckpointFile, Progress, kept_before
        from engine.training.requests import training_request
        from engine.training.scoring import scores

        assert self._prepared is not None
        training, validation, seed = self._split(order.fold)
        request = training_request(
            order.params, training_rows=len(training), width=training.width, classes=training.classes, seed=seed
        )
        steps = len(request.learning_rates) // request.epochs
        first = self._prepared.scoring[0]
        stops = list(order.stops)
        rule = self._prepared.early_stopping or NEVER
        kept = kept_before(Path(order.checkpoint), order.key, stops[0])
        self._begin(order, kept, seed, steps)
        progress = Progress.after(kept)
        patience = progress.patience
        file = CheckpointFile(Path(order.checkpoint), order.key, progress, lambda: self._orders.is_leaving)
        epochs = self._trainer(order.trainer).train(
            request, training, validation, kept.checkpoint if kept else None, file
        )
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
            done = messages.EpochDone(
                training=order.training,
                epoch=epoch.number,
                loss=finite(epoch.loss),
                validation_loss=finite(epoch.validation_loss),
                validation_score=finite(scored.get(first)),
                # Beyond float32 it is infinite, for which JSON has no word; what it does to the loss is told.
                learning_rate=min(epoch.learning_rate, sys.float_info.max),
                diverged=diverged,
            )
            self._say(done)
            progress.curve.append(
                (_number(done.loss), _number(done.validation_loss), _number(done.validation_score), done.learning_rate)
            )
            seconds = progress.seconds
            if order.keeps_last and stops == [epoch.number] and not ends:
                # Before the score is known, upon which somebody may want to go on from here.
                file.write(epoch.checkpoint())
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
            progress.started += time.perf_counter() - halted  # a pause is no time of the training
            still_wanted = self._orders.abandoned.get(order.training, math.inf)
            if ends or not stops or stops[0] > still_wanted:
                break
            if file.is_due():
                file.keep(epoch.checkpoint())
        # Dropping the iterator here frees the trainer's state before the next training.
        del epochs

    def _begin(self, order: messages.Train, kept: KeptTraining | None, seed: int, steps: int) -> None:
        """Say that a training begins, and what epochs it has behind it."""
        checkpoint = kept.checkpoint if kept else None
        self._say(
            messages.Begun(
                training=order.training,
                seed=seed,
                steps_per_epoch=steps,
                start=checkpoint.epoch if checkpoint else 0,
                step=checkpoint.step if checkpoint else 0,
                seconds=kept.seconds if kept else 0.0,
            )
        )
        for number, (loss, validation_loss, score, rate) in enumerate(kept.curve.tolist() if kept else [], 1):
            self._say(
                messages.EpochDone(
                    training=order.training,
                    epoch=number,
                    loss=finite(loss),
                    validation_loss=finite(validation_loss),
                    validation_score=finite(score),
                    learning_rate=rate,
                    before=True,
                )
            )

    def _refit(self, order: messages.Refit) -> None:
        from engine.training.keeping import CheckpointFile, LeftError, Progress, kept_before
        from engine.training.refit import refit

        assert self._dataset is not None
        assert self._prepared is not None
        kept = kept_before(Path(order.checkpoint), order.key, order.epochs)
        progress = Progress.after(kept)

        def say_epoch(epoch: Epoch, epochs: int) -> None:
            progress.curve.append((epoch.loss, math.nan, math.nan, epoch.learning_rate))
            self._say(
                messages.RefitEpoch(request=order.request, epoch=epoch.number, epochs=epochs, loss=finite(epoch.loss))
            )

        try:
            if self._orders.is_leaving:
                raise LeftError
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
                start=kept.checkpoint if kept else None,
                keeper=CheckpointFile(Path(order.checkpoint), order.key, progress, lambda: self._orders.is_leaving),
            )
        except LeftError:
            self._say(messages.RefitLeft(request=order.request))
        except Exception as error:  # as above: a failed refit must not end the worker
            self._say(
                messages.RefitFailed(
                    request=order.request,
                    error=str(error) if isinstance(error, FoldwatchError) else _in_a_line(error),
                    exit_code=exit_code_of(error),
                    traceback=traceback.format_exc(),
                )
            )
        else:
            self._say(
                messages.Saved(
                    request=order.request,
                    sha256=saved.sha256,
                    test_scores=saved.test_scores,
                    test_rows=len(self._dataset.test),
                )
            )


def _number(value: float | None) -> float:
    """As an array holds it."""
    return math.nan if value is None else value


def _validation_loss(epoch: Epoch) -> float:
    assert epoch.validation_loss is not None, "no fold is without validation rows"
    return epoch.validation_loss


def _diverged(epoch: Epoch) -> bool:
    return not math.isfinite(epoch.loss) or (
        epoch.validation_loss is not None and not math.isfinite(epoch.validation_loss)
    )


def _predictions(validation: Rows, epoch: Epoch) -> bytes:
    import numpy as np

    from engine.session.predictions import Predictions
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

    lines = threading.Lock()  # the thread that reads orders may have something to say too

    def say(message: messages.Message) -> None:
        line = messages.encode(message) + b"\n"
        try:
            with lines:
                while line:
                    line = line[os.write(speech, line) :]
        except BrokenPipeError:  # the engine has gone, which is no fault of the training
            os._exit(0)

    orders = Orders(os.dup(0), say)
    # Nothing else may read orders: what a library starts gets an empty standard input.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    signal.signal(signal.SIGTERM, orders.terminate)
    threading.Thread(target=orders.read_forever, name="orders", daemon=True).start()
    try:
        Worker(say, orders, factories).run()
    except Exception as error:
        say(messages.Broken(reason=f"it cannot go on: {_in_a_line(error)}"))
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
