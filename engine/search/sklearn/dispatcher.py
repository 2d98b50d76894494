"""Which of a script's fits waits, and which lies with which worker."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.search.sklearn.fits import ScriptFit

_AHEAD_SECONDS = 0.2  # of work that a worker holds beyond the fit it runs: short fits must not wait for the pipe
_MOST_AHEAD = 64


class Dispatcher:
    """Fits in the order of the script; numbers are those of their trainings in the record."""

    def __init__(self) -> None:
        self.waiting: deque[ScriptFit] = deque()
        self._held: dict[int, deque[ScriptFit]] = {}  # worker -> what it was sent, the one that runs first
        self._begun: dict[int, ScriptFit] = {}
        self._numbers: dict[ScriptFit, int] = {}
        self._fits: list[ScriptFit] = []
        self._mean_seconds = 1.0

    @property
    def is_idle(self) -> bool:
        """Whether no worker holds a fit."""
        return not any(self._held.values())

    def number_of(self, fit: ScriptFit) -> int:
        """The number of its training."""
        number = self._numbers.get(fit)
        if number is None:
            number = self._numbers[fit] = len(self._fits)
            self._fits.append(fit)
        return number

    def fit_of(self, number: int) -> ScriptFit:
        """The fit of a training."""
        return self._fits[number]

    def welcome(self, worker: int) -> None:
        """A worker can take fits."""
        self._held[worker] = deque()

    def assignments(self) -> Iterator[tuple[int, ScriptFit]]:
        """What each worker is to be sent now, worker by worker in turn; as many fits ahead as are short enough."""
        ahead = min(_MOST_AHEAD, max(1, int(_AHEAD_SECONDS / max(self._mean_seconds, 1e-4))))
        for length in range(ahead):
            for worker, held in sorted(self._held.items()):
                if not self.waiting:
                    return
                if len(held) <= length:
                    fit = self.waiting.popleft()
                    held.append(fit)
                    yield worker, fit

    def begin(self, worker: int, number: int) -> ScriptFit:
        """A worker began the fit of a training."""
        fit = self._begun[worker] = self._fits[number]
        return fit

    def running(self, worker: int) -> ScriptFit | None:
        """The fit that a worker has begun and not ended."""
        return self._begun.get(worker)

    def end(self, worker: int, fit: ScriptFit, seconds: float) -> None:
        """A worker ended a fit that took so long."""
        self._begun.pop(worker, None)
        held = self._held.get(worker)
        if held is not None and fit in held:
            held.remove(fit)
        self._mean_seconds += 0.2 * (seconds - self._mean_seconds)

    def lose(self, worker: int) -> ScriptFit | None:
        """A worker is gone: what it had not begun waits again, first of all; the fit that it had begun, if any."""
        begun = self._begun.pop(worker, None)
        for fit in reversed(self._held.pop(worker, deque())):
            if fit is not begun:
                self.waiting.appendleft(fit)
        return begun

    def add(self, fits: Iterable[ScriptFit]) -> None:
        """Fits wait, after all others."""
        self.waiting.extend(fits)
