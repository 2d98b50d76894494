"""What the engine and its workers say to each other: lines of JSON over pipes, never pickles."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.early_stopping import EarlyStopping

LONGEST_LINE = 4 << 20  # nothing that a worker has to say is longer


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A line in either direction."""


# From the engine to a worker


class Warm(Message, frozen=True):
    """Import what the scorers, and trainings with these parameters, need, while the engine prepares the rest."""

    scoring: list[str]
    trainings: list[tuple[str, dict[str, Any]]]  # name of the trainer, parameters


class Prepare(Message, frozen=True):
    """The data of the search: a folder of arrays, the fold of every row, what to score, and when to end early."""

    dataset: str
    folds: str
    scoring: list[str]
    seed: int
    early_stopping: EarlyStopping | None = None


class Train(Message, frozen=True):
    """Train on a split and score after each of `stops` epochs (ascending; the last ends it).

    `params`: the whole training's; it may reach beyond the last stop. `start`: the file of a checkpoint to continue
    from, if there is one with this `key` from before the first stop; `keep`: the file to leave one in at the last stop.
    `key` names all that decides the training but how long it is.
    """

    training: int
    trainer: str
    fold: int
    params: dict[str, Any]
    stops: list[int]
    start: str = ""
    keep: str = ""
    key: str = ""


class Refit(Message, frozen=True):
    """Train on all training rows for `epochs` epochs, save the model at `path`, score it on the test set.

    `params`: the whole training's, which may be longer.
    """

    combination: int
    trainer: str
    params: dict[str, Any]
    epochs: int
    path: str
    record: dict[str, Any]


class Hold(Message, frozen=True):
    """Halt at the next epoch's end; keep the state."""


class GoOn(Message, frozen=True):
    """Go on after a `Hold`."""


class Abandon(Message, frozen=True):
    """Leave the training at the next epoch's end, or at stops beyond `epochs`."""

    training: int
    epochs: int = 0


ToWorker = Warm | Prepare | Train | Refit | Hold | GoOn | Abandon


# From a worker to the engine


class Ready(Message, frozen=True):
    """The worker can take work."""

    pid: int


class Begun(Message, frozen=True):
    """A training began."""

    training: int
    seed: int
    steps_per_epoch: int


class EpochDone(Message, frozen=True):
    """An epoch of a training; numbers that are not finite are None."""

    training: int
    epoch: int
    loss: float | None
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float
    diverged: bool = False


class Scored(Message, frozen=True):
    """The scores at a stop; `diverged` ends the training, and every later stop with it.

    `score_seconds`: what working out the scores took of the training's `seconds`.
    `stopped_at`, `stopped_score`: as in `engine.events.FitScored`.
    `predictions`: of the validation rows, as `engine.predictions` packs them; none of a diverged one.
    """

    training: int
    epochs: int
    scores: dict[str, float | None]
    seconds: float
    score_seconds: float | None = None
    diverged: bool = False
    stopped_at: int | None = None
    stopped_score: float | None = None
    predictions: bytes = b""


class Ended(Message, frozen=True):
    """The training is over, in order or as it was abandoned; the worker is free."""

    training: int
    memory: int


class Failed(Message, frozen=True):
    """The training raised; the worker is free."""

    training: int
    error: str
    traceback: str
    out_of_memory: bool = False


class RefitEpoch(Message, frozen=True):
    """An epoch of a refit."""

    combination: int
    epoch: int
    epochs: int
    loss: float | None


class Saved(Message, frozen=True):
    """The refitted model lies at its path."""

    combination: int
    path: str
    sha256: str
    test_scores: dict[str, float]
    test_rows: int


class RefitFailed(Message, frozen=True):
    """No model was saved; the worker is free."""

    combination: int
    path: str
    error: str
    traceback: str


FromWorker = Ready | Begun | EpochDone | Scored | Ended | Failed | RefitEpoch | Saved | RefitFailed

encode = msgspec.json.Encoder().encode
decode_to_worker = msgspec.json.Decoder(ToWorker).decode
decode_from_worker = msgspec.json.Decoder(FromWorker).decode
