"""A dataset ready for a search: training and test rows, what their classes are called, and what they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from engine.data.rows import Rows


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows that lie on disk and are mapped into memory, so that every worker shares one copy.

    `source_sha256`: hexadecimal hash of the source file, or of the generator and its parameters if `synthetic`;
    `digest`: hexadecimal hash of exactly these rows, labels included; `folder`: where their arrays lie, for
    `open_cached`.
    """

    name: str
    training: Rows
    test: Rows
    label_names: tuple[str, ...]
    num_words: int
    source_sha256: str
    digest: str
    synthetic: bool
    folder: Path
