"""The models that a running search is to save: which wait, which are being trained, and the answers to the requests."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, SessionHeldError, UsageError
from engine.search.worker_events import Refit, model_saved, refit_epoch_ended, save_failed
from engine.session import events
from engine.session.requests import Save, new_name
from engine.training.model_path import check_model_place
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.search.controller import Controller
    from engine.session.session import Session
    from engine.session.state import SearchState

TOO_LATE = SessionHeldError("the search ended before that; ask once more")


class Refits:
    """Takes requests to save, has workers train them one after another, and answers each request once."""

    def __init__(
        self,
        session: Session,
        state: SearchState,
        controller: Controller,
        emit: Callable[[events.Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._session, self._state, self._controller = session, state, controller
        self._emit, self._clock = emit, clock
        self._waiting: deque[Refit] = deque()
        self._running: dict[int, Refit] = {}  # by worker

    @property
    def are_waiting(self) -> bool:
        """Whether one waits for a worker."""
        return bool(self._waiting)

    @property
    def are_running(self) -> bool:
        """Whether a worker trains one."""
        return bool(self._running)

    def add(self, request: Save) -> None:
        """Have a model saved as soon as a worker is idle, or answer why that cannot be."""
        index = self._meant_by(request)
        try:
            self._check(index, Path(request.path))
        except FoldwatchError as error:
            self.refuse(request, error)
        else:
            self._waiting.append(Refit(index, request.path, request.request or new_name()))

    def refuse(self, request: Save, error: FoldwatchError) -> None:
        """Answer a request with an error."""
        self._fail(Refit(self._meant_by(request), request.path, request.request), str(error), error.exit_code)

    def refuse_waiting(self) -> None:
        """Answer those that wait that they came too late."""
        while self._waiting:
            self._fail(self._waiting.popleft(), str(TOO_LATE), TOO_LATE.exit_code)

    def start(self, worker: int) -> messages.Refit:
        """The next one begins in a worker; the order to give to it."""
        refit = self._running[worker] = self._waiting.popleft()
        order = self._controller.refit_order(refit)
        self._emit(
            events.RefitStarted(
                time=self._clock(),
                combination=refit.combination,
                epochs=order.epochs,
                path=refit.path,
                request=refit.request,
            )
        )
        return order

    def handle(self, worker: int, message: messages.OfRefit, *, is_leaving: bool) -> bool:
        """Record a message about a refit; whether the worker is idle after it.

        A message about a refit that the worker holds no more is ignored. `is_leaving`: the search ends at once.
        """
        refit, now = self._running.get(worker), self._clock()
        if refit is None or message.request != refit.request:
            return False
        match message:
            case messages.RefitEpoch():
                self._emit(refit_epoch_ended(refit, message, now))
                return False
            case messages.Saved():
                for event in model_saved(refit, message, now):
                    self._emit(event)
            case messages.RefitFailed():
                self._fail(refit, message.error, message.exit_code, message.traceback)
            case messages.RefitLeft() if is_leaving:
                del self._running[worker]
                error = "the search ended first; what was trained is kept: ask once more"
                self._fail(refit, error, TOO_LATE.exit_code)
                return False
            case _:
                return False
        del self._running[worker]
        self._controller.refit_ended(refit)
        return True

    def forget(self, worker: int) -> None:
        """A worker that is gone when the search ends at once answers no more."""
        self._running.pop(worker, None)

    def worker_died(self, worker: int, how: str) -> None:
        """A worker died: the refit that it held, if any, has failed."""
        refit = self._running.pop(worker, None)
        if refit is not None:
            error = f"the worker died: {how}; see: {self._session.command('logs')}"
            self._fail(refit, error, FoldwatchError.exit_code)

    def _fail(self, refit: Refit, error: str, exit_code: int, traceback: str = "") -> None:
        self._emit(save_failed(refit, error, exit_code, self._clock(), traceback))

    def _meant_by(self, request: Save) -> int:
        """The combination that a request is about: the one that it names, else the best so far; -1 if there is none."""
        if request.combination is not None:
            return request.combination
        return self._state.best.index if self._state.best is not None else -1

    def _check(self, index: int, path: Path) -> None:
        combinations = self._state.combinations
        if index not in range(len(combinations)) or not combinations[index].is_complete:
            which = "no combination is" if index < 0 else f"combination {index} is not"
            message = f"{which} complete on every fold"
            raise UsageError(message)
        check_model_place(path)
