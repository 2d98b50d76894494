"""A synthetic corpus, generated from a seed without file or network, on which searches behave as they do on Reuters.

It has Reuters' 46 class sizes and lengths of rows, Zipf-like words, and topics that share part of their
vocabulary. A share of the rows carries the label of another topic, which bounds what any network can learn.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from engine.data.sources.keras_sequences import LabelledSequences, encode
from engine.data.sources.ragged import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Raise with every change that alters a single word: cached rows and recorded hashes depend on it.
GENERATOR_VERSION = 1
SEED = 0

# Rows of each topic in Keras' training and test split of Reuters.
TRAINING_COUNTS = (
    *(55, 432, 74, 3159, 1949, 17, 48, 16, 139, 101, 124, 390, 49, 172, 26, 20, 444, 39, 66, 549, 269, 100, 15),
    *(41, 62, 92, 24, 15, 48, 19, 45, 39, 32, 11, 50, 10, 49, 19, 19, 24, 36, 30, 13, 21, 12, 18),
)
TEST_COUNTS = (
    *(12, 105, 20, 813, 474, 5, 14, 3, 38, 25, 30, 83, 13, 37, 2, 9, 99, 12, 20, 133, 70, 27, 7, 12, 19, 31, 8),
    *(4, 10, 4, 12, 13, 10, 5, 7, 6, 11, 2, 3, 5, 10, 8, 3, 6, 5, 1),
)
TOPICS = len(TRAINING_COUNTS)

# Logarithm of the number of words in a row: Reuters' mean and standard deviation.
LENGTH_LOG_MEAN, LENGTH_LOG_DEVIATION = 4.60, 0.83
LONGEST = 2400
VOCABULARY = 31_000

# Calibrated together, see tests/engine_tests/data_tests/test_data_sample_calibration.py.
GROUPS = 10
OWN_WORDS, GROUP_WORDS = 60, 60
TOPIC_SHARE = (2.0, 8.0)
MISLABELLED = 0.09


def source_hash(num_words: int, seed: int = SEED) -> str:
    """Hexadecimal SHA-256 of everything that decides the corpus; it stands where a file's hash would."""
    text = f"foldwatch sample, generator {GENERATOR_VERSION}, seed {seed}, num_words {num_words}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def sample_split(num_words: int, seed: int = SEED) -> tuple[LabelledSequences, LabelledSequences]:
    """(training, test): 8,982 and 2,246 rows of word numbers, with Keras' meaning of `num_words`."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    labels = np.concatenate(
        [generator.permutation(np.repeat(np.arange(TOPICS), counts)) for counts in (TRAINING_COUNTS, TEST_COUNTS)]
    )
    words = _words(labels, generator)
    ranks = Ragged(_frequency_ranks(words.values), words.indptr)
    everything = LabelledSequences(encode(ranks, num_words), labels)
    boundary = sum(TRAINING_COUNTS)
    return everything.take(np.arange(boundary)), everything.take(np.arange(boundary, len(labels)))


def _words(labels: NDArray[np.int64], generator: np.random.Generator) -> Ragged:
    """Words, numbered from 0 without meaning, of one row for each label."""
    rows = len(labels)
    lengths = np.exp(LENGTH_LOG_MEAN + LENGTH_LOG_DEVIATION * generator.standard_normal(rows))
    lengths = np.clip(lengths.astype(np.int64), 5, LONGEST)
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])

    topics = np.where(generator.random(rows) < MISLABELLED, generator.permutation(labels), labels)
    share = generator.beta(*TOPIC_SHARE, rows)

    words = np.searchsorted(_background(), generator.random(indptr[-1]))
    topical = np.flatnonzero(generator.random(indptr[-1]) < np.repeat(share, lengths))
    vocabulary = _topic_vocabulary(generator)
    drawn = np.searchsorted(_zipf(vocabulary.shape[1], 5.0), generator.random(len(topical)))
    words[topical] = vocabulary[np.repeat(topics, lengths)[topical], drawn]
    return Ragged(words, indptr)


def _background() -> NDArray[np.float64]:
    """Cumulated probabilities of words in any text: Zipf's law that falls faster among rare words, as in Reuters."""
    rank = np.arange(1, VOCABULARY + 1)
    return _cumulated(1.0 / ((rank + 1.5) ** 1.14 * (1 + rank / 4000) ** 0.9))


def _zipf(words: int, offset: float) -> NDArray[np.float64]:
    return _cumulated(1.0 / (np.arange(words) + offset))


def _cumulated(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    cumulated = np.cumsum(weights, dtype=np.float64)
    # Exactly 1 at the end, so that a number drawn from [0, 1) is always below it.
    normalised: NDArray[np.float64] = cumulated / cumulated[-1]
    return normalised


def _topic_vocabulary(generator: np.random.Generator) -> NDArray[np.int64]:
    """Words that bear a topic, shape (topics, words), commonest first; topics of one group share some of them."""
    group_of_topic = generator.permutation(np.arange(TOPICS) % GROUPS)
    groups = generator.integers(40, 6000, (GROUPS, GROUP_WORDS))
    own = generator.integers(40, 6000, (TOPICS, OWN_WORDS))
    together = np.concatenate([groups[group_of_topic], own], axis=1)
    return generator.permuted(together, axis=1)


def _frequency_ranks(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """The words numbered from 1 by how often they occur, the commonest first, as in Keras' files."""
    counts = np.bincount(words, minlength=VOCABULARY)
    ranks = np.empty(VOCABULARY, np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(1, VOCABULARY + 1)
    return ranks[words]
