"""The orders of the engine as a worker gets them: work waits in a queue, everything else acts at once."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING

import msgspec

from engine.system import scratch
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_UNDERSTOOD = 65  # the exit code of a worker that cannot read an order


class Orders:
    """Reads the engine's orders from a file descriptor, in a thread of its own.

    `work` has what is to be done in turn; `messages.Leave` in it only wakes a worker that waits for work. A training
    halts at the end of an epoch while `may_run` is not set. `send` sends a message to the engine: the reason, where the
    process ends because of an order.
    """

    def __init__(self, descriptor: int, send: Callable[[messages.Message], None]) -> None:
        self._descriptor, self._send = descriptor, send
        self.work: queue.SimpleQueue[messages.Work | messages.Leave] = queue.SimpleQueue()
        self.may_run = threading.Event()
        self.may_run.set()
        self.abandoned: dict[int, int] = {}  # training -> epochs that are still wanted
        self.is_leaving = False  # the training is to be left as soon as it has a checkpoint
        self.is_terminated = False  # and the process is to end then

    def read_forever(self) -> None:
        """Read until the engine's end of the pipe closes, or an order cannot be read; then the process ends."""
        exit_code = 0
        try:
            with os.fdopen(self._descriptor, "rb") as lines:
                for line in lines:
                    self._obey(messages.decode_to_worker(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            exit_code = NOT_UNDERSTOOD
            reason = f"it cannot read an order: {error}"
            print(reason, file=sys.stderr, flush=True)
            self._send(messages.Broken(reason=reason))
        finally:
            scratch.leave_all()
            os._exit(exit_code)

    def _obey(self, order: messages.ToWorker) -> None:
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
                # The engine may order a training again that was abandoned, or that ended just before it could be.
                self.abandoned.pop(order.training, None)
                self.work.put(order)
            case _:
                self.work.put(order)

    def leave(self) -> None:
        """Have the training left that runs, and every one after it."""
        self.is_leaving = True
        self.may_run.set()
        self.work.put(messages.Leave())

    def terminate(self, signal_number: int, frame: object) -> None:
        """Handle SIGTERM: leave what runs, and end after that."""
        self.is_terminated = True
        self.leave()

    def end_if_terminated(self) -> None:
        """End as SIGTERM would have ended the process, once it holds nothing."""
        if self.is_terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
