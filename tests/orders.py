"""Orders to workers on a few rows of the sample, with two folds."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.workers.messages import Prepare, Stored
from tests.fakes import SMALL

if TYPE_CHECKING:
    from pathlib import Path


def prepare(folder: Path, parsed_data: Path) -> Prepare:
    """The order that names the rows, in the cache `parsed_data`, and their folds, which are written into `folder`."""
    dataset = data.load("sample", num_words=SMALL["num_words"], cache_dir=parsed_data)
    folds = np.full((1, len(dataset.training)), -1, np.int16)
    folds[0, :200] = np.arange(200) % 2
    np.save(folder / "folds.npy", folds)
    return Prepare(
        dataset=Stored(digest=dataset.digest, path=str(dataset.folder)),
        folds=Stored(digest=sha256(folds.tobytes()).hexdigest(), path=str(folder / "folds.npy")),
        scoring=["accuracy"],
        seed=0,
    )


def checkpoint(path: Path, key: str) -> Stored:
    """The checkpoint of the training with this key."""
    return Stored(digest=sha256(key.encode()).hexdigest(), path=str(path))
