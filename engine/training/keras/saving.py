"""Saves trained weights as a `.keras` file that plain Keras opens and that predicts as they do, or saves nothing."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from engine.errors import TrainingRefusedError, cannot_write
from engine.system.whole_files import sync_folder, temporary_folder
from engine.training.keras.batches import Evaluation, predict, predict_exactly, trained_model
from engine.training.keras.network import build_optimizer
from engine.training.keras.own_model import ModelEvaluation, build_model
from engine.training.model_path import check_model_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.training.interface import FunctionCall, NetworkDescription, TrainingRequest

TOLERANCE = 1e-5  # between the probabilities of the trainer and those of the saved model


def save_model(
    network: NetworkDescription,
    weights: Sequence[NDArray[np.float32]],
    path: Path,
    *,
    rows: Rows,
    expected_probabilities: NDArray[np.float32],
    exact_probabilities: Callable[[], NDArray[np.floating[Any]]] | None = None,
    call: FunctionCall | None = None,
    optimizer: str = "sgd",
    optimizer_arguments: Mapping[str, float | bool | None] | None = None,
    learning_rate: float = 0.01,
    before_saving: Callable[[], None] = lambda: None,
) -> str:
    """Save the network with these weights (as `Epoch.weights`) and return the file's SHA-256.

    The file holds only Keras' own classes: it loads without this project, takes multi-hot rows (rows, width) and
    is compiled, with accuracy and with the named optimizer in its initial state, so that `evaluate` and a further
    `fit` work. It is written beside its target, loaded back and only then renamed.

    Its predictions for `rows` must equal `expected_probabilities` (rows, classes) to `TOLERANCE`, or where float32
    rounds by more than that, those in float64 must equal `exact_probabilities()`; and the file's must equal its own.

    `call`: what builds the model, if that is no built-in network; its file then holds the classes that the function
    used, which Keras finds where they are registered.

    `before_saving` is called once all of that holds, before the file takes its place.

    Raises `TrainingRefusedError` if they do not, `UsageError` and `CannotCreateError` as `check_model_place` does, and
    `InputOutputError` if writing fails underway. The target then is what it was before.
    """
    check_model_place(path)
    own_optimizer = build_optimizer(optimizer, optimizer_arguments or {}, learning_rate)
    evaluation: Callable[[Any], Callable[[Rows], tuple[NDArray[np.float32], float | None]]]
    if call is None:
        model = trained_model(network, weights, own_optimizer)
        evaluation = functools.partial(Evaluation, network=network)
    else:
        model = build_model(call, network, own_optimizer, seed=0)
        model.set_weights(weights)
        evaluation = functools.partial(ModelEvaluation, classes=network.classes)
        exact_probabilities = None  # what trained it was Keras too
    probabilities, _ = evaluation(model)(rows)
    # Large outputs, after a long training, are rounded by more than that in float32, in Keras as in the kernel.
    if _agree(probabilities, expected_probabilities) or exact_probabilities is None:
        _check_agreement(probabilities, expected_probabilities, "the Keras model")
    else:
        _check_agreement(predict_exactly(network, weights, rows), exact_probabilities(), "the Keras model in float64")
    try:
        # Keras opens a path by its name: in a folder that no other user can enter, it is no link of another user.
        with temporary_folder(path.parent) as folder:
            temporary = folder / "model.keras"
            model.save(temporary)
            loaded = _loaded(temporary, call)
            _check_agreement(evaluation(loaded)(rows)[0], probabilities, "the saved model, loaded back,")
            digest = _synced_digest(temporary)
            before_saving()
            temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, "cannot be saved", error) from error
    return digest


def predict_for(request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows) -> NDArray[np.float32]:
    """Probabilities (rows, classes) that Keras predicts with the weights of a training as requested."""
    if request.call is None:
        return predict(request.network, weights, rows)
    optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, 0.01)
    model = build_model(request.call, request.network, optimizer, seed=0)
    model.set_weights(weights)
    return ModelEvaluation(model, classes=request.network.classes)(rows)[0]


def _loaded(path: Path, call: FunctionCall | None) -> Any:
    """The model that a file holds, as anybody loads it. Raises TrainingRefusedError where Keras does not."""
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (TypeError, ValueError, ImportError) as error:
        if call is None:
            raise
        reason = " ".join(str(error).split())[:500]
        message = (
            f"{call.name}: the model that it builds cannot be loaded back by Keras, so it was not saved: {reason}; "
            "a class of your own needs keras.saving.register_keras_serializable and get_config"
        )
        raise TrainingRefusedError(message) from error


def _check_agreement(probabilities: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]], whose: str) -> None:
    if probabilities.shape != expected.shape:
        message = f"{whose} predicts {probabilities.shape} probabilities where {expected.shape} were expected"
        raise TrainingRefusedError(message)
    if not _agree(probabilities, expected):
        difference = np.max(np.abs(probabilities - expected))
        message = f"{whose} does not predict what was trained: probabilities differ by {difference:.3g}"
        raise TrainingRefusedError(message)


def _agree(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> bool:
    return one.shape == other.shape and bool(np.all(np.abs(one - other) <= TOLERANCE))  # no NaN agrees


def _synced_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
