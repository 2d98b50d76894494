"""Datasets, and their rows as numbers that every process maps from one private folder; importing it is instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.data.dataset import Dataset
from engine.data.facts import DATASETS, dataset_named, whereabouts
from engine.data.features.kinds import DEFAULT_NUM_WORDS, Features, MultiHot
from engine.data.source import DataSource, Whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "DATASETS",
    "DataSource",
    "Dataset",
    "Features",
    "MultiHot",
    "Whereabouts",
    "dataset_named",
    "load",
    "open_cached",
    "whereabouts",
]


def load(
    source: str | DataSource,
    *,
    num_words: int = DEFAULT_NUM_WORDS,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Dataset:
    """The rows of a dataset, multi-hot over `num_words` columns, with Keras' own meaning of `num_words` and split.

    `source`: the dataset, or its name. `sample` is generated. `reuters` and `imdb` are read from `data_dir` or
    $FOLDWATCH_DATA if either is given, else from the user's Keras cache, else downloaded. Parsed rows are kept below
    `cache_dir`, else $FOLDWATCH_CACHE, else the user's cache folder. `progress` gets whole lines about what takes time.

    Raises `UsageError` for an unknown name, `SpecError` for an impossible `num_words`, `DataError` for a file that
    is missing or refused, `InputOutputError` for a failed download or a full disk, `CannotCreateError` if no folder
    for parsed rows can be made.
    """
    from engine.data import loading

    chosen = dataset_named(source) if isinstance(source, str) else source
    return loading.load(chosen, MultiHot(num_words), data_dir=data_dir, cache_dir=cache_dir, progress=progress)


def open_cached(folder: Path) -> Dataset:
    """Map a loaded dataset's rows again from its `folder`, in any process, without parsing or hashing.

    Raises `DataError` if the folder is not there, not complete, or damaged.
    """
    from engine.data import cache

    return cache.open_cached(folder)
