"""What the drawn state does not keep: the log's lines, the epochs of running trainings, seeds and step counts.

`History.take` is given every event after the state has applied it, so that both always tell the same story.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine import events
from engine.narration import describe
from engine.state import CombinationStatus
from tui import numbers
from tui.results_model import in_few_words, varying
from tui.safe_text import clean

if TYPE_CHECKING:
    from engine.state import SearchState

LOG_LINES = 2000


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log; `kind` is one of best, scored, failed, state, saved; `detail` opens on enter."""

    time: float
    kind: str
    text: str
    detail: str = ""
    combination: int | None = None

    @property
    def clock(self) -> str:
        """When, in the reader's own time zone."""
        return time.strftime("%H:%M:%S", time.localtime(self.time))


@dataclass(slots=True)
class Epochs:
    """A training's epochs as they land, an entry an epoch; None where a number was not finite."""

    loss: list[float | None] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_score: list[float | None] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)


class History:
    """Grows with the events; its size is bounded by the log's length and the trainings now running."""

    def __init__(self) -> None:
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.lines_ever = 0
        self.epochs: dict[int, Epochs] = {}  # by training, while it runs
        self.steps_per_epoch: dict[int, int] = {}  # by combination
        self.seeds: dict[int, dict[int, int]] = {}  # combination -> fold -> seed
        self._best: float | None = None
        self._varying: list[str] = []

    def take(self, event: events.Event, state: SearchState) -> None:
        """Note one event, which the state has just applied."""
        line: LogLine | None = None
        match event:
            case events.CombinationsAdded():
                self._varying = varying(state.combinations)
                return
            case events.EpochEnded():
                self._note_epoch(event, state)
                return
            case events.TrainingStarted():
                self.epochs[event.training] = Epochs()
                for fit in event.fits:
                    self.steps_per_epoch[fit.combination] = event.steps_per_epoch
                    self.seeds.setdefault(fit.combination, {})[event.fold] = event.seed
                return
            case events.FitScored():
                line = self._scored(event, state)
                self._forget(event.training, state)
            case events.FitFailed():
                text = f"#{event.combination} fold {event.fold} failed: {event.error}"
                line = LogLine(event.time, "failed", clean(text), event.traceback or event.error, event.combination)
                self._forget(event.training, state)
            case events.WorkerDied() | events.SaveFailed():
                said = describe(event, state) or ""
                line = LogLine(event.time, "failed", clean(said), getattr(event, "traceback", "") or said)
            case events.ModelSaved() | events.TestScored():
                line = LogLine(event.time, "saved", clean(describe(event, state) or ""))
            case _:
                said = describe(event, state) or ""
                if said:
                    line = LogLine(event.time, "state", clean(said))
                for training in [number for number in self.epochs if number not in state.trainings]:
                    del self.epochs[training]
        if line is not None:
            self.log.append(line)
            self.lines_ever += 1

    def _note_epoch(self, event: events.EpochEnded, state: SearchState) -> None:
        # Epochs come beside the record: some may be of a training that has already ended, some may come twice.
        if event.training not in state.trainings:
            return
        epochs = self.epochs.setdefault(event.training, Epochs())
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
        """What sets a combination apart; all of it where nothing varies."""
        return in_few_words(params, self._varying or sorted(params))

    def _scored(self, event: events.FitScored, state: SearchState) -> LogLine | None:
        """A line when a combination is complete: one for each, not one for each fold.

        The best so far is kept here; asking the state would rank every combination for every line.
        """
        combination = state.combinations[event.combination]
        if event.diverged:
            text = f"#{event.combination} fold {event.fold} diverged ({self._words(combination.params)})"
            return LogLine(event.time, "failed", clean(text), text, event.combination)
        if combination.status is not CombinationStatus.COMPLETE:
            return None
        mean, deviation = combination.mean(state.scoring[0])
        is_best = self._best is None or mean > self._best
        if is_best:
            self._best = mean
        lead = "best so far " if is_best else ""
        text = (
            f"{lead}{numbers.with_deviation(mean, deviation)} #{event.combination}: {self._words(combination.params)}"
        )
        # Numbers, and words that are clean already: cleaning them once more would be a third of a long replay.
        return LogLine(event.time, "best" if is_best else "scored", text, "", event.combination)
