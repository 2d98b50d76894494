"""Worker processes, the child's side: carries out the orders that come on standard input, and reports.

Started as `python -P -m engine.workers.worker FD`, FD being the pipe for its messages. When the engine goes, its end of
standard input closes, and the worker exits at once, whatever it is doing. SIGTERM lets it keep what it trains before it
ends: a system that stops a service sends it to engine and workers at once.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from engine.workers import messages
from engine.workers.failures import in_one_line
from engine.workers.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.training.interface import Trainer
    from engine.workers.search_data import SearchData
    from engine.workers.task_runner import TaskRunner

TrainerFactories = dict[str, "Callable[[], Trainer]"]


def _kernel() -> Trainer:
    from engine.training.kernel import KernelTrainer

    return KernelTrainer()


def _keras() -> Trainer:
    from engine.training.keras.trainer import KerasTrainer

    return KerasTrainer()


REAL_TRAINERS: TrainerFactories = {"kernel": _kernel, "keras": _keras}


class Worker:
    """Carries out the work of one process, order after order; `send` sends a message to the engine.

    What is slow to import is imported with the first order that needs it.
    """

    def __init__(self, send: Callable[[messages.Message], None], orders: Orders, factories: TrainerFactories) -> None:
        self._send, self._orders, self._factories = send, orders, factories
        self._trainers: dict[str, Trainer] = {}
        self._data: SearchData | None = None

    def run(self) -> None:
        """Work until the process ends."""
        self._send(messages.Ready(pid=os.getpid()))
        while True:
            self._orders.end_if_terminated()
            order = self._orders.work.get()
            match order:
                case messages.Warm():
                    self._warm(order)
                case messages.Prepare():
                    self._prepare(order)
                case messages.Build():
                    self._build(order)
                case messages.Train():
                    self._train(order)
                case messages.Refit():
                    self._refit(order)
                case _ if isinstance(order, messages.OfScript):
                    self._task_runner.handle(order)

    @functools.cached_property
    def _task_runner(self) -> TaskRunner:
        from engine.workers.task_runner import TaskRunner

        return TaskRunner(self._send, self._orders.may_run)

    def _warm(self, order: messages.Warm) -> None:
        from engine.training import scoring
        from engine.training.requests import training_request

        for name, params in order.trainings:
            request = training_request(params, row_count=2, width=2, classes=3, seed=0)
            self._trainer(name).warm_up(request)
        scoring.warm_up(order.scoring)

    def _prepare(self, order: messages.Prepare) -> None:
        from engine.workers.search_data import SearchData

        self._data = SearchData(order)

    def _build(self, order: messages.Build) -> None:
        from engine.workers import first_build

        self._send(first_build.build(order))

    def _train(self, order: messages.Train) -> None:
        from engine.workers import fold_training

        assert self._data is not None
        trainer = functools.partial(self._trainer, order.trainer)
        fold_training.train(order, self._data, trainer, self._orders, self._send)

    def _refit(self, order: messages.Refit) -> None:
        from engine.workers import refitting

        assert self._data is not None
        trainer = functools.partial(self._trainer, order.trainer)
        refitting.refit(order, self._data, trainer, self._orders, self._send)

    def _trainer(self, name: str) -> Trainer:
        if name not in self._trainers:
            self._trainers[name] = self._factories[name]()
        return self._trainers[name]


def main(arguments: Sequence[str], factories: TrainerFactories = REAL_TRAINERS) -> None:
    """Run a worker; `arguments` is the number of the pipe for its messages."""
    pipe = int(arguments[0])
    os.set_inheritable(pipe, False)
    one_at_a_time = threading.Lock()  # the thread that reads orders sends messages too

    def send(message: messages.Message) -> None:
        line = messages.encode(message) + b"\n"
        try:
            with one_at_a_time:
                while line:
                    line = line[os.write(pipe, line) :]
        except BrokenPipeError:  # the engine has gone, which is no fault of the training
            os._exit(0)

    orders = Orders(os.dup(0), send)
    # Nothing else may read orders: what a library starts gets an empty standard input.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    signal.signal(signal.SIGTERM, orders.terminate)
    threading.Thread(target=orders.read_forever, name="orders", daemon=True).start()
    try:
        Worker(send, orders, factories).run()
    except Exception as error:
        send(messages.Broken(reason=f"it cannot go on: {in_one_line(error)}"))
        raise


if __name__ == "__main__":
    main(sys.argv[1:])
