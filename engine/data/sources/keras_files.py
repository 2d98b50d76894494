"""Keras' own files of Reuters and IMDB: where they may lie, and how their rows become training and test rows.

Imports nothing heavy before a file is opened.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.source import DataSource, OpenedSource, Whereabouts
from engine.errors import DataError
from engine.system.regular_files import is_regular

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from engine.data.features.kinds import Features
    from engine.data.sources.keras_sequences import LabelledSequences
    from engine.data.sources.npz import SourceFile
    from engine.data.sources.ragged import Ragged

DATA_VARIABLE = "FOLDWATCH_DATA"


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


@dataclass(frozen=True)
class KerasFile(DataSource):
    """A dataset that Keras publishes as one file; `address` and `sha256` are Keras' own."""

    file_name: str
    address: str
    sha256: str

    def whereabouts(self, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
        """The user's data folder if there is one, else Keras' cache, else what was downloaded before."""
        from engine.data.cache_folder import download_folder

        folder = chosen_data_folder(data_dir)
        if folder is not None:
            path = (folder / self.file_name).absolute()
            if not is_regular(path):
                message = f"{path}: no such file; the data folder must hold {self.file_name}"
                raise DataError(message)
            return Whereabouts("data folder", path, at_hand=True)
        for origin, path in (
            ("Keras cache", keras_folder() / self.file_name),
            ("downloaded before", download_folder(cache_dir) / self.file_name),
        ):
            if is_regular(path):
                return Whereabouts(origin, path, at_hand=True)
        return Whereabouts("download", None, at_hand=False)

    def open(
        self,
        features: Features,
        *,
        data_dir: Path | None,
        cache_dir: Path | None,
        root: Path,
        progress: Callable[[str], None],
    ) -> OpenedSource:
        """Read the file from where it lies; a file of another content in Keras' cache is passed over."""
        source = self._file(data_dir, cache_dir, root, progress)
        return OpenedSource(
            source.sha256, f"reading {source.path}, once", lambda: self.parts_of(source, features.num_words)
        )

    def parts_of(self, source: SourceFile, num_words: int) -> tuple[LabelledSequences, LabelledSequences]:
        """(training, test) of the file, parsed, with Keras' meaning of `num_words`. Raises DataError."""
        parts = self._split(source, num_words)
        for part, rows in zip(("training", "test"), parts, strict=True):
            if not len(rows):
                message = f"{source.path}: too few rows: none are left for the {part} part"
                raise DataError(message)
        return parts

    @abstractmethod
    def _split(self, source: SourceFile, num_words: int) -> tuple[LabelledSequences, LabelledSequences]: ...

    def _file(
        self, data_dir: Path | None, cache_dir: Path | None, root: Path, progress: Callable[[str], None]
    ) -> SourceFile:
        from engine.data.sources.download import download
        from engine.data.sources.npz import read_source

        place = self.whereabouts(data_dir, cache_dir)
        if place.path is not None:
            source = read_source(place.path)
            if place.origin == "data folder" or source.sha256 == self.sha256:
                return source
            if place.origin == "Keras cache":
                progress(
                    f"{place.path} is not Keras' own file (its hash differs), so it is not used; "
                    f"to use it all the same, pass --data-dir {place.path.parent}"
                )
        return read_source(download(self, root / "downloads", progress))

    def _labelled(
        self, source: SourceFile, rows_name: str, rows: Ragged, labels_name: str, labels: NDArray[np.int64]
    ) -> LabelledSequences:
        from engine.data.sources.keras_sequences import LabelledSequences

        if len(rows) != len(labels):
            message = f"{source.path}: {rows_name}.npy has {len(rows)} rows, {labels_name}.npy {len(labels)} labels"
            raise DataError(message)
        outside = ((labels < 0) | (labels >= self.classes)).nonzero()[0]
        if len(outside):
            message = (
                f"{source.path}: {labels_name}.npy has label {labels[outside[0]]} in row {outside[0]}; "
                f"{self.name} has labels from 0 to {self.classes - 1}"
            )
            raise DataError(message)
        return LabelledSequences(rows, labels)


class Reuters(KerasFile):
    """Rows in one piece, which Keras shuffles and splits."""

    def class_sizes(self) -> tuple[int, ...]:
        """As Keras' split has them; the sample copies them."""
        from engine.data.sample import TRAINING_COUNTS

        return TRAINING_COUNTS

    def _split(self, source: SourceFile, num_words: int) -> tuple[LabelledSequences, LabelledSequences]:
        from engine.data.sources.keras_sequences import reuters_split
        from engine.data.sources.npz import read_npz

        ragged, integers = read_npz(source, ragged=("x",), integers=("y",))
        return reuters_split(self._labelled(source, "x", ragged["x"], "y", integers["y"]), num_words)


class Imdb(KerasFile):
    """Rows that are split already; both classes have the same number of them."""

    def class_sizes(self) -> tuple[int, ...]:
        """Half of the training rows each."""
        return (self.training_rows // 2,) * 2

    def _split(self, source: SourceFile, num_words: int) -> tuple[LabelledSequences, LabelledSequences]:
        from engine.data.sources.keras_sequences import imdb_split
        from engine.data.sources.npz import read_npz

        ragged, integers = read_npz(source, ragged=("x_train", "x_test"), integers=("y_train", "y_test"))
        training, test = (
            self._labelled(source, f"x_{part}", ragged[f"x_{part}"], f"y_{part}", integers[f"y_{part}"])
            for part in ("train", "test")
        )
        return imdb_split(training, test, num_words)
