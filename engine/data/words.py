"""The words behind column numbers, from the word index that Keras publishes beside a data set, where it is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.data.sources.keras_files import chosen_data_folder, keras_folder
from engine.data.sources.keras_sequences import INDEX_FROM
from engine.errors import DataError
from engine.system.regular_files import is_regular, read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_LARGEST_FILE = 64 << 20  # those of Keras have one or two megabytes


def word_index_path(name: str, data_dir: Path | None) -> Path | None:
    """Where the word index of a data set lies: in the folder that the user names, else in Keras'; never fetched."""
    folder = chosen_data_folder(data_dir) or keras_folder()
    path = folder / f"{name}_word_index.json"
    return path if is_regular(path) else None


def word_names(name: str, data_dir: Path | None) -> Callable[[int], str]:
    """What to call the word of a column, the numbers being those of `keras.datasets`; `word 517` without an index.

    Raises DataError for a word index that cannot be read.
    """
    path = word_index_path(name, data_dir)
    if path is None:
        return lambda column: f"word {column}"
    try:
        ranks = msgspec.json.decode(read_regular(path, _LARGEST_FILE, follow_links=True), type=dict[str, int])
    except (OSError, msgspec.MsgspecError) as error:
        message = f"{path}: is not a word index: {error}"
        raise DataError(message) from error
    words = {rank + INDEX_FROM: word for word, rank in ranks.items()}
    return lambda column: words.get(column, f"word {column}")
