"""From a dataset's name to its rows: the file is found or fetched, hashed, and parsed only if that was never done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.data import cache
from engine.data.cache_folder import preferred_folder, private_folder
from engine.data.facts import LEAST_NUM_WORDS, MOST_NUM_WORDS, DatasetFacts, dataset_facts, whereabouts
from engine.data.features.multi_hot import rows_from_ragged
from engine.data.sources.keras_sequences import LabelledSequences, imdb_split, reuters_split
from engine.data.sources.npz import SourceFile, read_npz, read_source
from engine.errors import DataError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.data.dataset import Dataset
    from engine.data.rows import Rows
    from engine.data.sources.ragged import Ragged


def load(
    name: str,
    *,
    num_words: int,
    data_dir: Path | None,
    cache_dir: Path | None,
    progress: Callable[[str], None] | None,
) -> Dataset:
    """See `engine.data.load`."""
    facts = dataset_facts(name)
    place, accepted = "num_words", f"a whole number from {LEAST_NUM_WORDS} to {MOST_NUM_WORDS}"
    if type(num_words) is not int or not LEAST_NUM_WORDS <= num_words <= MOST_NUM_WORDS:
        raise SpecError(place, num_words, accepted)
    say = progress or (lambda line: None)
    if not facts.synthetic:
        # A folder that lacks the file is an error before anything is created.
        whereabouts(name, data_dir, cache_dir)
    root = private_folder(cache_dir)
    if root != preferred_folder(cache_dir):
        say(f"{preferred_folder(cache_dir)} cannot be used for parsed data; using {root}")

    if facts.synthetic:
        from engine.data import sample

        source_sha256 = sample.source_hash(num_words)
    else:
        source = _source(facts, data_dir, cache_dir, root, say)
        source_sha256 = source.sha256

    folder = cache.entry_folder(root, name, source_sha256, num_words)
    if folder.exists():
        try:
            return cache.open_cached(folder, thorough=True)
        except DataError as error:
            say(f"{error}; it is made again")

    def build() -> tuple[Rows, Rows]:
        if facts.synthetic:
            say(f"making {name}: {facts.title}")
            training, test = sample.sample_split(num_words)
        else:
            say(f"reading {source.path}, once")
            training, test = _parse(source, facts, num_words)
        return (
            rows_from_ragged(training.sequences, training.labels, num_words, facts.classes),
            rows_from_ragged(test.sequences, test.labels, num_words, facts.classes),
        )

    return cache.store(
        folder,
        build,
        name=name,
        label_names=facts.label_names,
        num_words=num_words,
        source_sha256=source_sha256,
        synthetic=facts.synthetic,
    )


def training_sequences(name: str, *, num_words: int, data_dir: Path | None) -> LabelledSequences:
    """The training rows as sequences of word numbers, parsed anew: the file must be at hand. Raises as `load` does."""
    facts = dataset_facts(name)
    if facts.synthetic:
        from engine.data import sample

        return sample.sample_split(num_words)[0]
    source = _source(facts, data_dir, None, private_folder(None), lambda line: None)
    return _parse(source, facts, num_words)[0]


def _source(
    facts: DatasetFacts, data_dir: Path | None, cache_dir: Path | None, root: Path, say: Callable[[str], None]
) -> SourceFile:
    place = whereabouts(facts.name, data_dir, cache_dir)
    if place.path is not None:
        source = read_source(place.path)
        if place.origin == "data folder" or source.sha256 == facts.sha256:
            return source
        if place.origin == "Keras cache":
            say(
                f"{place.path} is not Keras' own file (its hash differs), so it is not used; "
                f"to use it all the same, pass --data-dir {place.path.parent}"
            )
    from engine.data.sources.download import download

    return read_source(download(facts, root / "downloads", say))


def _parse(source: SourceFile, facts: DatasetFacts, num_words: int) -> tuple[LabelledSequences, LabelledSequences]:
    if facts.name == "reuters":
        ragged, integers = read_npz(source, ragged=("x",), integers=("y",))
        everything = _labelled(source, facts, "x", ragged["x"], "y", integers["y"])
        parts = reuters_split(everything, num_words)
    else:
        ragged, integers = read_npz(source, ragged=("x_train", "x_test"), integers=("y_train", "y_test"))
        training, test = (
            _labelled(source, facts, f"x_{part}", ragged[f"x_{part}"], f"y_{part}", integers[f"y_{part}"])
            for part in ("train", "test")
        )
        parts = imdb_split(training, test, num_words)
    for part, rows in zip(("training", "test"), parts, strict=True):
        if not len(rows):
            message = f"{source.path}: too few rows: none are left for the {part} part"
            raise DataError(message)
    return parts


def _labelled(
    source: SourceFile,
    facts: DatasetFacts,
    rows_name: str,
    rows: Ragged,
    labels_name: str,
    labels: NDArray[np.int64],
) -> LabelledSequences:
    if len(rows) != len(labels):
        message = f"{source.path}: {rows_name}.npy has {len(rows)} rows, {labels_name}.npy {len(labels)} labels"
        raise DataError(message)
    outside = np.flatnonzero((labels < 0) | (labels >= facts.classes))
    if len(outside):
        message = (
            f"{source.path}: {labels_name}.npy has label {labels[outside[0]]} in row {outside[0]}; "
            f"{facts.name} has labels from 0 to {facts.classes - 1}"
        )
        raise DataError(message)
    return LabelledSequences(rows, labels)
