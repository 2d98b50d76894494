"""What is at work in a search: trainings that run, worker processes, refits of models that are to be saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.session import events


@dataclass(slots=True)
class TrainingState:
    """A training that is running: what it serves and how far it is."""

    training: int
    worker: int
    fold: int
    fits: list[events.ServedFit]
    epochs: int
    steps_per_epoch: int
    cost: float
    trainer: str
    started: float
    first_epoch: int = 0  # it goes on after that many
    epoch: int = 0
    epoch_ended: float = 0.0
    validation_score: float | None = None


@dataclass(slots=True)
class WorkerState:
    """A worker process; `training` is what it holds, `has_trained` whether it ever held one."""

    worker: int
    pid: int
    device: str
    training: int | None = None
    has_trained: bool = False
    alive: bool = True


@dataclass(slots=True)
class RefitState:
    """A refit: how far it is, where the model is to lie (`target`) and lies (`path`), its scores on the test set."""

    combination: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    target: str = ""
    path: str = ""
    sha256: str = ""
    test_scores: dict[str, float] = field(default_factory=dict)
    test_rows: int = 0
    error: str = ""
    is_of_script: bool = False  # the script that runs the search does it itself, and saves nothing

    @property
    def is_unfinished(self) -> bool:
        """The model is not saved, and the refit has not failed as far as is known."""
        return (bool(self.target) or self.is_of_script) and not self.path and not self.error

    @property
    def in_words(self) -> str:
        """How far one is that is not finished."""
        if self.is_of_script:
            epoch = f": epoch {self.epoch}/{self.epochs}" if self.epoch else ""
            return f"the script is refitting #{self.combination} on all training rows{epoch}"
        if self.epoch and self.epoch == self.epochs:
            return f"saving #{self.combination} with Keras, then scoring it on the test set"
        return f"refitting #{self.combination} on all training rows: epoch {self.epoch}/{self.epochs}"
