"""A saved model predicts what was trained in plain Keras, and a target holds a whole model or what it held before."""

from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import CannotCreateError, FoldwatchError, InputOutputError, TrainingRefusedError, UsageError
from engine.spec.catalogue import OPTIMIZERS
from engine.training.interface import NetworkDescription
from engine.training.randomness import initial_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.rows import Rows
    from engine.training.interface import TrainingRequest

pytestmark = pytest.mark.keras

PLAIN_KERAS = """
import json, sys
import numpy as np
import keras
rows, labels = np.load(sys.argv[2]), np.load(sys.argv[3])
model = keras.models.load_model(sys.argv[1])
predicted = model.predict(rows, verbose=0)
loss, accuracy = model.evaluate(rows, labels, verbose=0)
model.fit(rows, labels, epochs=1, verbose=0)
print(json.dumps({
    "predicted": predicted.tolist(), "loss": loss, "accuracy": accuracy,
    "optimizer": type(model.optimizer).__name__, "ours": [name for name in sys.modules if name.startswith("engine")],
    "one_row": model.predict(rows[:1], verbose=0).shape,
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "optimizer"), [(2, "adam"), (4, "lamb")])
def test_a_saved_model_works_in_plain_keras(
    make_rows: Callable[..., Rows],
    make_request: Callable[..., TrainingRequest],
    tmp_path: Path,
    classes: int,
    optimizer: str,
) -> None:
    from engine.training.keras.saving import save_model
    from engine.training.keras.trainer import KerasTrainer

    training, validation = make_rows(70, classes), make_rows(33, classes, seed=1)
    request = make_request(training, optimizer=optimizer, dropout=0.2, l2=0.001)
    *_, last = KerasTrainer().train(request, training, validation)
    path = tmp_path / "best.keras"
    digest = save_model(
        request.network,
        last.weights(),
        path,
        rows=validation,
        expected_probabilities=last.probabilities,
        optimizer=optimizer,
        learning_rate=last.learning_rate,
    )
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.name for file in tmp_path.iterdir()] == ["best.keras"]
    np.save(tmp_path / "rows.npy", validation.dense())
    labels = validation.labels[:, np.newaxis] if classes == 2 else np.eye(classes)[validation.labels]
    np.save(tmp_path / "labels.npy", labels)
    finished = subprocess.run(
        [sys.executable, "-P", "-W", "error:Skipping variable loading", "-c", PLAIN_KERAS]
        + [str(tmp_path / name) for name in ("best.keras", "rows.npy", "labels.npy")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    plain = json.loads(finished.stdout.splitlines()[-1])
    expected = last.probabilities[:, 1:] if classes == 2 else last.probabilities
    np.testing.assert_allclose(plain["predicted"], expected, rtol=0, atol=1e-5)
    assert plain["loss"] == pytest.approx(last.validation_loss, abs=1e-5)
    accuracy = np.mean(last.probabilities.argmax(axis=1) == validation.labels)
    assert plain["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert plain["optimizer"] == OPTIMIZERS[optimizer].class_name
    assert plain["ours"] == []
    assert plain["one_row"] == [1, 1 if classes == 2 else classes]


@pytest.fixture
def save(make_rows: Callable[..., Rows]) -> Callable[..., str]:
    """Saves a small network, with probabilities expected that are `shift` away from its own."""

    def save_shifted(path: Path, shift: float = 0.0, **arguments: Any) -> str:
        from engine.training.keras.batches import predict
        from engine.training.keras.saving import save_model

        rows = make_rows(5, 4)
        network = NetworkDescription(rows.width, 4, (3,))
        weights = initial_weights(network, 1)
        expected = predict(network, weights, rows) + np.float32(shift)
        return save_model(network, weights, path, rows=rows, expected_probabilities=expected, **arguments)

    return save_shifted


@pytest.mark.slow
def test_loading_the_saved_model_warns_of_nothing(save: Callable[..., str], tmp_path: Path) -> None:
    """Warnings are errors here: an optimizer saved without its state would warn when it is loaded back."""
    for optimizer in ("sgd", "nadam", "lamb", "adafactor"):
        save(tmp_path / "best.keras", optimizer=optimizer)


@pytest.mark.parametrize("shift", [2e-5, float("nan")])
def test_refuses_a_model_that_predicts_otherwise(save: Callable[..., str], tmp_path: Path, shift: float) -> None:
    path = tmp_path / "best.keras"
    path.write_bytes(b"the model before")
    with pytest.raises(TrainingRefusedError, match="the Keras model does not predict"):
        save(path, shift)
    assert path.read_bytes() == b"the model before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "is_saved"), [(0.0, True), (2e-5, False), (float("nan"), False)])
def test_where_float32_says_too_little_float64_decides(
    make_rows: Callable[..., Rows], tmp_path: Path, shift: float, is_saved: bool
) -> None:
    """Outputs in the thousands, as a long training on few rows can leave them."""
    from engine.training.keras.batches import predict_exactly
    from engine.training.keras.saving import TOLERANCE, save_model
    from engine.training.kernel import KernelTrainer
    from engine.training.requests import training_request

    rows = make_rows(200, 8)
    params = {"epochs": 1, "batch_size": 8, "hidden_units": [64, 64], "optimizer": "sgd", "learning_rate": 0.01}
    request = training_request(params, row_count=200, width=rows.width, classes=8, seed=1)
    weights = [30 * array for array in initial_weights(request.network, 1)]
    exact = KernelTrainer().exact_probabilities(request, weights, rows)
    assert np.abs(exact - predict_exactly(request.network, weights, rows)).max() < TOLERANCE / 10

    def save() -> None:
        save_model(
            request.network,
            weights,
            tmp_path / "best.keras",
            rows=rows,
            expected_probabilities=exact + np.float32(2 * TOLERANCE),
            exact_probabilities=lambda: exact + np.float32(shift),
        )

    if is_saved:
        save()
        assert (tmp_path / "best.keras").exists()
    else:
        with pytest.raises(TrainingRefusedError, match="in float64 does not predict"):
            save()


def test_refuses_a_file_that_predicts_otherwise(
    save: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    load = keras.saving.load_model

    def tampered(*arguments: Any, **options: Any) -> Any:
        model = load(*arguments, **options)
        model.set_weights([array + 0.1 * np.arange(array.shape[-1]) for array in model.get_weights()])
        return model

    monkeypatch.setattr(keras.saving, "load_model", tampered)
    with pytest.raises(TrainingRefusedError, match="the saved model, loaded back, does not predict"):
        save(tmp_path / "best.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "error", "exit_code"),
    [(errno.ENOSPC, InputOutputError, 74), (errno.EROFS, CannotCreateError, 73)],
)
def test_a_failed_write_leaves_the_target_as_it_was(
    save: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[FoldwatchError],
    exit_code: int,
) -> None:
    import keras

    def fail(model: object, path: Path) -> None:
        path.write_bytes(b"half a mod")
        raise OSError(number, "cannot")

    monkeypatch.setattr(keras.Model, "save", fail)
    path = tmp_path / "best.keras"
    path.write_bytes(b"the model before")
    with pytest.raises(error, match=r"best\.keras: cannot be saved: cannot") as raised:
        save(path)
    assert raised.value.exit_code == exit_code
    assert path.read_bytes() == b"the model before"
    assert list(tmp_path.iterdir()) == [path]


def test_replaces_an_older_model_whole(save: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    path.write_bytes(b"the model before")
    assert save(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_refuses_targets_that_cannot_be_saved_to(
    save: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from engine.training.model_path import check_model_place

    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"best\.h5: .* ends in .keras"):
        check_model_place(tmp_path / "best.h5")
    with pytest.raises(CannotCreateError, match="is a directory"):
        check_model_place(tmp_path / "folder.keras")
    with pytest.raises(CannotCreateError, match="there is no folder"):
        check_model_place(tmp_path / "nowhere" / "best.keras")
    with pytest.raises(CannotCreateError, match="there is no folder"):
        save(tmp_path / "file" / "best.keras")
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CannotCreateError, match="may not be written to"):
        check_model_place(tmp_path / "best.keras")
    check = tmp_path / "best.keras"
    assert not check.exists()
