"""Datasets by name, as multi-hot rows that every process maps from one private folder; importing it is instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.data.dataset import Dataset
from engine.data.facts import DATASETS, DatasetFacts, Whereabouts, whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DATASETS", "Dataset", "DatasetFacts", "Whereabouts", "load", "open_cached", "whereabouts"]


def load(
    name: str,
    *,
    num_words: int = 10_000,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Dataset:
    """The dataset's rows, multi-hot over `num_words` columns, with Keras' own meaning of `num_words` and split.

    `sample` is made. `reuters` and `imdb` are read from `data_dir` or $FOLDWATCH_DATA if either is given, else from
    the user's Keras cache, else downloaded. Parsed rows are kept below `cache_dir`, else $FOLDWATCH_CACHE, else the
    user's cache folder. `progress` is told in whole lines what takes time.

    Raises `UsageError` for an unknown name, `SpecError` for an impossible `num_words`, `DataError` for a file that
    is missing or refused, `InputOutputError` for a failed download or a full disk, `CannotCreateError` if no folder
    for parsed rows can be made.
    """
    from engine.data import loading

    return loading.load(name, num_words=num_words, data_dir=data_dir, cache_dir=cache_dir, progress=progress)


def open_cached(folder: Path) -> Dataset:
    """Map a loaded dataset's rows again from its `folder`, in any process, without parsing or hashing.

    Raises `DataError` if the folder is not there, not complete, or damaged.
    """
    from engine.data import cache

    return cache.open_cached(folder)
