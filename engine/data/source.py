"""What a search learns from, as an object: its classes and sizes without reading it, its rows when they are needed.

Imports nothing heavy, so that a spec can be checked and a screen drawn without NumPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.features.kinds import Features
    from engine.data.sources.keras_sequences import LabelledSequences


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


@dataclass(frozen=True, eq=False)
class OpenedSource:
    """A dataset that has been opened: its content is hashed, and nothing of it is parsed yet.

    `sha256`: hexadecimal hash of all that decides the rows; `action`: what `parts` does, in words for the user;
    `parts`: makes (training, test), word numbers with their classes. It raises `DataError` for a content that is
    refused.
    """

    sha256: str
    action: str
    parts: Callable[[], tuple[LabelledSequences, LabelledSequences]]


@dataclass(frozen=True)
class DataSource(ABC):
    """A dataset that a search can name. Everything that asks for classes or rows asks this object.

    `name`: as specs, sessions' names and folders of parsed rows write it; `title`: in words; `training_rows` and
    `test_rows`: how many there are, all of them; `label_names`: what the classes are called, in the order of their
    numbers; `synthetic`: whether it is generated instead of read.
    """

    name: str
    title: str
    training_rows: int
    test_rows: int
    label_names: tuple[str, ...]
    synthetic: bool

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.label_names)

    def rows_in(self, subsample: float | int) -> int:
        """Training rows of a subsample: a fraction of them, or a whole number, which is itself."""
        return subsample if isinstance(subsample, int) else round(self.training_rows * subsample)

    @abstractmethod
    def class_sizes(self) -> tuple[int, ...]:
        """Training rows of each class, shape (classes,), known without reading a file. It may import NumPy."""

    @abstractmethod
    def whereabouts(self, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
        """Where the dataset would come from now, found by looking for files, without opening any.

        Raises `DataError`, naming the full path, if the folder that the user names lacks the file.
        """

    @abstractmethod
    def open(
        self,
        features: Features,
        *,
        data_dir: Path | None,
        cache_dir: Path | None,
        root: Path,
        progress: Callable[[str], None],
    ) -> OpenedSource:
        """Find the content, fetch it if need be, and hash it.

        `root`: this user's folder for parsed data; `progress` gets whole lines about what takes time. Raises
        `DataError` for a file that is missing or refused, `InputOutputError` for a failed download.
        """
