"""What is known of a data set without reading it: where it is, and how many rows each class has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.data.facts import DatasetFacts


@dataclass(frozen=True, slots=True)
class ClassSizes:
    """Training rows of each class in use, largest first, with their names; below `folds`: `thin` classes."""

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    thin: int


def class_sizes(dataset: str, rows: int, folds: int) -> ClassSizes:
    """The classes of a data set, scaled to a stratified subsample of `rows` rows.

    Imports NumPy with the sample's table of Reuters' counts: ask from a thread.
    """
    from engine.data.facts import dataset_facts

    facts = dataset_facts(dataset)
    if dataset == "imdb":
        counts: tuple[int, ...] = (facts.training_rows // 2,) * 2
    else:
        from engine.data.sample import TRAINING_COUNTS

        counts = TRAINING_COUNTS  # the sample has Reuters' own
    share = rows / facts.training_rows
    pairs = sorted(
        ((round(count * share), name) for count, name in zip(counts, facts.label_names, strict=True)),
        key=lambda pair: -pair[0],
    )
    return ClassSizes(
        tuple(size for size, _ in pairs), tuple(name for _, name in pairs), sum(size < folds for size, _ in pairs)
    )


@dataclass(frozen=True)
class DataView:
    """A data set as the form shows it; `problem`: why it is not at hand."""

    facts: DatasetFacts
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
