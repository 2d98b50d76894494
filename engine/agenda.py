"""What is still to be trained, and what is to be tried again: the order of a plan against the state of its search."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from engine.state import FitStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Container

    from engine.events import ServedFit
    from engine.plan import Plan, Training
    from engine.state import SearchState

_RETRIES = 1
_LOOK_AHEAD = 2  # groups of as many trainings as there are splits: further, and nothing is complete until late
_ABOUT_THE_SAME = 0.5


class Agenda:
    """Hands out trainings in the plan's order, each with the fits that it still has to serve."""

    def __init__(self, plan: Plan, state: SearchState) -> None:
        self._plan, self._state = plan, state
        self._pending: deque[Training] = deque()
        self._attempts: dict[int, int] = defaultdict(int)
        self._alone: set[int] = set()

    def __len__(self) -> int:
        """Trainings that wait; some may turn out to have nothing left to serve."""
        return len(self._pending)

    @property
    def cost(self) -> float:
        """Expected seconds of what waits, on one core."""
        return sum(training.cost for training in self._pending)

    def fill(self, known: Container[tuple[int, int]] = ()) -> None:
        """Put everything on it that is missing now, but for fits, by combination and fold, that are known already."""
        # Nothing runs yet: a fit that the state calls running was lost with the engine that ran it.
        unfinished = (FitStatus.WAITING, FitStatus.RUNNING)
        self._pending = deque(
            training
            for training in self._plan.trainings
            if any((fit.combination, training.fold) not in known for fit in self.missing(training, unfinished))
        )

    def missing(self, training: Training, statuses: Collection[FitStatus] = (FitStatus.WAITING,)) -> list[ServedFit]:
        """The fits that a training still has to serve, ascending in their epochs."""
        combinations = self._state.combinations
        if not combinations:
            return list(training.fits)
        return [
            fit
            for fit in training.fits
            if combinations[fit.combination].fits[training.fold] in statuses
            and not combinations[fit.combination].dropped
        ]

    def take(self, running: Collection[Training], last: Training | None) -> tuple[Training, list[ServedFit]] | None:
        """The next training with the fits it is to serve; None if nothing is left, or has to wait for `running`.

        `last`: what the worker did before. Of trainings that cost about the same, one on the same batches comes first,
        since the kernel keeps them arranged.
        """
        if any(training.number in self._alone for training in running):
            return None
        while self._pending:
            if running and self._pending[0].number in self._alone:
                return None
            training = self._alike(last)
            self._pending.remove(training)
            fits = self.missing(training)
            if fits:
                return training, fits
        return None

    def _alike(self, last: Training | None) -> Training:
        first = self._pending[0]
        if last is None or first.number in self._alone:
            return first
        for training in itertools.islice(self._pending, _LOOK_AHEAD * self._plan.splits):
            if training.cost < _ABOUT_THE_SAME * first.cost:
                break
            same_batches = training.params.get("batch_size") == last.params.get("batch_size")
            if same_batches and training.fold == last.fold and training.number not in self._alone:
                return training
        return first

    def take_back(self, training: Training, *, alone: bool) -> bool:
        """Put a training first that is to run again; False if it has been tried often enough.

        `alone`: memory seems to have been short; it runs when no other does.
        """
        self._attempts[training.number] += 1
        if self._attempts[training.number] > _RETRIES:
            return False
        if alone:
            self._alone.add(training.number)
        self._pending.appendleft(training)
        return True

    def restore(self, combination: int) -> None:
        """Put on what a combination misses after it was dropped, or after it failed; it may be tried afresh."""
        waiting = {training.number for training in self._pending}
        for training in self._plan.trainings:
            if any(fit.combination == combination for fit in self.missing(training)):
                self._attempts[training.number] = 0
                if training.number not in waiting:
                    self._pending.append(training)
