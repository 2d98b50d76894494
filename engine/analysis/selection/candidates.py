"""Which combinations can be compared with the best one row by row, and what each earned with every row.

A strategy compares combinations on the very rows that the best score is worked out from, and drops most of them before
they are complete. What is said of the best score has to take that choice into account, so the dropped ones are
candidates too, each as far as it came: it has what the best one earned, but for what told the two apart on the rows
that both were scored on, after as many epochs. That makes dropped ones as good as can be thought on what they lack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.analysis.results import best_of
from engine.analysis.selection.row_scores import METRICS, RowScores
from engine.errors import NotAvailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.session.combination import CombinationState
    from engine.session.events import PredictionsPlace
    from engine.session.predictions import Predictions
    from engine.session.session import Session
    from engine.session.state import SearchState

    Earned = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Combinations by their `indices`, ascending, with their `row_scores`.

    `in_part` (candidates,): those that were dropped after some of the folds; on the others they earn what the best one
    did. `early` (candidates,): those that were dropped on all folds after fewer epochs than their own; what told them
    from the best one after as many epochs is added to what that earned in the end. `without_predictions`: how many
    complete ones have no predictions, and so are not among them.
    """

    indices: tuple[int, ...]
    in_part: NDArray[np.bool_]
    early: NDArray[np.bool_]
    without_predictions: int
    row_scores: RowScores


def candidates(session: Session, state: SearchState) -> Candidates:
    """What the first metric gives the combinations of the latest stage, row by row; running ones are left out.

    Raises NoBestError if none is complete, NotAvailableError for a script's search, for a metric that `METRICS` does
    not have, or if the best combination's predictions are not in the record.
    """
    best, metric = best_of(state), state.scoring[0]
    if session.is_of_script:
        message = "not available: a script's search records no predictions"
        raise NotAvailableError(message)
    if metric not in METRICS:
        message = f"not available for {metric}; it is for {', '.join(METRICS)}"
        raise NotAvailableError(message)
    rows = _validated_rows(session, best.stage, state.splits)
    predictions = _predictions(session, best.predictions, rows)
    labels = [one.labels for one in predictions if one is not None]
    if len(labels) < state.splits:
        message = f"not available: combination {best.index}, the best, has no predictions"
        raise NotAvailableError(message)
    reader = _Reader(session, metric, rows, best)
    # Those of other stages were validated on other rows.
    considered = [one for one in state.combinations if one.stage == best.stage and (one.is_complete or one.dropped)]
    earned = [np.empty((len(considered), len(numbers)), METRICS[metric].kind) for numbers in rows]
    indices: list[int] = []
    in_part: list[bool] = []
    early: list[bool] = []
    without_predictions = 0
    for combination in considered:
        own = reader.in_full(combination)
        known = [one for one in own if one is not None]
        compared = own if len(known) == len(own) or (known and combination.dropped) else reader.on_the_way(combination)
        if combination.is_complete and len(known) < len(own):
            without_predictions += 1
        elif compared is not None:
            for split, (values, of_best) in enumerate(zip(compared, reader.best, strict=True)):
                earned[split][len(indices)] = of_best if values is None else values
            indices.append(combination.index)
            in_part.append(0 < len(known) < len(own))
            early.append(not known)
    splits = [(n, known, e[: len(indices)]) for n, known, e in zip(rows, labels, earned, strict=True)]
    total = 1 + max(int(numbers.max()) for numbers in rows)
    return Candidates(
        tuple(indices), np.array(in_part), np.array(early), without_predictions, RowScores.of(metric, total, splits)
    )


class _Reader:
    """Reads what combinations earned with the rows of each split; `best`: the best one in full."""

    def __init__(self, session: Session, metric: str, rows: Sequence[NDArray[np.intp]], best: CombinationState) -> None:
        self._session, self._metric, self._rows = session, METRICS[metric], rows
        self._best = best
        self._best_on_the_way: dict[int, list[Earned | None]] = {}
        self.best: list[Earned | None] = self.in_full(best)

    def in_full(self, combination: CombinationState) -> list[Earned | None]:
        """By split, after all its epochs; None where it has no predictions."""
        return self._earned(combination.predictions)

    def on_the_way(self, combination: CombinationState) -> list[Earned | None] | None:
        """By split: what the best one earned, and what told the two apart after the latest rung's epochs.

        None unless both have the predictions of that rung on every split.
        """
        epochs = max(combination.rung_epochs, default=0)
        if not epochs or epochs not in self._best.rung_epochs:
            return None
        if epochs not in self._best_on_the_way:
            self._best_on_the_way[epochs] = self._earned(self._best.rung_predictions(epochs))
        own, of_best = self._earned(combination.rung_predictions(epochs)), self._best_on_the_way[epochs]
        earned: list[Earned | None] = []
        for final, one, other in zip(self.best, own, of_best, strict=True):
            if final is None or one is None or other is None:
                return None
            earned.append(final + one - other)
        return earned

    def _earned(self, places: Sequence[PredictionsPlace | None]) -> list[Earned | None]:
        predictions = _predictions(self._session, places, self._rows)
        return [None if one is None else self._metric.earned(one).astype(self._metric.kind) for one in predictions]


def _predictions(
    session: Session, places: Sequence[PredictionsPlace | None], rows: Sequence[NDArray[np.intp]]
) -> list[Predictions | None]:
    """Of each split's rows; None where there are none, or not of these rows."""
    kept = [session.predictions(place) if place else None for place in places]
    if len(kept) != len(rows):
        return [None] * len(rows)
    return [
        one if one is not None and len(one) == len(numbers) else None for one, numbers in zip(kept, rows, strict=True)
    ]


def _validated_rows(session: Session, stage: int, splits: int) -> list[NDArray[np.intp]]:
    """The rows of each split's validation part, numbered among the rows that the stage uses."""
    folds = session.folds()
    repeats = splits // (int(folds.max()) + 1)
    folds = folds[stage * repeats : (stage + 1) * repeats]
    used = folds[:, folds[0] >= 0]
    return [np.flatnonzero(repeat == fold) for repeat in used for fold in range(int(folds.max()) + 1)]
