"""From a dataset to its rows: the content is found or fetched, hashed, and parsed only if that was never done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.data import cache
from engine.data.cache_folder import preferred_folder, private_folder
from engine.data.features.kinds import LEAST_NUM_WORDS, MOST_NUM_WORDS
from engine.data.features.multi_hot import rows_from_ragged
from engine.errors import DataError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.dataset import Dataset
    from engine.data.features.kinds import Features
    from engine.data.rows import Rows
    from engine.data.source import DataSource
    from engine.data.sources.keras_sequences import LabelledSequences


def load(
    source: DataSource,
    features: Features,
    *,
    data_dir: Path | None,
    cache_dir: Path | None,
    progress: Callable[[str], None] | None,
) -> Dataset:
    """What `engine.data.load` promises, of a dataset with features of one kind."""
    num_words = features.num_words
    if type(num_words) is not int or not LEAST_NUM_WORDS <= num_words <= MOST_NUM_WORDS:
        place, accepted = "num_words", f"a whole number from {LEAST_NUM_WORDS} to {MOST_NUM_WORDS}"
        raise SpecError(place, num_words, accepted)
    say = progress or (lambda line: None)
    source.whereabouts(data_dir, cache_dir)  # a folder that lacks the file is an error before anything is created
    root = private_folder(cache_dir)
    if root != preferred_folder(cache_dir):
        say(f"{preferred_folder(cache_dir)} cannot be used for parsed data; using {root}")
    opened = source.open(features, data_dir=data_dir, cache_dir=cache_dir, root=root, progress=say)

    folder = cache.entry_folder(root, source.name, opened.sha256, num_words)
    if folder.exists():
        try:
            return cache.open_cached(folder, thorough=True)
        except DataError as error:
            say(f"{error}; it is made again")

    def build() -> tuple[Rows, Rows]:
        say(opened.action)
        training, test = opened.parts()
        return (
            rows_from_ragged(training.sequences, training.labels, num_words, source.classes),
            rows_from_ragged(test.sequences, test.labels, num_words, source.classes),
        )

    return cache.store(
        folder,
        build,
        name=source.name,
        label_names=source.label_names,
        num_words=num_words,
        source_sha256=opened.sha256,
        synthetic=source.synthetic,
    )


def training_sequences(source: DataSource, features: Features, *, data_dir: Path | None) -> LabelledSequences:
    """The training rows as sequences of word numbers, parsed anew: the file must be at hand.

    Raises `DataError` for a file that is missing or refused, `InputOutputError` for a failed download.
    """
    opened = source.open(
        features, data_dir=data_dir, cache_dir=None, root=private_folder(None), progress=lambda line: None
    )
    return opened.parts()[0]
