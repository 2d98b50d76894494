"""The datasets that a spec can name, with what is known of them without opening them: sizes and class names.

Imports nothing heavy, so that a spec can be checked and a screen drawn without NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.data.source import DataSource, OpenedSource, Whereabouts
from engine.data.sources.keras_files import Imdb, Reuters
from engine.errors import UsageError, shortened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.features.kinds import Features

REUTERS_TOPICS = (
    *("cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar"),
    *("trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp"),
    *("meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel"),
    *("rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog"),
    "lead",
)


class Sample(DataSource):
    """Rows that are generated from a seed: always at hand."""

    def class_sizes(self) -> tuple[int, ...]:
        """Reuters' own."""
        from engine.data.sample import TRAINING_COUNTS

        return TRAINING_COUNTS

    def whereabouts(self, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
        """Within foldwatch itself."""
        return Whereabouts("built in", None, at_hand=True)

    def open(
        self,
        features: Features,
        *,
        data_dir: Path | None,
        cache_dir: Path | None,
        root: Path,
        progress: Callable[[str], None],
    ) -> OpenedSource:
        """The generator and its parameters stand for the content of a file."""
        from engine.data import sample

        return OpenedSource(
            sample.source_hash(features.num_words),
            f"generating {self.name}: {self.title}",
            lambda: sample.sample_split(features.num_words),
        )


_KERAS_FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

REUTERS = Reuters(
    name="reuters",
    title="Reuters newswires, 46 topics",
    training_rows=8_982,
    test_rows=2_246,
    label_names=REUTERS_TOPICS,
    synthetic=False,
    file_name="reuters.npz",
    address=f"{_KERAS_FOLDER}reuters.npz",
    sha256="d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
)
IMDB = Imdb(
    name="imdb",
    title="IMDB film reviews, negative or positive",
    training_rows=25_000,
    test_rows=25_000,
    label_names=("negative", "positive"),
    synthetic=False,
    file_name="imdb.npz",
    address=f"{_KERAS_FOLDER}imdb.npz",
    sha256="69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
)
SAMPLE = Sample(
    name="sample",
    title="synthetic newswires, 46 made-up topics",
    training_rows=8_982,
    test_rows=2_246,
    label_names=tuple(f"synthetic topic {topic}" for topic in range(46)),
    synthetic=True,
)
DATASETS: dict[str, DataSource] = {source.name: source for source in (REUTERS, IMDB, SAMPLE)}


def dataset_named(name: str) -> DataSource:
    """The dataset of that name. Raises `UsageError` for a name that is not a dataset's."""
    if name not in DATASETS:
        message = f"{shortened(repr(name))} is no dataset; there are {', '.join(DATASETS)}"
        raise UsageError(message)
    return DATASETS[name]


def whereabouts(name: str, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
    """Where the dataset would come from now, found by looking for files, without opening any.

    Raises `UsageError` for an unknown name and `DataError`, naming the full path, if the folder that the user
    names lacks the file.
    """
    return dataset_named(name).whereabouts(data_dir, cache_dir)
