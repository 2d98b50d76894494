"""What is still to be trained, and what is to be tried again: the order of a plan against the state of its search."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from typing import TYPE_CHECKING

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
        found = {one.number: one for combination in combinations for one in self._trainings_of[combination]}
        return list(found.values())

    def _index(self, trainings: Iterable[Training]) -> None:
        for training in trainings:
            for combination in {fit.combination for fit in training.fits}:
                self._trainings_of[combination].append(training)

    def is_wanted(self, training: Training) -> bool:
        """Whether any fit of it may still be trained."""
        combinations = (self._state.combinations[fit.combination] for fit in training.fits)
        return any(not one.dropped and not one.fits[training.fold].status.is_finished for one in combinations)

    def missing(self, training: Training) -> list[ServedFit]:
        """The fits that a training has to serve now, ascending in their epochs: to a rung only, if no further yet."""
        missing = []
        for fit in training.fits:
            combination = self._state.combinations[fit.combination]
            if combination.fits[training.fold].status is not FitStatus.WAITING or combination.dropped:
                continue
            if combination.folds_allowed is not None and training.fold >= combination.folds_allowed:
                continue
            epochs = combination.epochs_allowed
            if epochs is None or epochs >= fit.epochs:
                missing.append(fit)
            elif (rung := combination.fits[training.fold].rung(epochs)) is None or rung.score is None:
                missing.append(ServedFit(fit.combination, epochs))
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
            training = self._alike(last)
            fits = self.missing(training)
            if fits and not may_start(fits):
                return self._first_that(may_start)
            self._pending.remove(training)
            if fits:
                return training, fits
        return None

    def _first_that(self, may_start: Callable[[list[ServedFit]], bool]) -> tuple[Training, list[ServedFit]] | None:
        for training in self._pending:
            fits = self.missing(training)
            if fits and training.number not in self._alone and may_start(fits):
                self._pending.remove(training)
                return training, fits
        return None

    def _alike(self, last: Training | None) -> Training:
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
        """Put on, in the plan's order, what these miss now: they were added, restored, or allowed to go further."""
        waiting = {training.number for training in self._pending}
        due = [one for one in self.trainings_of(combinations) if one.number not in waiting and self.missing(one)]
        self._pending.extend(sorted(due, key=lambda training: training.number))

    def whole_first(self) -> None:
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
        """Put on what a combination misses after it was dropped, or after it failed; it may be tried afresh."""
        for training in self._trainings_of[combination]:
            self._attempts[training.number] = 0
        self.admit([combination])
