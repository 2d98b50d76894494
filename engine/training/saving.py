"""Trained weights saved as a `.keras` file that plain Keras opens and that predicts what was trained, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from engine.errors import CannotCreateError, InputOutputError, TrainingRefusedError, UsageError
from engine.training.keras_batches import Evaluation, trained_model
from engine.training.keras_network import build_optimizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from engine.rows import Rows
    from engine.training.interface import NetworkDescription

TOLERANCE = 1e-5  # between the probabilities of the trainer and those of the saved model

_CANNOT_CREATE = {
    errno.EACCES,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


def check_target(path: Path) -> None:
    """Refuse a path that no model can be saved to, before the work of a refit is done for it.

    Raises `UsageError` for a name that does not end in `.keras`, `CannotCreateError` for a directory, for a folder
    that does not exist and for one that may not be written to.
    """
    if path.suffix != ".keras":
        message = f"{path}: a Keras model is saved to a name that ends in .keras"
        raise UsageError(message)
    if path.is_dir():
        message = f"{path}: is a directory; name the file to save to"
        raise CannotCreateError(message)
    if not path.parent.is_dir():
        message = f"{path}: there is no folder {path.parent}"
        raise CannotCreateError(message)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        message = f"{path}: the folder {path.parent} may not be written to"
        raise CannotCreateError(message)


def save_model(
    network: NetworkDescription,
    weights: Sequence[NDArray[np.float32]],
    path: Path,
    *,
    rows: Rows,
    expected_probabilities: NDArray[np.float32],
    optimizer: str = "sgd",
    optimizer_arguments: Mapping[str, float | bool | None] | None = None,
    learning_rate: float = 0.01,
) -> str:
    """Save the network with these weights (kernel and bias of every dense layer) and return the file's SHA-256.

    The file holds only Keras' own classes: it loads without this project, takes multi-hot rows (rows, width) and
    is compiled, with accuracy and with the named optimizer in its initial state, so that `evaluate` and a further
    `fit` work. It is written beside its target, loaded back and only then renamed, and both before and after
    writing its predictions for `rows` must equal `expected_probabilities` (rows, classes) to `TOLERANCE`.

    Raises `TrainingRefusedError` if they do not, `UsageError` and `CannotCreateError` as `check_target` does, and
    `InputOutputError` if writing fails underway. The target then is what it was before.
    """
    check_target(path)
    model = trained_model(network, weights, build_optimizer(optimizer, optimizer_arguments or {}, learning_rate))
    _refuse_other_predictions(model, network, rows, expected_probabilities, "the Keras model")
    # Keras takes the format from the ending, so the temporary name has it too.
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.keras")
    try:
        model.save(temporary)
        loaded = keras.saving.load_model(temporary, safe_mode=True)
        _refuse_other_predictions(loaded, network, rows, expected_probabilities, "the saved model, loaded back,")
        digest = _synced_digest(temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        message = f"{path}: cannot be saved: {error.strerror or error}"
        failure = CannotCreateError if error.errno in _CANNOT_CREATE else InputOutputError
        raise failure(message) from error
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def _refuse_other_predictions(
    model: Any,
    network: NetworkDescription,
    rows: Rows,
    expected: NDArray[np.float32],
    whose: str,
) -> None:
    probabilities, _ = Evaluation(model, network)(rows)
    if probabilities.shape != expected.shape:
        message = f"{whose} predicts {probabilities.shape} probabilities where {expected.shape} were expected"
        raise TrainingRefusedError(message)
    difference = float(np.max(np.abs(probabilities - expected), initial=0.0))
    if not difference <= TOLERANCE:  # NaN too
        message = f"{whose} predicts otherwise than what was trained: probabilities differ by {difference:.3g}"
        raise TrainingRefusedError(message)


def _synced_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
