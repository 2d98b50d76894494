"""What Keras' `load_data` makes of the word ranks in its Reuters and IMDB files: same order, same numbers, as arrays.

Follows keras/src/datasets/reuters.py and imdb.py of Keras 3.15.1; tested equal to both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.data.sources.ragged import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

START_CHAR = 1
OOV_CHAR = 2
INDEX_FROM = 3
SHUFFLE_SEED = 113
REUTERS_TEST_SPLIT = 0.2


@dataclass(frozen=True, eq=False)
class LabelledSequences:
    """Sequences of word numbers, and the class of each: `labels` (rows,) int64."""

    sequences: Ragged
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp]) -> LabelledSequences:
        """The given rows, in the given order, as a copy."""
        return LabelledSequences(self.sequences.take(rows), self.labels[rows])


def encode(
    ranks: Ragged,
    num_words: int,
    *,
    start_char: int | None = START_CHAR,
    oov_char: int | None = OOV_CHAR,
    index_from: int = INDEX_FROM,
) -> Ragged:
    """Word ranks (from 1) as the word numbers that Keras' `load_data` gives.

    `index_from` is added to every rank, `start_char` put in front of every row, and each number at or beyond
    `num_words` written as `oov_char`, or left out where that is None.
    """
    shifted = _shifted(ranks, start_char, index_from)
    return _limited(shifted, num_words, oov_char)


def reuters_split(
    ranks: LabelledSequences,
    num_words: int | None = None,
    *,
    test_split: float = REUTERS_TEST_SPLIT,
    seed: int = SHUFFLE_SEED,
    start_char: int | None = START_CHAR,
    oov_char: int | None = OOV_CHAR,
    index_from: int = INDEX_FROM,
) -> tuple[LabelledSequences, LabelledSequences]:
    """(training, test) as `keras.datasets.reuters.load_data` gives them from the file's rows.

    Without `num_words` the largest number itself is written as `oov_char`, as Keras does.
    """
    order = np.arange(len(ranks))
    np.random.RandomState(seed).shuffle(order)
    shuffled = ranks.take(order)
    sequences = _shifted(shuffled.sequences, start_char, index_from)
    sequences = _limited(sequences, num_words or _largest(sequences), oov_char)
    # Keras' own expression, rounding of floats included.
    boundary = int(len(ranks) * (1 - test_split))
    everything = LabelledSequences(sequences, shuffled.labels)
    return everything.take(np.arange(boundary)), everything.take(np.arange(boundary, len(ranks)))


def imdb_split(
    training: LabelledSequences,
    test: LabelledSequences,
    num_words: int | None = None,
    *,
    seed: int = SHUFFLE_SEED,
    start_char: int | None = START_CHAR,
    oov_char: int | None = OOV_CHAR,
    index_from: int = INDEX_FROM,
) -> tuple[LabelledSequences, LabelledSequences]:
    """(training, test) as `keras.datasets.imdb.load_data` gives them from the file's two parts.

    Without `num_words` the largest number itself is written as `oov_char`, as Keras does.
    """
    generator = np.random.RandomState(seed)
    shifted: list[LabelledSequences] = []
    for part in (training, test):
        order = np.arange(len(part))
        generator.shuffle(order)
        shuffled = part.take(order)
        sequences = _shifted(shuffled.sequences, start_char, index_from)
        shifted.append(LabelledSequences(sequences, shuffled.labels))
    limit = num_words or max(_largest(part.sequences) for part in shifted)
    first, second = (LabelledSequences(_limited(part.sequences, limit, oov_char), part.labels) for part in shifted)
    return first, second


def _shifted(ranks: Ragged, start_char: int | None, index_from: int) -> Ragged:
    shifted = Ragged(ranks.values + index_from, ranks.indptr)
    return shifted if start_char is None else shifted.with_first(start_char)


def _limited(sequences: Ragged, num_words: int, oov_char: int | None) -> Ragged:
    known = sequences.values < num_words
    if oov_char is None:
        return sequences.keep(known)
    return Ragged(np.where(known, sequences.values, oov_char), sequences.indptr)


def _largest(sequences: Ragged) -> int:
    return int(sequences.values.max(initial=0))
