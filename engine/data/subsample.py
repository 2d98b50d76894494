"""A smaller set of rows in which every class keeps its share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stratified_subsample(labels: NDArray[np.integer], subsample: float, seed: int) -> NDArray[np.intp]:
    """Ascending row numbers of a stratified subsample of `labels` (rows,).

    `subsample`: a fraction in (0, 1], rounded to whole rows, at least one, or a whole number of rows above 1; 1 is
    all rows. Every class gets its exact share rounded down; rows that remain go to the largest remainders, the
    lower class first (Hamilton's method). Equal seeds draw rows of a class in one order, whatever the
    number. Raises `ValueError` for another number, or for more rows than there are.
    """
    wanted = _wanted_rows(len(labels), subsample)
    if wanted == len(labels):
        return np.arange(len(labels))
    _, class_of_row, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares, remainders = np.divmod(counts * wanted, len(labels))
    largest_first = np.argsort(-remainders, kind="stable")
    shares[largest_first[: wanted - int(shares.sum())]] += 1

    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    shuffled = generator.permutation(len(labels))
    by_class = shuffled[np.argsort(class_of_row[shuffled], kind="stable")]
    place_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[place_in_class < np.repeat(shares, counts)])


def _wanted_rows(rows: int, subsample: float) -> int:
    if isinstance(subsample, bool) or not isinstance(subsample, int | float):
        message = f"subsample: {shortened(repr(subsample))} is not a number"
        raise ValueError(message)
    if 0 < subsample <= 1:
        return max(1, round(subsample * rows)) if rows else 0
    if not 1 < subsample < math.inf or subsample != int(subsample):
        shown = shortened(repr(subsample))
        message = f"subsample: {shown} is neither a fraction in (0, 1] nor a whole number of rows above 1"
        raise ValueError(message)
    if subsample > rows:
        message = f"subsample: {subsample} rows are more than the {rows} there are"
        raise ValueError(message)
    return int(subsample)
