"""What can happen in a search: frozen facts of primitive values, and their JSON.

Combinations, folds, trainings and workers are numbers, counted from 0; epochs count from 1. `time` is in seconds
since 1970 UTC. A number that is not finite is None, and `diverged` says so. Means, ranks and remaining time are
never sent: every reader derives them with `engine.session.state.SearchState`. All events stand in this one file,
because together they are the format of the record on disk.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.session.record_limits import (
    Checksum,
    Count,
    Duration,
    Epochs,
    Finite,
    LongText,
    Moment,
    Name,
    Number,
    Parameters,
    Place,
    ProcessNumber,
    Rate,
    Score,
    Scores,
    Segment,
    Size,
    Splits,
    Stage,
    Text,
    Values,
    check_depth,
)

_Numbers = Annotated[list[Number], Meta(max_length=1_000_000)]
_Names = Annotated[list[Name], Meta(max_length=1_000)]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, gc=False):
    """A fact; every event carries when it happened. None refers to another, so none needs to be garbage-collected."""

    time: Moment


class PlannedCombination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A combination as it is announced: flat parameters, and which trainer runs it and why.

    `same_as` names an earlier combination of equal effect, whose trainings serve this one too; `stage` counts from 0,
    the rows of each stage being others; `epochs_allowed`, `folds_allowed`: how far it may be trained before the
    strategy decides on it, None: in full.
    """

    index: Number
    params: Parameters
    trainer: Name
    trainer_reason: Text = ""
    same_as: Number | None = None
    stage: Stage = 0
    epochs_allowed: Epochs | None = None
    folds_allowed: Number | None = None


class Dropped(msgspec.Struct, frozen=True, array_like=True):
    """A combination that a strategy dropped, and on what evidence."""

    combination: Number
    evidence: Text


class Allowance(msgspec.Struct, frozen=True, array_like=True):
    """How far a combination may be trained: to so many epochs, on so many folds; None: on to the end, on all."""

    combination: Number
    epochs: Epochs | None = None
    folds: Number | None = None


class ServedFit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A fit that a training serves: it is scored when `epochs` epochs are done, its own or those of a rung."""

    combination: Number
    epochs: Epochs


class CurvePlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a curve lies: byte `offset` of `curves.<segment>.jsonl`, `length` bytes."""

    segment: Segment
    offset: Size
    length: Size


class PredictionsPlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a fit's predictions lie: byte `offset` of `predictions.<segment>.bin`, `length` bytes of that CRC-32."""

    segment: Segment
    offset: Size
    length: Size
    checksum: Checksum


class SearchStarted(Event, frozen=True):
    """An engine began to work on the session: first of all, or after an interruption (`segment` above 1).

    `splits` = folds x repeats (0 folds, in older records: as many as splits); `rows`: training rows in use; `cost`:
    planned work in units of `engine.plan.plan.Training.cost`, what is already scored left out; `changed`: versions and
    CPU that are no longer what the session began with, accepted by the user who resumed it; `revision`: of the
    training's rules (`engine.spec.revisions`), 0 in records of version 0.1; `older`: which fits were scored by older
    ones; `only_save`: it trains no fits, a model is to be saved; `passed_over`: sessions of which nothing was taken
    over, because others may have written them; `time_limit`: seconds that a training may take, where a resume asked for
    others than the spec; `script`: it is a search of a script, whose fits are all there is known of.
    """

    session: Name
    segment: Segment
    dataset: Name
    synthetic: bool
    rows: Count
    classes: Count
    splits: Splits
    scoring: Annotated[list[Name], Meta(min_length=1, max_length=1_000)]
    workers: Count
    trainings: Count
    cost: Duration
    host: Name
    pid: ProcessNumber
    changed: _Names = []
    num_words: Count = 10_000
    folds: Number = 0
    only_save: bool = False
    revision: Count = 0
    older: _Names = []
    passed_over: Count = 0
    time_limit: Duration | None = None
    script: bool = False


class CombinationsAdded(Event, frozen=True):
    """Combinations joined the search, in order; the strategy means to add `to_come` more."""

    combinations: list[PlannedCombination]
    to_come: Number = 0


class CombinationDropped(Event, frozen=True):
    """A combination will not be finished: why, and on what evidence."""

    combination: Number
    reason: Text
    evidence: Text = ""


class CombinationRestored(Event, frozen=True):
    """A dropped, skipped or failed combination is to be finished after all."""

    combination: Number


class RoundDecided(Event, frozen=True):
    """The strategy looked at a whole round of scores, and this followed: one record, so that it holds as a whole.

    `to_come`: combinations that it means to add later.
    """

    strategy: Name
    words: Text
    dropped: list[Dropped] = []
    allowed: list[Allowance] = []
    added: list[PlannedCombination] = []
    to_come: Number = 0


class Steered(Event, frozen=True):
    """Somebody changed the running search: one step, in words and in full; `undoes`: it takes back the one before.

    `first`: combinations that come before all others, in this order, from now on; `widened`: values added to the
    space, as a spec writes them.
    """

    words: Text
    added: list[PlannedCombination] = []
    dropped: _Numbers = []
    restored: _Numbers = []
    first: _Numbers = []
    widened: Values = {}
    undoes: bool = False


class WorkerStarted(Event, frozen=True):
    """A worker process is ready; `device` is "cpu" or "gpu:<number>"."""

    worker: Number
    pid: ProcessNumber
    device: Name


class WorkerDied(Event, frozen=True):
    """A worker process ended unasked: with an exit code, or by a signal (its name)."""

    worker: Number
    pid: ProcessNumber
    exit_code: Annotated[int, Meta(ge=-(1 << 31), lt=1 << 32)] | None = None
    signal: Name = ""
    training: Number | None = None
    reason: Text = ""


class WorkerRecycled(Event, frozen=True):
    """A worker process was replaced on purpose."""

    worker: Number
    pid: ProcessNumber
    reason: Text


class TrainingStarted(Event, frozen=True):
    """A worker began a training, which serves `fits`; `seed` is that of weights, batches and dropout.

    It ends after `epochs` epochs; a checkpoint lets it go on after `start` of them and `start_step` steps of the next.
    """

    training: Number
    worker: Number
    fold: Number
    fits: Annotated[list[ServedFit], Meta(min_length=1)]
    epochs: Epochs
    steps_per_epoch: Count
    cost: Duration
    trainer: Name
    seed: int
    start: Epochs = 0
    start_step: Count = 0


class EpochEnded(Event, frozen=True):
    """An epoch of a training ended; `learning_rate` is the one its last step used.

    `epochs`: of how many, where only the training itself knows it; `planned_rates`: of the last step of each epoch, as
    its schedule gives them, with the first epoch of a script's training.
    """

    training: Number
    epoch: Epochs
    loss: Finite | None
    validation_loss: Finite | None
    validation_score: Score | None
    learning_rate: Rate
    diverged: bool = False
    epochs: Epochs = 0
    planned_rates: Annotated[list[Rate], Meta(max_length=1_000)] = []


class FitScored(Event, frozen=True):
    """A fit has its scores, each metric of the search; none of them when it diverged.

    `seconds`: its training's time up to its epoch; `score_seconds`: what working out these scores took of it, None if
    not measured; `curve`: its epochs up to there; `predictions`: of its validation rows, see
    `engine.session.predictions`.
    `taken_from`: the session that these scores were taken over from. `stopped_at`: the epoch, before the fit's last,
    after which patience had run out (`engine.spec.early_stopping`): where the training ended, with these scores; or
    where it would have, with `stopped_score` for the first metric, had the spec not asked it to go on.
    Of a script's fit: `digest`: of all that decides its result, empty where that is not known; `train_scores`, and
    `rows`, the number of validation rows.
    """

    combination: Number
    fold: Number
    training: Number
    epochs: Epochs
    scores: Scores
    seconds: Duration
    diverged: bool = False
    curve: CurvePlace | None = None
    predictions: PredictionsPlace | None = None
    taken_from: Name = ""
    stopped_at: Epochs | None = None
    stopped_score: Score | None = None
    score_seconds: Duration | None = None
    digest: Name = ""
    train_scores: Scores = {}
    rows: Count = 0


class RungScored(Event, frozen=True):
    """A fit was scored on its way, after fewer epochs than its own: a strategy decides by it whether it goes on."""

    combination: Number
    fold: Number
    training: Number
    epochs: Epochs
    scores: Scores
    seconds: Duration
    curve: CurvePlace | None = None
    predictions: PredictionsPlace | None = None


class FitFailed(Event, frozen=True):
    """A fit raised or lost its worker too often; `traceback` is text."""

    combination: Number
    fold: Number
    training: Number
    error: LongText
    traceback: LongText = ""


class FitRetried(Event, frozen=True):
    """A fit will run once more."""

    combination: Number
    fold: Number
    training: Number
    reason: LongText


class SearchStopping(Event, frozen=True):
    """Somebody stops the search: running trainings are finished first, or left at once, each with a checkpoint."""

    at_once: bool = False


class SearchPaused(Event, frozen=True):
    """Trainings halt at their next epoch's end and keep their state."""


class SearchResumed(Event, frozen=True):
    """Paused trainings go on."""


class DeadlineSet(Event, frozen=True):
    """The search is to end by `at`, in seconds since 1970; None: it may take as long as it takes."""

    at: Moment | None = None


class DelayForeseen(Event, frozen=True):
    """The search may not end by its deadline, or will not (`is_certain`): it needs `least` to `most` of `left` seconds.

    `proposals`: what could be left out, how much time that saves and what it may cost, in words.
    """

    least: Duration
    most: Duration
    left: Annotated[float, Meta(ge=-1e12, le=1e12)]
    is_certain: bool = False
    proposals: Annotated[list[Text], Meta(max_length=1_000)] = []


class RefitStarted(Event, frozen=True):
    """A worker began to train a combination on all training rows; the model is to lie at `path`.

    Without a path the script that runs the search does so itself, and 0 epochs are as many as it takes.

    `request`, here and in what follows: the request that is being answered; empty in older records.
    """

    combination: Number
    epochs: Epochs
    path: Place
    request: Name = ""


class RefitEpochEnded(Event, frozen=True):
    """An epoch of the refit on all training rows ended; `path` is where the model is to lie."""

    combination: Number
    epoch: Epochs
    epochs: Epochs
    loss: Finite | None
    path: Place = ""
    request: Name = ""


class ModelSaved(Event, frozen=True):
    """A refitted model lies, whole and checked, at `path`."""

    combination: Number
    path: Place
    sha256: Name
    request: Name = ""


class TestScored(Event, frozen=True):
    """The saved model's scores on the test set."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    combination: Number
    scores: Annotated[dict[Name, Score], Meta(max_length=1_000)]
    rows: Count
    request: Name = ""


class SaveFailed(Event, frozen=True):
    """A model could not be refitted or saved; nothing was left at `path`.

    `exit_code`: what a command ends with that asked for it, by the kind of error; see `engine.errors`.
    """

    combination: Annotated[int, Meta(ge=-1, lt=10_000_000)]
    path: Place
    error: LongText
    traceback: LongText = ""
    request: Name = ""
    exit_code: Annotated[int, Meta(ge=0, le=255)] = 1


class SearchFinished(Event, frozen=True):
    """The engine's work on the search ended."""

    outcome: Literal["completed", "stopped", "interrupted", "failed"]
    message: Text = ""


AnyEvent = (
    SearchStarted
    | CombinationsAdded
    | CombinationDropped
    | CombinationRestored
    | RoundDecided
    | Steered
    | WorkerStarted
    | WorkerDied
    | WorkerRecycled
    | TrainingStarted
    | EpochEnded
    | RungScored
    | FitScored
    | FitFailed
    | FitRetried
    | SearchStopping
    | SearchPaused
    | SearchResumed
    | DeadlineSet
    | DelayForeseen
    | RefitStarted
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
    """The event of one line.

    Raises `msgspec.DecodeError` or `msgspec.ValidationError` for anything else, ValueError for too deeply nested JSON.
    """
    check_depth(line if isinstance(line, bytes) else line.encode())
    event: AnyEvent = _decoder.decode(line)
    return event


def finite(value: float | None) -> float | None:
    """The value, or None where it is not a finite number: how events write infinities and NaN."""
    return value if value is not None and math.isfinite(value) else None
