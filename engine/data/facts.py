"""What is known about the three datasets without opening them: sizes, class names, and where their files may lie.

Imports nothing heavy, so that a spec can be checked and a screen drawn without NumPy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, UsageError, shortened
from engine.system.regular_files import is_regular

DATA_VARIABLE = "FOLDWATCH_DATA"
# 0 is padding, 1 the start of a row, 2 a word outside the vocabulary; words follow.
LEAST_NUM_WORDS = 4
MOST_NUM_WORDS = 1_000_000

REUTERS_TOPICS = (
    *("cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar"),
    *("trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp"),
    *("meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel"),
    *("rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog"),
    "lead",
)


@dataclass(frozen=True)
class DatasetFacts:
    """One dataset as it is published: `training_rows` and `test_rows` of the original file, the names of its classes.

    `address` and `sha256` are Keras' own, None for a dataset that is made, not read (`synthetic`).
    """

    name: str
    title: str
    training_rows: int
    test_rows: int
    label_names: tuple[str, ...]
    synthetic: bool
    file_name: str | None = None
    address: str | None = None
    sha256: str | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.label_names)


_KERAS_FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

DATASETS: dict[str, DatasetFacts] = {
    facts.name: facts
    for facts in (
        DatasetFacts(
            name="reuters",
            title="Reuters newswires, 46 topics",
            training_rows=8_982,
            test_rows=2_246,
            label_names=REUTERS_TOPICS,
            synthetic=False,
            file_name="reuters.npz",
            address=f"{_KERAS_FOLDER}reuters.npz",
            sha256="d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
        ),
        DatasetFacts(
            name="imdb",
            title="IMDB film reviews, negative or positive",
            training_rows=25_000,
            test_rows=25_000,
            label_names=("negative", "positive"),
            synthetic=False,
            file_name="imdb.npz",
            address=f"{_KERAS_FOLDER}imdb.npz",
            sha256="69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
        ),
        DatasetFacts(
            name="sample",
            title="synthetic newswires, 46 made-up topics",
            training_rows=8_982,
            test_rows=2_246,
            label_names=tuple(f"synthetic topic {topic}" for topic in range(46)),
            synthetic=True,
        ),
    )
}


@dataclass(frozen=True)
class Whereabouts:
    """Where a dataset would come from now.

    `origin`: "built in", "data folder", "Keras cache", "downloaded before" or "download"; `path`: the file, None
    where there is none; `at_hand`: whether loading works without a network.
    """

    origin: str
    path: Path | None
    at_hand: bool

    def __str__(self) -> str:
        if self.path is None:
            return self.origin if self.at_hand else "not here yet; downloaded when first needed"
        return f"{self.origin}: {self.path}"


def dataset_facts(name: str) -> DatasetFacts:
    """The facts of one dataset. Raises `UsageError` for a name that is not a dataset's."""
    if name not in DATASETS:
        message = f"{shortened(repr(name))} is no dataset; there are {', '.join(DATASETS)}"
        raise UsageError(message)
    return DATASETS[name]


def chosen_data_folder(data_dir: Path | None) -> Path | None:
    """The folder that the user names for data files: `data_dir`, else $FOLDWATCH_DATA, else None."""
    if data_dir is not None:
        return Path(data_dir).expanduser()
    from_environment = os.environ.get(DATA_VARIABLE)
    return Path(from_environment).expanduser() if from_environment else None


def keras_folder() -> Path:
    """Where Keras keeps its datasets for this user; never its fallback in /tmp, where anybody can plant files."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def whereabouts(name: str, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
    """Where the dataset would come from now, found by looking for files, without opening any.

    Raises `UsageError` for an unknown name and `DataError`, naming the full path, if the folder that the user
    names lacks the file.
    """
    from engine.data.cache_folder import download_folder

    facts = dataset_facts(name)
    if facts.file_name is None:
        return Whereabouts("built in", None, at_hand=True)
    folder = chosen_data_folder(data_dir)
    if folder is not None:
        path = (folder / facts.file_name).absolute()
        if not is_regular(path):
            message = f"{path}: no such file; the data folder must hold {facts.file_name}"
            raise DataError(message)
        return Whereabouts("data folder", path, at_hand=True)
    for origin, path in (
        ("Keras cache", keras_folder() / facts.file_name),
        ("downloaded before", download_folder(cache_dir) / facts.file_name),
    ):
        if is_regular(path):
            return Whereabouts(origin, path, at_hand=True)
    return Whereabouts("download", None, at_hand=False)
