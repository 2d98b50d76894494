"""Trains a combination on all training rows, saves it with Keras, and scores it on the test set."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import TrainingRefusedError
from engine.system.whole_files import as_json, write_whole
from engine.training.model_path import check_model_place
from engine.training.randomness import training_seed
from engine.training.requests import training_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from engine.data import Dataset
    from engine.training.interface import Checkpoint, Epoch, Keeper, Trainer
    from engine.training.user_code import UserFunction

_CHECKED_ROWS = 1000  # on them the saved model must predict what the trained one does


@dataclass(frozen=True)
class Refitted:
    """The result of a refit: the SHA-256 of the model's file, and its scores on the test set by scorer."""

    sha256: str
    test_scores: dict[str, float]


def refit(
    trainer: Trainer,
    dataset: Dataset,
    params: Mapping[str, Any],
    *,
    epochs: int,
    seed: int,
    scoring: Sequence[str],
    path: Path,
    record: Mapping[str, Any],
    on_epoch: Callable[[Epoch, int], None],
    start: Checkpoint | None = None,
    keeper: Keeper | None = None,
    own: UserFunction | None = None,
) -> Refitted:
    """Refit, save the model at `path` (`.keras`) with a description beside it (`.json`), and score the test set once.

    `epochs`: after how many the training with `params`, and its schedule, is left. `record` is written into the
    description, with the scores and the model's hash added. `on_epoch` gets every epoch, and `epochs`. `start`, from
    before the last epoch, and `keeper` are a `Trainer`'s; the keeper is called after every epoch too. `own`: as in
    `training_request`. Raises what
    `save_model` and the keeper raise, and TrainingRefusedError if the refit diverges.
    """
    # Importing Keras takes seconds: a path that no model can be saved to is refused before.
    from engine.training.keras.saving import predict_for, save_model
    from engine.training.scoring import scores

    check_model_place(path)
    rows = dataset.training
    request = training_request(
        params,
        row_count=len(rows),
        width=rows.width,
        classes=rows.classes,
        seed=training_seed(seed, rows),
        own=own,
    )
    checked = rows.take(np.arange(min(_CHECKED_ROWS, len(rows))))
    last: Epoch | None = None
    for last in trainer.train(request, rows, checked, start, keeper):
        on_epoch(last, epochs)
        if not np.isfinite(last.loss):
            message = f"the refit diverged in epoch {last.number}: its loss is not finite; nothing was saved"
            raise TrainingRefusedError(message)
        if last.number == epochs:
            break
        if keeper is not None and keeper.is_due():
            keeper.keep(last.checkpoint())
    assert last is not None
    weights, test, test_scores = last.weights(), dataset.test, dict[str, float]()

    def score_test_set() -> None:
        test_scores.update(scores(scoring, test.labels, predict_for(request, weights, test), test.classes))

    # The test set is scored before the model takes its place, so that its description follows it at once.
    sha256 = save_model(
        request.network,
        weights,
        path,
        rows=checked,
        expected_probabilities=last.probabilities,
        exact_probabilities=functools.partial(trainer.exact_probabilities, request, weights, checked),
        call=request.call,
        optimizer=request.optimizer,
        optimizer_arguments=request.optimizer_arguments,
        learning_rate=last.learning_rate,
        before_saving=score_test_set,
    )
    facts = {
        **record,
        "model": {"file": path.name, "sha256": sha256},
        "refit": {"rows": len(rows), "epochs": epochs, "loss": last.loss, "seed": request.seed},
        "test": {"rows": len(test), "scores": test_scores},
    }
    write_whole(path.with_suffix(".json"), as_json(facts), mode=0o644)
    return Refitted(sha256, test_scores)
