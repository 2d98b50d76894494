"""The trainings that wait: in the order of the plan, without what is scored, with what is to be tried again."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from engine.plan.sharing import epochs_due, is_open
from engine.session.combination import FitStatus
from engine.session.events import ServedFit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from engine.plan.plan import Plan, Training
    from engine.session.state import SearchState

_RETRIES = 1
_LOOK_AHEAD = 2  # groups of as many trainings as there are splits: further, and nothing is complete until late
_ABOUT_THE_SAME = 0.5


class TrainingQueue:
    """Hands out trainings in the plan's order, each with the fits that it still has to serve."""

    def __init__(self, plan: Plan, state: SearchState) -> None:
        self._plan, self._state = plan, state
        self._trainings_of: dict[int, list[Training]] = defaultdict(list)
        self._index(plan.trainings)
        self._pending: deque[Training] = deque()
        self._attempts: dict[int, int] = defaultdict(int)
        self._alone: set[int] = set()

    def __len__(self) -> int:
        """Trainings that wait; some may turn out to have nothing left to serve."""
        return len(self._pending)

    def fill(self) -> None:
        """Put everything on it that is missing now, in the plan's order."""
        self._pending = deque(training for training in self._plan.trainings if self.missing(training))

    def extend(self, plan: Plan) -> None:
        """Go on with a plan that begins as the old one; nothing is put on yet."""
        self._index(plan.trainings[len(self._plan.trainings) :])
        self._plan = plan

    def trainings_of(self, combinations: Iterable[int]) -> list[Training]:
        """The trainings that serve any of these combinations, each once."""
        by_number = {one.number: one for combination in combinations for one in self._trainings_of[combination]}
        return list(by_number.values())

    def _index(self, trainings: Iterable[Training]) -> None:
        for training in trainings:
            for combination in {fit.combination for fit in training.fits}:
                self._trainings_of[combination].append(training)

    def is_wanted(self, training: Training) -> bool:
        """Whether any fit of it may still be trained."""
        combinations = self._state.combinations
        return any(is_open(combinations[fit.combination], training.fold) for fit in training.fits)

    def missing(self, training: Training) -> list[ServedFit]:
        """The fits that a training has to serve now, ascending in their epochs: to a rung only, if no further yet."""
        missing = []
        for fit in training.fits:
            epochs = epochs_due(self._state.combinations[fit.combination], training.fold, fit.epochs)
            if epochs:
                missing.append(fit if epochs == fit.epochs else ServedFit(fit.combination, epochs))
        return sorted(missing, key=lambda fit: fit.epochs)

    def take(
        self,
        running: Collection[Training],
        last: Training | None,
        may_start: Callable[[list[ServedFit]], bool] = lambda fits: True,
    ) -> tuple[Training, list[ServedFit]] | None:
        """The next training with the fits it is to serve; None if nothing is left, or has to wait for `running`.

        `last`: what the worker did before. Of trainings that cost about the same, one on the same batches comes first,
        since the kernel keeps them arranged. `may_start`: others stay on the queue.
        """
        if any(training.number in self._alone for training in running):
            return None
        while self._pending:
            if running and self._pending[0].number in self._alone:
                return None
            training = self._on_same_batches(last)
            fits = self.missing(training)
            if fits and not may_start(fits):
                return self._first_allowed(may_start)
            self._pending.remove(training)
            if fits:
                return training, fits
        return None

    def _first_allowed(self, may_start: Callable[[list[ServedFit]], bool]) -> tuple[Training, list[ServedFit]] | None:
        for training in self._pending:
            fits = self.missing(training)
            if fits and training.number not in self._alone and may_start(fits):
                self._pending.remove(training)
                return training, fits
        return None

    def _on_same_batches(self, last: Training | None) -> Training:
        """The first that waits, or one soon after it that goes on with the batches of the `last` training."""
        first = self._pending[0]
        is_put_first = any(fit.combination in self._state.first for fit in first.fits)
        if last is None or first.number in self._alone or is_put_first:
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

    def admit(self, combinations: Iterable[int]) -> None:
        """Queue what these combinations miss now, in the plan's order: they were added, restored, or may go further."""
        waiting = {training.number for training in self._pending}
        due = [one for one in self.trainings_of(combinations) if one.number not in waiting and self.missing(one)]
        self._pending.extend(sorted(due, key=lambda training: training.number))

    def prefer_complete(self) -> None:
        """Complete what is begun, then the cheapest: where time runs out, few whole combinations beat many parts."""

        def order(training: Training) -> tuple[float, float, int, int]:
            fits = [fit for one in training.fits for fit in self._state.combinations[one.combination].fits]
            begun = sum(fit.status is not FitStatus.WAITING for fit in fits) / len(fits)
            return -begun, training.cost, training.fits[0].combination, training.fold

        self._pending = deque(sorted(self._pending, key=order))

    def put_first(self, combinations: Sequence[int]) -> None:
        """What serves these combinations comes before the rest, in their order."""
        place = {combination: number for number, combination in enumerate(combinations)}
        last = len(place)
        self._pending = deque(
            sorted(self._pending, key=lambda one: min(place.get(fit.combination, last) for fit in one.fits))
        )

    def restore(self, combination: int) -> None:
        """Queue what a combination misses after it was dropped or failed; earlier attempts do not count."""
        for training in self._trainings_of[combination]:
            self._attempts[training.number] = 0
        self.admit([combination])
