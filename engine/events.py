"""What can happen in a search: frozen facts of primitive values, and their JSON.

Combinations, folds, trainings and workers are numbers, counted from 0; epochs count from 1. `time` is in seconds
since 1970 UTC. A number that is not finite is None, and `diverged` says so. Means, ranks and remaining time are
never sent: every reader derives them with `engine.state.SearchState`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A fact; every event carries when it happened."""

    time: float


class PlannedCombination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A combination as it is announced: flat parameters, and which trainer runs it and why.

    `same_as` names an earlier combination of equal effect, whose trainings serve this one too.
    """

    index: int
    params: dict[str, Any]
    trainer: str
    trainer_reason: str = ""
    same_as: int | None = None


class ServedFit(msgspec.Struct, frozen=True, array_like=True):
    """A fit that a training serves: it is scored when `epochs` epochs are done."""

    combination: int
    epochs: int


class CurvePlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a curve lies: byte `offset` of `curves.<segment>.jsonl`, `length` bytes."""

    segment: int
    offset: int
    length: int


class SearchStarted(Event, frozen=True):
    """An engine began to work on the session: first of all, or after an interruption (`segment` above 1).

    `splits` = folds x repeats; `rows`: training rows in use; `cost`: planned work in units of
    `engine.plan.Training.cost`, what is already scored left out.
    """

    session: str
    segment: int
    dataset: str
    synthetic: bool
    rows: int
    classes: int
    splits: int
    scoring: list[str]
    workers: int
    trainings: int
    cost: float
    host: str
    pid: int


class CombinationsAdded(Event, frozen=True):
    """Combinations joined the search, in order."""

    combinations: list[PlannedCombination]


class CombinationDropped(Event, frozen=True):
    """A combination will not be finished: why, and on what evidence."""

    combination: int
    reason: str
    evidence: str = ""


class CombinationRestored(Event, frozen=True):
    """A dropped, skipped or failed combination is to be finished after all."""

    combination: int


class WorkerStarted(Event, frozen=True):
    """A worker process is ready; `device` is "cpu" or "gpu:<number>"."""

    worker: int
    pid: int
    device: str


class WorkerDied(Event, frozen=True):
    """A worker process ended unasked: with an exit code, or by a signal (its name)."""

    worker: int
    pid: int
    exit_code: int | None = None
    signal: str = ""
    training: int | None = None
    reason: str = ""


class WorkerRecycled(Event, frozen=True):
    """A worker process was replaced on purpose."""

    worker: int
    pid: int
    reason: str


class TrainingStarted(Event, frozen=True):
    """A worker began a training, which serves `fits`; `seed` is that of weights, batches and dropout."""

    training: int
    worker: int
    fold: int
    fits: list[ServedFit]
    epochs: int
    steps_per_epoch: int
    cost: float
    trainer: str
    seed: int


class EpochEnded(Event, frozen=True):
    """An epoch of a training ended; `learning_rate` is the one its last step used."""

    training: int
    epoch: int
    loss: float | None
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float
    diverged: bool = False


class FitScored(Event, frozen=True):
    """A fit has its scores, each metric of the search; none of them when it diverged.

    `seconds`: its training's time up to its epoch; `curve`: its epochs up to there.
    `taken_from`: the session that these scores were taken over from.
    """

    combination: int
    fold: int
    training: int
    epochs: int
    scores: dict[str, float | None]
    seconds: float
    diverged: bool = False
    curve: CurvePlace | None = None
    taken_from: str = ""


class FitFailed(Event, frozen=True):
    """A fit raised or lost its worker too often; `traceback` is text."""

    combination: int
    fold: int
    training: int
    error: str
    traceback: str = ""


class FitRetried(Event, frozen=True):
    """A fit will run once more."""

    combination: int
    fold: int
    training: int
    reason: str


class SearchPaused(Event, frozen=True):
    """Trainings halt at their next epoch's end and keep their state."""


class SearchResumed(Event, frozen=True):
    """Paused trainings go on."""


class RefitEpochEnded(Event, frozen=True):
    """An epoch of the refit on all training rows ended."""

    combination: int
    epoch: int
    epochs: int
    loss: float | None


class ModelSaved(Event, frozen=True):
    """A refitted model lies, whole and checked, at `path`."""

    combination: int
    path: str
    sha256: str


class TestScored(Event, frozen=True):
    """The saved model's scores on the test set."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    combination: int
    scores: dict[str, float]
    rows: int


class SaveFailed(Event, frozen=True):
    """A model could not be refitted or saved; nothing was left at `path`."""

    combination: int
    path: str
    error: str
    traceback: str = ""


class SearchFinished(Event, frozen=True):
    """The engine's work on the search ended."""

    outcome: Literal["completed", "stopped", "interrupted", "failed"]
    message: str = ""


AnyEvent = (
    SearchStarted
    | CombinationsAdded
    | CombinationDropped
    | CombinationRestored
    | WorkerStarted
    | WorkerDied
    | WorkerRecycled
    | TrainingStarted
    | EpochEnded
    | FitScored
    | FitFailed
    | FitRetried
    | SearchPaused
    | SearchResumed
    | RefitEpochEnded
    | ModelSaved
    | TestScored
    | SaveFailed
    | SearchFinished
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyEvent)


def to_json(event: Event) -> bytes:
    """One line of JSON, without the line's end; its `type` names the event."""
    return _encoder.encode(event)


def from_json(line: bytes | str) -> AnyEvent:
    """The event of one line; raises `msgspec.DecodeError` or `msgspec.ValidationError` for anything else."""
    event: AnyEvent = _decoder.decode(line)
    return event


def finite(value: float | None) -> float | None:
    """The value, or None where it is not a finite number: how events write infinities and NaN."""
    return value if value is not None and math.isfinite(value) else None
