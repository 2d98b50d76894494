"""What `SearchState` does not keep: the log's lines, the epochs of running trainings, seeds and step counts.

`History.take` is given every event after the state has applied it, so that both always agree.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.analysis.varying import varying
from engine.session import events
from engine.session.narration import describe
from tui.parts import numbers
from tui.parts.safe_text import clean
from tui.results.model import in_few_words

if TYPE_CHECKING:
    from engine.session.combination import CombinationState
    from engine.session.state import SearchState

LOG_LINES = 2000


@dataclass(frozen=True)
class LogLine:
    """A line of the log; `kind`: best, scored, failed, diverged, state, saved or printed; `detail` opens on enter.

    `words` is its text, or what puts it into words: most lines of a long log are never looked at.
    """

    time: float
    kind: str
    words: str | Callable[[], str]
    detail: str = ""
    combination: int | None = None

    @functools.cached_property
    def text(self) -> str:
        """The words as text."""
        return self.words if isinstance(self.words, str) else self.words()

    @property
    def clock(self) -> str:
        """When, in the reader's own time zone."""
        return time.strftime("%H:%M:%S", time.localtime(self.time))


@dataclass(slots=True)
class Epochs:
    """A training's epochs as they land, an entry an epoch; None where a number was not finite.

    `planned_rates`: of every epoch to come too, where only the training itself knows its schedule; else empty.
    """

    loss: list[float | None] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_score: list[float | None] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    planned_rates: list[float] = field(default_factory=list)


class History:
    """Grows with the events; its size is bounded by the log's length and the trainings now running."""

    def __init__(self) -> None:
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.lines_ever = 0
        self.epochs: dict[int, Epochs] = {}  # by training, while it runs
        self.steps_per_epoch: dict[int, int] = {}  # by combination
        self.seeds: dict[int, dict[int, int]] = {}  # combination -> fold -> seed
        self._best: CombinationState | None = None  # the last that a line of the log called best
        self._varying: list[str] = []

    def take(self, event: events.Event, state: SearchState) -> None:
        """Note one event, which the state has just applied."""
        line = _RULES.get(type(event), History._on_any_other)(self, event, state)
        if line is not None:
            self.log.append(line)
            self.lines_ever += 1

    def take_printed(self, lines: list[LogLine]) -> None:
        """Note what fits printed, each line at its time."""
        if lines:
            self.log = deque(sorted([*self.log, *lines], key=lambda line: line.time), maxlen=LOG_LINES)
            self.lines_ever += len(lines)

    def _on_training_started(self, event: events.TrainingStarted, state: SearchState) -> None:
        for fit in event.fits:
            self.steps_per_epoch[fit.combination] = event.steps_per_epoch
            self.seeds.setdefault(fit.combination, {})[event.fold] = event.seed

    def _on_combinations_added(self, event: events.CombinationsAdded, state: SearchState) -> None:
        self._varying = varying(state.combinations)

    def _on_fit_failed(self, event: events.FitFailed, state: SearchState) -> LogLine:
        self._forget(event.training, state)
        text = f"#{event.combination} fold {event.fold} failed: {event.error}"
        return LogLine(event.time, "failed", clean(text), event.traceback or event.error, event.combination)

    def _on_fault(self, event: events.WorkerDied | events.SaveFailed, state: SearchState) -> LogLine:
        text = describe(event, state) or ""
        return LogLine(event.time, "failed", clean(text), getattr(event, "traceback", "") or text)

    def _on_saved(self, event: events.ModelSaved | events.TestScored, state: SearchState) -> LogLine:
        return LogLine(event.time, "saved", clean(describe(event, state) or ""))

    def _on_any_other(self, event: events.Event, state: SearchState) -> LogLine | None:
        if isinstance(event, events.RoundDecided | events.Steered) and event.added:
            self._varying = varying(state.combinations)
        for training in [number for number in self.epochs if number not in state.trainings]:
            del self.epochs[training]
        text = describe(event, state)
        return LogLine(event.time, "state", clean(text)) if text else None

    def _on_epoch_ended(self, event: events.EpochEnded, state: SearchState) -> None:
        # Epochs come beside the record: some may be of a training that has already ended, some may come twice.
        if event.training not in state.trainings:
            return
        epochs = self.epochs.setdefault(event.training, Epochs())
        epochs.planned_rates = event.planned_rates or epochs.planned_rates
        while len(epochs.loss) < event.epoch - 1:  # epochs that were not seen leave gaps, not shifts
            epochs.loss.append(None)
            epochs.validation_loss.append(None)
            epochs.validation_score.append(None)
            epochs.learning_rate.append(event.learning_rate)
        if len(epochs.loss) == event.epoch - 1:
            epochs.loss.append(event.loss)
            epochs.validation_loss.append(event.validation_loss)
            epochs.validation_score.append(event.validation_score)
            epochs.learning_rate.append(event.learning_rate)

    def _forget(self, training: int, state: SearchState) -> None:
        if training not in state.trainings:
            self.epochs.pop(training, None)

    def _words(self, params: dict[str, Any]) -> str:
        """The parameters in which combinations differ; all of them where nothing varies."""
        return in_few_words(params, self._varying or sorted(params))

    def _on_fit_scored(self, event: events.FitScored, state: SearchState) -> LogLine | None:
        """A line when a combination is complete: one for each, not one for each fold."""
        self._forget(event.training, state)
        combination = state.combinations[event.combination]
        if event.diverged:
            text = f"#{event.combination} fold {event.fold} diverged ({self._words(combination.params)})"
            return LogLine(event.time, "diverged", clean(text), text, event.combination)
        if not combination.is_complete:
            return None
        is_best = combination is state.best and combination is not self._best
        if is_best:
            self._best = combination
        words = functools.partial(self._scored_words, combination, state.scoring[0], is_best=is_best)
        return LogLine(event.time, "best" if is_best else "scored", words, "", event.combination)

    def _scored_words(self, combination: CombinationState, metric: str, *, is_best: bool) -> str:
        lead = "best so far " if is_best else ""
        scored = numbers.with_deviation(*combination.mean(metric))
        return f"{lead}{scored} #{combination.index}: {self._words(combination.params)}"


_RULES: dict[type[events.Event], Callable[[History, Any, SearchState], LogLine | None]] = {
    events.FitScored: History._on_fit_scored,
    events.TrainingStarted: History._on_training_started,
    events.EpochEnded: History._on_epoch_ended,
    events.CombinationsAdded: History._on_combinations_added,
    events.FitFailed: History._on_fit_failed,
    events.WorkerDied: History._on_fault,
    events.SaveFailed: History._on_fault,
    events.ModelSaved: History._on_saved,
    events.TestScored: History._on_saved,
}
