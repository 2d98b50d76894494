"""Which classes a combination confuses: by class, by pair of classes and by row, from out-of-fold predictions.

Every row was predicted by a model that was not trained on it. The test set is not looked at.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.analysis.results import best_of
from engine.data.loading import training_sequences
from engine.data.sources.keras_sequences import OOV_CHAR
from engine.data.words import word_names
from engine.errors import DataError, NotAvailableError, UsageError
from engine.session.predictions import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.session.session import Session
    from engine.session.state import SearchState

WORDS = 40  # of a row


@dataclass(frozen=True)
class ClassErrors:
    """One class: `support`: rows that are of it; `predicted`: rows predicted as it; None where nothing is divided."""

    name: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ConfusedPair:
    """`rows` of class `true` were confused with `predicted`, a `share` of all rows of that class."""

    true: str
    predicted: str
    rows: int
    share: float


@dataclass(frozen=True)
class Misclassified:
    """A training row, by its number in Keras' order: `probability` is what its true class was given.

    `words`: how its text begins, "…" for a word beyond `num_words`; none where the data are not at hand.
    """

    row: int
    true: str
    predicted: str
    probability: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class Errors:
    """The errors of a combination, over `splits` of the search's splits: `wrong` of `rows` validated rows.

    `classes`: those that occur, the largest first; `pairs`: the most confused first; `misclassified`: those whose true
    class was given the lowest probability first.
    """

    combination: int
    splits: int
    rows: int
    wrong: int
    classes: tuple[ClassErrors, ...]
    pairs: tuple[ConfusedPair, ...]
    misclassified: tuple[Misclassified, ...]


def errors_of(
    session: Session,
    state: SearchState,
    combination: int | None = None,
    *,
    most: int = 10,
    data_dir: Path | None = None,
) -> Errors:
    """The errors of a combination, the best one if none is named, with the `most` confused pairs and worst rows.

    Raises NoBestError, UsageError for a number that is none, NotAvailableError for a script's search and where its
    predictions are not in the record, DataError for a word index that cannot be read.
    """
    if session.record.script is not None:
        message = (
            f"{session.id}: which rows are wrong is not recorded of a script's search; in the script "
            f"{session.record.script.path}, cross_val_predict says what each row is taken for"
        )
        raise NotAvailableError(message)
    index = best_of(state).index if combination is None else combination
    if not 0 <= index < len(state.combinations):
        message = f"combination {index} is not accepted; accepted: 0 to {len(state.combinations) - 1}"
        raise UsageError(message)
    names = session.spec.source.label_names
    predictions = _predictions(session, state, index, len(names))
    rows = np.concatenate([numbers for numbers, _ in predictions])
    labels, classes = (
        np.concatenate([getattr(one, name) for _, one in predictions]).astype(np.intp) for name in ("labels", "classes")
    )
    losses = np.concatenate([one.losses for _, one in predictions])
    counts = np.bincount(labels * len(names) + classes, minlength=len(names) ** 2).reshape(len(names), len(names))
    worst = _worst(rows, losses, np.flatnonzero(labels != classes), most)
    words = _words(session, rows[worst], data_dir)
    return Errors(
        combination=index,
        splits=len(predictions),
        rows=len(rows),
        wrong=int((labels != classes).sum()),
        classes=_by_class(counts, names),
        pairs=_by_pair(counts, names, most),
        misclassified=tuple(
            Misclassified(
                int(rows[one]), names[labels[one]], names[classes[one]], float(np.exp(-losses[one])), words[place]
            )
            for place, one in enumerate(worst)
        ),
    )


def _predictions(
    session: Session, state: SearchState, index: int, classes: int
) -> list[tuple[NDArray[np.intp], Predictions]]:
    """The rows and the predictions of each split that has any."""
    combination, folds = state.combinations[index], session.folds()
    count = int(folds.max()) + 1
    kept = []
    for split, place in enumerate(combination.predictions):
        # Each stage has its own rows, repeat after repeat.
        repeat, fold = divmod(combination.stage * state.splits + split, count)
        if repeat >= len(folds):  # a record that does not fit its folds
            continue
        rows = np.flatnonzero(folds[repeat] == fold)
        one = session.predictions(place) if place else None
        if one is not None and len(one) == len(rows) and max(one.labels.max(), one.classes.max()) < classes:
            kept.append((rows, one))
    if not kept:
        message = f"combination {index} has no predictions in the record"
        raise NotAvailableError(message)
    return kept


def _by_class(counts: NDArray[np.intp], names: tuple[str, ...]) -> tuple[ClassErrors, ...]:
    supports, predicted, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    classes = [
        ClassErrors(
            name=names[one],
            support=int(supports[one]),
            predicted=int(predicted[one]),
            precision=_ratio(right[one], predicted[one]),
            recall=_ratio(right[one], supports[one]),
            f1=_ratio(2 * right[one], predicted[one] + supports[one]),
        )
        for one in np.argsort(-supports, kind="stable")
    ]
    return tuple(one for one in classes if one.support or one.predicted)


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _by_pair(counts: NDArray[np.intp], names: tuple[str, ...], most: int) -> tuple[ConfusedPair, ...]:
    supports = counts.sum(axis=1)
    wrong = np.where(np.eye(len(names), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = ((int(one) // len(names), int(one) % len(names)) for one in order)
    return tuple(
        ConfusedPair(names[true], names[taken], int(wrong[true, taken]), float(wrong[true, taken] / supports[true]))
        for true, taken in pairs
        if wrong[true, taken]
    )


def _worst(rows: NDArray[np.intp], losses: NDArray[np.float32], wrong: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Of the wrong ones the places of the largest losses, each row once; repeats of a search validate it again."""
    ordered = wrong[np.lexsort((rows[wrong], -losses[wrong]))]
    _, first = np.unique(rows[ordered], return_index=True)
    worst: NDArray[np.intp] = ordered[np.sort(first)[:most]]
    return worst


def _words(session: Session, rows: NDArray[np.intp], data_dir: Path | None) -> list[tuple[str, ...]]:
    """How the texts of training rows begin; none of any where the search's data are not at hand. Nothing is fetched."""
    spec, record = session.spec, session.record
    folder = data_dir or (Path(record.data_dir) if record.data_dir else None)
    try:
        at_hand = spec.source.whereabouts(folder).at_hand
    except DataError:
        if data_dir is not None:
            raise
        at_hand = False
    if not at_hand:
        return [()] * len(rows)
    digest = data.load(spec.source, num_words=spec.num_words, data_dir=folder).digest
    if digest != record.data.digest:
        if data_dir is not None:
            message = f"{data_dir}: the data have changed: digest {digest}, the session's {record.data.digest}"
            raise DataError(message)
        return [()] * len(rows)
    name_of = word_names(spec.dataset, folder)
    sequences = training_sequences(spec.source, spec.encoding, data_dir=folder).take(rows).sequences
    texts = (sequences.values[begin:end][1 : WORDS + 1] for begin, end in itertools.pairwise(sequences.indptr))
    return [tuple("…" if word == OOV_CHAR else name_of(int(word)) for word in text) for text in texts]
