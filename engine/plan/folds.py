"""In which fold each row is validated: scikit-learn's splits, kept beside the parsed rows that they are of.

Importing scikit-learn takes a second or two, and no worker can begin before: its splits are worked out only once.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import math
import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from engine.data.subsample import stratified_subsample
from engine.errors import SpecError
from engine.system.regular_files import open_mine, read_within
from engine.system.whole_files import remove_leftovers, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.data import Dataset
    from engine.spec.spec import SearchSpec

# Raise with every change of what the same spec means; older files are then never looked at again.
_FORMAT = 2
_KEPT = 64  # files of one dataset, those read last: two bytes a row, repeat and stage
_LONGEST_HEADER = 1000
_CHECKSUM_BYTES = hashlib.sha256().digest_size


def fold_rows(spec: SearchSpec, folds: NDArray[np.int16]) -> list[int]:
    """Training rows of every split: those of repeat 0 of the first stage first."""
    return [int(((repeat >= 0) & (repeat != fold)).sum()) for repeat in folds for fold in range(spec.folds)]


def folds_of(spec: SearchSpec, dataset: Dataset) -> NDArray[np.int16]:
    """`assign_folds` for the dataset's training rows, from a file where that was worked out before."""
    path = dataset.folder / f"folds-{_key(spec, dataset)}.npy"
    folds = _read(path, (len(spec.stages) * spec.repeats, len(dataset.training)))
    if folds is None:
        folds = assign_folds(spec, np.asarray(dataset.training.labels))
        with contextlib.suppress(OSError):  # where nothing can be kept, they are worked out again
            _keep(path, folds)
    return folds


def assign_folds(spec: SearchSpec, labels: NDArray[np.integer]) -> NDArray[np.int16]:
    """The fold in which each row is validated, shape (stages x repeats, rows) int16; -1 beyond the stage's subsample.

    Repeat r is `StratifiedKFold(folds, shuffle=True, random_state=partition_seed(seed, r))` over the subsample's
    labels. Raises SpecError where the labels do not allow it.
    """
    return np.concatenate([_assign_folds(spec, labels, stage.subsample) for stage in spec.stages])


def partition_seed(seed: int, repeat: int) -> int:
    """What scikit-learn shuffles the rows of a repeat with: the seed itself for the first.

    Later ones are drawn from both, so that the partitions of one seed are not those of the next.
    """
    if repeat == 0:
        return seed % 2**32
    return int(np.random.SeedSequence(seed, spawn_key=(repeat,)).generate_state(1)[0])


def _assign_folds(spec: SearchSpec, labels: NDArray[np.integer], subsample: float | int) -> NDArray[np.int16]:
    from sklearn.model_selection import StratifiedKFold

    try:
        chosen = stratified_subsample(labels, subsample, spec.seed)
    except ValueError as error:
        raise SpecError("subsample", subsample, f"at most {len(labels)} rows") from error
    folds = np.full((spec.repeats, len(labels)), -1, np.int16)
    for repeat in range(spec.repeats):
        splitter = StratifiedKFold(spec.folds, shuffle=True, random_state=partition_seed(spec.seed, repeat))
        with warnings.catch_warnings():
            # Rare classes with fewer rows than folds are usual here (Reuters); scorers that mind are checked later.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            try:
                splits = list(splitter.split(np.zeros(len(chosen)), labels[chosen]))
            except ValueError as error:
                raise SpecError("folds", spec.folds, f"what the data allow: {error}") from error
        for fold, (_, validation) in enumerate(splits):
            folds[repeat, chosen[validation]] = fold
    return folds


def _key(spec: SearchSpec, dataset: Dataset) -> str:
    """A digest of all that decides the folds."""
    versions = [importlib.metadata.version("scikit-learn"), np.__version__]
    subsamples = [stage.subsample for stage in spec.stages]
    decisive = [_FORMAT, dataset.digest, subsamples, spec.folds, spec.repeats, spec.seed, versions]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:24]


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.int16] | None:
    """The folds in a file; None if it is not there, or not as it was written."""
    try:
        with open_mine(path) as file:
            content = read_within(file, 2 * math.prod(shape) + _LONGEST_HEADER + _CHECKSUM_BYTES)
    except OSError:
        return None
    written, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if hashlib.sha256(written).digest() != checksum:
        return None
    folds: NDArray[np.int16] = np.load(io.BytesIO(written), allow_pickle=False)
    if folds.shape != shape or folds.dtype != np.int16:
        return None
    with contextlib.suppress(OSError):  # then it is taken for older than it is
        os.utime(path)
    return folds


def _keep(path: Path, folds: NDArray[np.int16]) -> None:
    """Write a file with its checksum; remove the oldest of too many, and what a killed process left half written."""
    content = io.BytesIO()
    np.save(content, folds, allow_pickle=False)
    write_whole(path, content.getvalue(), hashlib.sha256(content.getvalue()).digest(), lasting=False)
    for file in sorted(path.parent.glob("folds-*.npy"), key=_last_used)[:-_KEPT]:
        file.unlink(missing_ok=True)
    remove_leftovers(path.parent)


def _last_used(file: Path) -> float:
    return file.stat().st_mtime
