"""What is known of a data set without reading it: where it is, and how many rows each class has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.data import DataSource


@dataclass(frozen=True, slots=True)
class ClassSizes:
    """Training rows of each class in use, largest first, with their names; below `folds`: `thin` classes."""

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    thin: int


def class_sizes(source: DataSource, rows: int, folds: int) -> ClassSizes:
    """The classes of a dataset, scaled to a stratified subsample of `rows` rows; called in a thread.

    The counts may bring NumPy with them, which takes long to import.
    """
    share = rows / source.training_rows
    pairs = sorted(
        ((round(count * share), name) for count, name in zip(source.class_sizes(), source.label_names, strict=True)),
        key=lambda pair: -pair[0],
    )
    return ClassSizes(
        tuple(size for size, _ in pairs), tuple(name for _, name in pairs), sum(size < folds for size, _ in pairs)
    )


@dataclass(frozen=True)
class DataView:
    """A data set as the form shows it; `problem`: why it is not at hand."""

    source: DataSource
    whereabouts: str
    is_at_hand: bool
    rows: int
    folds: int
    sizes: ClassSizes
    problem: str = ""


_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: tuple[int, ...], height: int) -> list[str]:
    """Columns of a bar chart, a character a value, as `height` lines from the top; the smallest still show."""
    highest = max(values, default=0)
    if highest <= 0:
        return [""] * height
    # The root, not the share itself: Reuters' largest class is three hundred times its smallest.
    eighths = [max(1 if value else 0, round((value / highest) ** 0.5 * height * 8)) for value in values]
    return [
        "".join(_EIGHTHS[max(0, min(8, filled - 8 * level))] for filled in eighths)
        for level in range(height - 1, -1, -1)
    ]
