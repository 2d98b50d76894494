"""Models of users' own functions: trained as Keras trains them, from the same start, and continued to the last bit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.errors import TrainingRefusedError
from engine.spec.models import KerasFunction
from engine.training.requests import training_request
from engine.training.user_code import files_in_use, open_function
from engine.workers import messages
from engine.workers.first_build import build
from tests.fakes import Collector
from tests.own_models import write_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.data.rows import Rows
    from engine.training.interface import Epoch, TrainingRequest

pytestmark = pytest.mark.keras


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], KerasFunction]]:
    """Functions of a folder that is on the path of modules for as long as the test runs."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    folder = write_models(tmp_path)
    yield lambda name: KerasFunction(f"models.py:{name}", str(folder))
    for name in {"models", "layers_beside"} & (set(sys.modules) - before):
        del sys.modules[name]


def requested(model: KerasFunction, rows: Rows, params: dict[str, Any]) -> TrainingRequest:
    own = open_function(model, {})
    return training_request(params, row_count=len(rows), width=rows.width, classes=rows.classes, seed=7, own=own)


def bits(epoch: Epoch) -> tuple[object, ...]:
    """All that an epoch says and leaves behind."""
    arrays = epoch.checkpoint().arrays
    said = (epoch.number, epoch.loss, epoch.validation_loss, epoch.learning_rate, epoch.probabilities.tobytes())
    return (*said, [part.tobytes() for part in epoch.weights()], [(name, arrays[name].tobytes()) for name in arrays])


def test_a_training_goes_on_from_any_step_as_if_it_had_never_halted(
    function: Callable[[str], KerasFunction], make_rows: Callable[..., Rows]
) -> None:
    from engine.training.keras.trainer import KerasTrainer

    rows, validation = make_rows(50, 4), make_rows(20, 4, seed=1)
    params = {"epochs": 2, "batch_size": 16, "model__dropout": 0.3, "optimizer": "adam", "learning_rate": 0.01}
    request = requested(function("build"), rows, params)
    keeper = Collector()
    whole = [bits(epoch) for epoch in KerasTrainer().train(request, rows, validation, None, keeper)]
    assert len(whole) == 2
    for kept in (keeper.taken[1], keeper.taken[-1]):  # one within each epoch
        later = [bits(epoch) for epoch in KerasTrainer().train(request, rows, validation, kept)]
        assert later == whole[kept.epoch :]


def test_a_training_is_what_keras_fits_on_the_same_rows_in_the_same_order(
    function: Callable[[str], KerasFunction], make_rows: Callable[..., Rows]
) -> None:
    """One batch after the other, from the model that the function builds under the seed."""
    import keras

    from engine.training.keras.own_model import ModelEvaluation, build_model
    from engine.training.keras.trainer import KerasTrainer
    from engine.training.randomness import batch_order

    rows, validation = make_rows(48, 2), make_rows(20, 2, seed=1)
    params = {"epochs": 1, "batch_size": 16, "model__dropout": 0.3, "optimizer": "sgd", "learning_rate": 0.1}
    request = requested(function("build"), rows, params)
    (epoch,) = KerasTrainer().train(request, rows, validation)
    assert request.call is not None
    model = build_model(request.call, request.network, keras.optimizers.SGD(0.1), seed=request.seed)
    ordered = rows.take(batch_order(len(rows), 1, request.seed))
    labels = ordered.labels.astype(np.float32)[:, np.newaxis]
    history = model.fit(ordered.dense(), labels, batch_size=16, epochs=1, shuffle=False, verbose=0).history
    for ours, theirs in zip(epoch.weights(), model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert epoch.loss == pytest.approx(history["loss"][0], rel=1e-6)
    expected = validation.labels.astype(np.float32)[:, np.newaxis]
    assert epoch.validation_loss == pytest.approx(model.evaluate(validation.dense(), expected, verbose=0)[0], rel=1e-5)
    assert np.allclose(epoch.probabilities[:, 1], model.predict(validation.dense(), verbose=0)[:, 0], atol=1e-6)
    assert np.array_equal(ModelEvaluation(model, 2)(validation)[0], epoch.probabilities)


def test_the_search_sets_the_rates_of_its_optimizer_and_leaves_those_of_another(
    function: Callable[[str], KerasFunction], make_rows: Callable[..., Rows]
) -> None:
    from engine.training.keras.trainer import KerasTrainer

    rows = make_rows(40, 4)
    schedule: dict[str, Any] = {"learning_rate": "ExponentialDecay", "learning_rate__initial_learning_rate": 0.5}
    schedule |= {"learning_rate__decay_steps": 1, "learning_rate__decay_rate": 0.5, "optimizer": "sgd"}
    params = {"epochs": 2, "batch_size": 20}
    for name, more, rates in (
        ("build", schedule, [0.25, 0.0625]),
        ("compiled", schedule, [0.25, 0.0625]),
        ("own_optimizer", {}, [0.005, 0.00125]),
    ):
        request = requested(function(name), rows, {**params, **more})
        seen = [epoch.learning_rate for epoch in KerasTrainer().train(request, rows, None)]
        assert seen == pytest.approx(rates), name
    with pytest.raises(TrainingRefusedError, match="an optimizer of its own"):
        next(KerasTrainer().train(requested(function("own_optimizer"), rows, {**params, **schedule}), rows, None))


def test_a_subclassed_model_is_trained_too(
    function: Callable[[str], KerasFunction], make_rows: Callable[..., Rows]
) -> None:
    from engine.training.keras.trainer import KerasTrainer

    rows, validation = make_rows(64, 4), make_rows(40, 4, seed=1)
    request = requested(function("subclassed"), rows, {"epochs": 6, "batch_size": 8, "learning_rate": 0.02})
    epochs = list(KerasTrainer().train(request, rows, validation))
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].probabilities.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-5)


def built(model: KerasFunction, **params: Any) -> messages.Built:
    return build(messages.Build(model=model, params=params, rows=50, width=60, classes=4, seed=1))


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("fails", {}, "models.py, line 46, in fails: RuntimeError: no network today"),
        ("build", {"model__units": "many"}, "layers_beside.py, line 6, in hidden: "),
        ("build", {"model__unit": 1}, "models.py:build: TypeError: "),
        ("absent", {}, "has no function absent"),
        ("nothing", {}, "returned NoneType where a keras.Model is needed"),
        ("narrow", {}, "gives (3,) for a row where 4 classes need (4,)"),
        ("logits", {}, "outputs are no probabilities; end it with softmax"),
        ("another", {}, "builds another network when it is called twice"),
        ("own_optimizer", {"learning_rate": 0.1}, "an optimizer of its own"),
    ],
)
def test_the_first_build_tells_what_is_wrong(
    function: Callable[[str], KerasFunction], name: str, params: dict[str, Any], words: str
) -> None:
    said = built(function(name), **params)
    assert words in said.error
    assert "\n" not in said.error
    assert not said.files


def test_the_last_lines_are_those_of_the_users_own_code(function: Callable[[str], KerasFunction]) -> None:
    lines = built(function("fails")).traceback.splitlines()
    assert lines[-1] == "RuntimeError: no network today"
    assert [line for line in lines if "File" in line] == [lines[0]]
    assert "models.py" in lines[0]


def test_what_can_be_built_is_known_by_all_its_files(function: Callable[[str], KerasFunction], tmp_path: Path) -> None:
    said = built(function("build"), model__units=3, optimizer="adam")
    assert said.error == ""
    assert set(said.files) == {str((tmp_path / name).resolve()) for name in ("models.py", "layers_beside.py")}
    assert said.files == files_in_use(function("build"))
    assert built(function("own_optimizer")).error == ""


def test_a_model_is_saved_so_that_keras_alone_loads_it(
    function: Callable[[str], KerasFunction], make_rows: Callable[..., Rows], tmp_path: Path
) -> None:
    import keras

    from engine.training.keras.saving import predict_for, save_model
    from engine.training.keras.trainer import KerasTrainer

    rows = make_rows(40, 4)
    request = requested(function("build"), rows, {"epochs": 1, "optimizer": "adam"})
    (epoch,) = KerasTrainer().train(request, rows, rows)
    weights = epoch.weights()
    save_model(
        request.network,
        weights,
        tmp_path / "model.keras",
        rows=rows,
        expected_probabilities=epoch.probabilities,
        call=request.call,
        optimizer=request.optimizer,
        learning_rate=epoch.learning_rate,
    )
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.allclose(loaded.predict(rows.dense(), verbose=0), epoch.probabilities, atol=1e-6)
    assert np.array_equal(predict_for(request, weights, rows), epoch.probabilities)
    assert loaded.optimizer.name == "adam"
