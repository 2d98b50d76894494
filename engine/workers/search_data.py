"""The data of the search as a worker has them: rows and folds, mapped into memory, and what is scored on them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.errors import DataError
from engine.spec.early_stopping import NEVER
from engine.system.array_files import map_array
from engine.system.regular_files import open_mine
from engine.training.randomness import training_seed
from engine.training.user_code import open_function

if TYPE_CHECKING:
    from engine.data.rows import Rows
    from engine.workers import messages


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split, and the seed of every training on it."""

    training_rows: Rows
    validation_rows: Rows
    seed: int


class SearchData:
    """The rows and the folds that an order names.

    `own`: the function that builds the model, if that is no built-in network.

    Raises what opening them raises, and DataError where other data, or code, lie there than the order's digests name.
    """

    def __init__(self, order: messages.Prepare) -> None:
        self.seed, self.scoring = order.seed, order.scoring
        self.early_stopping = order.early_stopping or NEVER
        self.dataset = data.open_cached(Path(order.dataset.path))
        _check(order.dataset, self.dataset.digest)
        with open_mine(order.folds.path) as file:
            self._folds = map_array(file)
        _check(order.folds, sha256(np.ascontiguousarray(self._folds).data).hexdigest())
        self._splits: dict[int, Split] = {}
        self.own = open_function(order.model, order.files) if order.model is not None else None

    def split(self, number: int) -> Split:
        """The rows of a split; they are kept, since every combination is trained on them."""
        if number not in self._splits:
            repeat, fold = divmod(number, int(self._folds.max()) + 1)
            fold_of_row = np.asarray(self._folds[repeat])
            rows = self.dataset.training
            training_rows = rows.take(np.flatnonzero((fold_of_row >= 0) & (fold_of_row != fold)))
            validation_rows = rows.take(np.flatnonzero(fold_of_row == fold))
            self._splits[number] = Split(training_rows, validation_rows, training_seed(self.seed, training_rows))
        return self._splits[number]


def _check(stored: messages.Stored, digest: str) -> None:
    if digest != stored.digest:
        message = f"{stored.path}: holds {digest}, and not {stored.digest}, which the search is about"
        raise DataError(message)
