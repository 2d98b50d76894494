"""Saves a real model over an older one in a fork for each file operation, which dies at it; run as a script.

Prints, for each, the operation and what lies in the folder afterwards: the older model whole, or a new one whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes import FakeTrainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.data.rows import Rows
    from engine.training.interface import Checkpoint, Epoch, Keeper, TrainingRequest

PARAMS = {"epochs": 1, "batch_size": 4, "hidden_units": 3, "optimizer": "sgd", "learning_rate": 0.1}


class Untrained(FakeTrainer):
    """A trainer whose epochs leave the initial weights as they are."""

    def train(
        self,
        request: TrainingRequest,
        training: Rows,
        validation: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        from engine.training.keras.batches import predict
        from engine.training.randomness import initial_weights

        assert validation is not None
        weights = initial_weights(request.network, request.seed)
        probabilities = predict(request.network, weights, validation)
        for epoch in super().train(request, training, validation, start, keeper):
            yield dataclasses.replace(epoch, probabilities=probabilities, weights=lambda: weights)


def _save(path: Path, fatal: int | None) -> None:
    from engine import data
    from engine.training.refit import refit
    from tests.fault_tests.file_operations import FileOperations

    def heard(operation: str) -> None:
        os.write(1, json.dumps({"operation": operation}).encode() + b"\n")

    dataset = data.load("sample", num_words=1000)
    FileOperations(path.parent, heard, fatal).install()
    refit(
        Untrained(),
        dataset,
        PARAMS,
        seed=0,
        epochs=1,
        scoring=["accuracy"],
        path=path,
        record={},
        on_epoch=lambda epoch, epochs: None,
    )


def main() -> None:
    """Die at every operation in turn, until there is none left to die at."""
    import keras  # noqa: F401 - imported once, and used only after the fork

    from engine.system.whole_files import remove_leftovers
    from engine.training import refit  # noqa: F401

    folder = Path(sys.argv[1])
    path = folder / "best.keras"
    older = b"the model before"
    for number in range(100):
        path.write_bytes(older)
        path.with_suffix(".json").write_text(json.dumps({"session": "before", "combination": 0, "model": {}}))
        child = os.fork()
        if not child:
            _save(path, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        left = sorted(name for name in os.listdir(folder) if name.startswith("."))
        remove_leftovers(folder)
        told = {
            "killed": os.WIFSIGNALED(status),
            "status": status,
            "older": path.read_bytes() == older,
            "whole": zipfile.is_zipfile(path) and zipfile.ZipFile(path).testzip() is None,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "record": json.loads(path.with_suffix(".json").read_text()),
            "left": left,
            "remaining": sorted(os.listdir(folder)),
        }
        os.write(1, json.dumps(told).encode() + b"\n")
        if not told["killed"]:
            return


if __name__ == "__main__":
    main()
