"""Orders to workers, and the messages of workers to the engine: lines of JSON over pipes, never pickles."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.spec.early_stopping import EarlyStopping
from engine.spec.models import KerasFunction

LONGEST_LINE = 4 << 20  # no message of a worker is longer


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A line in either direction."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Something on disk that an order is about: `digest` names it anywhere, `path` says where it lies on this machine.

    A pool that carries an order to another machine sees by the digest whether that machine has it already, and replaces
    the path by the one there.
    """

    digest: str
    path: str


# From the engine to a worker


class Warm(Message, frozen=True):
    """Import what the scorers, and trainings with these parameters, need, while the engine prepares the rest."""

    scoring: list[str]
    trainings: list[tuple[str, dict[str, Any]]]  # name of the trainer, parameters


class Prepare(Message, frozen=True):
    """The data of the search, and what holds for all of its trainings.

    `dataset`: a folder of arrays, by `Dataset.digest`. `folds`: the file of an array (repeats, rows), the fold of every
    row or -1, by the SHA-256 of its numbers. `early_stopping`: when a training ends before its time.
    `model`: the function that builds the model, if that is no built-in network; `files`: their SHA-256.
    """

    dataset: Stored
    folds: Stored
    scoring: list[str]
    seed: int
    early_stopping: EarlyStopping | None = None
    model: KerasFunction | None = None
    files: dict[str, str] = {}


class Build(Message, frozen=True):
    """Run the file of a function of the user's own for the first time, and build the model of some parameters twice.

    `rows`, `width`, `classes`: of the data; `seed`: of the search.
    """

    model: KerasFunction
    params: dict[str, Any]
    rows: int
    width: int
    classes: int
    seed: int


class Train(Message, frozen=True):
    """Train on the split of that number and score after each of `stops` epochs (ascending; the last ends it).

    `params`: the whole training's, which may go on after the last stop. `key` spells out everything that decides the
    training except how long it is. `checkpoint`: the file of the checkpoint with that key, named by the key's SHA-256.
    The training continues from it if it is there and was left before the first stop, and leaves checkpoints in it: from
    time to time, when the worker is to leave, and at the last stop if `keeps_last`.
    """

    training: int
    trainer: str
    split: int
    params: dict[str, Any]
    stops: list[int]
    checkpoint: Stored
    key: str
    keeps_last: bool = False


class Refit(Message, frozen=True):
    """Train on all training rows for `epochs` epochs, save the model at `path`, score it on the test set.

    `params`: the whole training's, which may be longer. `request`: the request that the model answers. `record`: what
    the description beside the model says, before the scores are known. `checkpoint` and `key`: as in `Train`.
    """

    request: str
    trainer: str
    params: dict[str, Any]
    epochs: int
    path: str
    record: dict[str, Any]
    checkpoint: Stored
    key: str


class Hold(Message, frozen=True):
    """Halt at the next epoch's end; keep the state."""


class GoOn(Message, frozen=True):
    """Go on after a `Hold`."""


class Abandon(Message, frozen=True):
    """End the training after the next epoch, or after the last of its stops that `epochs` reaches."""

    training: int
    epochs: int = 0


class Leave(Message, frozen=True):
    """Leave the training as soon as it has a checkpoint, within an epoch or held as well, and begin no other one."""


# These are carried out in turn; every other order acts at once.
class MappedBuffer(msgspec.Struct, frozen=True, kw_only=True):
    """A file that holds the bytes of a large array, to be mapped."""

    path: str
    length: int


class OpenTasks(Message, frozen=True):
    """Tasks of a script follow: where its modules lie, in the order of its `sys.path`.

    `buffers`: folders of large arrays, which go once nobody uses them any more.
    """

    paths: list[str]
    buffers: list[str] = []


class Share(Message, frozen=True):
    """A pickled value that tasks refer to by its number; `buffers`: its large arrays."""

    number: int
    pickled: bytes
    buffers: list[MappedBuffer] = []


class CloseTasks(Message, frozen=True):
    """The tasks of a search are over: forget what they had in common."""


class LogInto(Message, frozen=True):
    """Print into this file from now on: the worker works for another session."""

    path: str


class RunTask(Message, frozen=True):
    """Run a pickled `(function, arguments, keywords, nested backend, nested number of jobs)` of a script."""

    task: int
    pickled: bytes
    buffers: list[MappedBuffer] = []


OfScript = OpenTasks | CloseTasks | LogInto | Share | RunTask
Work = Warm | Prepare | Build | Train | Refit | OfScript
ToWorker = Work | Hold | GoOn | Abandon | Leave


# From a worker to the engine


class Ready(Message, frozen=True):
    """The worker can take work."""

    pid: int


class Broken(Message, frozen=True):
    """The worker cannot go on, for this reason, and ends."""

    reason: str


class Built(Message, frozen=True):
    """The model could be built: the SHA-256 of each file that its function needs; or `error` and `traceback`."""

    files: dict[str, str] = {}
    error: str = ""
    traceback: str = ""


class OfTraining(Message, frozen=True):
    """Something about a training that the worker was given."""

    training: int


class Begun(OfTraining, frozen=True):
    """A training began, or goes on after `start` epochs and `step` steps of the next, which took `seconds` in all."""

    seed: int
    steps_per_epoch: int
    start: int = 0
    step: int = 0
    seconds: float = 0.0


class EpochDone(OfTraining, frozen=True):
    """An epoch of a training; numbers that are not finite are None. `before`: it was trained before the checkpoint."""

    epoch: int
    loss: float | None
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float
    diverged: bool = False
    before: bool = False


class Scored(OfTraining, frozen=True):
    """The scores at a stop; `diverged` ends the training, and every later stop with it.

    `score_seconds`: how much of the training's `seconds` the scores took.
    `stopped_at`, `stopped_score`: as in `engine.session.events.FitScored`.
    `predictions`: of the validation rows, as `engine.session.predictions` packs them; none of a diverged one.
    """

    epochs: int
    scores: dict[str, float | None]
    seconds: float
    score_seconds: float | None = None
    diverged: bool = False
    stopped_at: int | None = None
    stopped_score: float | None = None
    predictions: bytes = b""


class Ended(OfTraining, frozen=True):
    """The training is over, in order or as it was abandoned; the worker is free."""

    memory: int


class Failed(OfTraining, frozen=True):
    """The training raised; the worker is free."""

    error: str
    traceback: str
    out_of_memory: bool = False


class Left(OfTraining, frozen=True):
    """The training was left because of `Leave`; its checkpoint lies where the order has it."""


class OfRefit(Message, frozen=True):
    """Something about the refit of a request."""

    request: str


class RefitEpoch(OfRefit, frozen=True):
    """An epoch of a refit."""

    epoch: int
    epochs: int
    loss: float | None


class Saved(OfRefit, frozen=True):
    """The refitted model lies at its path; the worker is free."""

    sha256: str
    test_scores: dict[str, float]
    test_rows: int


class RefitFailed(OfRefit, frozen=True):
    """No model was saved; the worker is free. `exit_code`: that of the command that asked for the model."""

    error: str
    exit_code: int
    traceback: str


class RefitLeft(OfRefit, frozen=True):
    """The refit was left because of `Leave`."""


class TaskBegun(Message, frozen=True):
    """A task began."""

    task: int


class TaskEpoch(Message, frozen=True):
    """An epoch of a Keras model that a task trains; numbers that are not finite, or not known, are None.

    Epochs are counted through all of a task's trainings, of which there are `epochs` as far as is known.
    `planned_rates`: what the optimizer's schedule gives at the end of each epoch, where it has one.
    """

    task: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    loss: float | None
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float
    planned_rates: list[float] = []


class TaskPart(Message, frozen=True):
    """A part of the pickled result or error of a task that is about to be done, where it is large."""

    task: int
    pickled: bytes


class TaskDone(Message, frozen=True):
    """A task returned, or raised (`raised`): its pickled result or error, or the last part of that.

    `printed`: scikit-learn's own lines about a fit; `warnings`: pickled (message, category, filename, line) of each.
    `memory` in bytes.
    """

    task: int
    pickled: bytes
    raised: bool = False
    error: str = ""
    traceback: str = ""
    printed: str = ""
    warnings: bytes = b""
    memory: int = 0


FromWorker = (
    Ready
    | Broken
    | Built
    | Begun
    | EpochDone
    | Scored
    | Ended
    | Failed
    | Left
    | RefitEpoch
    | Saved
    | RefitFailed
    | RefitLeft
    | TaskBegun
    | TaskEpoch
    | TaskPart
    | TaskDone
)

encode = msgspec.json.Encoder().encode
decode_to_worker = msgspec.json.Decoder(ToWorker).decode
decode_from_worker = msgspec.json.Decoder(FromWorker).decode
