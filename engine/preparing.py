"""From a spec to a session that can run: data, subsample, folds and plan, all checked before anything starts."""

from __future__ import annotations

import hashlib
import socket
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine import data, machine
from engine.catalogue import SCORERS
from engine.data.subsample import stratified_subsample
from engine.errors import SessionUnreadableError, SpecError
from engine.plan import Plan, make_plan
from engine.session import FORMAT, DataRecord, SearchRecord, Session
from engine.space import combinations_of
from engine.spec import SearchSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.data import Dataset
    from engine.space import Params


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that is settled before a search runs; `folds` as in `Session.create`."""

    spec: SearchSpec
    dataset: Dataset
    folds: NDArray[np.int16]
    plan: Plan

    @property
    def rows(self) -> int:
        """Training rows in use."""
        return int((self.folds[0] >= 0).sum())


def load_data(spec: SearchSpec, data_dir: Path | None, progress: Callable[[str], None] | None) -> Dataset:
    """The data of a spec, from wherever they are at hand."""
    return data.load(spec.dataset, num_words=spec.num_words, data_dir=data_dir, progress=progress)


def prepare(spec: SearchSpec, dataset: Dataset, combinations: Sequence[Params]) -> Prepared:
    """Draw the subsample and the folds, and plan. Raises SpecError where the data do not allow what was asked."""
    labels = np.asarray(dataset.training.labels)
    folds = assign_folds(spec, labels)
    for number, name in enumerate(spec.scoring):
        if SCORERS[name].needs_every_class:
            _check_every_class(spec, labels, folds, dataset, number)
    return Prepared(spec, dataset, folds, make_plan(spec, combinations, fold_rows(spec, folds)))


def fold_rows(spec: SearchSpec, folds: NDArray[np.int16]) -> list[int]:
    """Training rows of every split: repeat 0's folds first."""
    return [int(((folds[r] >= 0) & (folds[r] != f)).sum()) for r in range(spec.repeats) for f in range(spec.folds)]


def assign_folds(spec: SearchSpec, labels: NDArray[np.integer]) -> NDArray[np.int16]:
    """The fold in which each row is validated, shape (repeats, rows) int16; -1 for rows beyond the subsample.

    Repeat r is `StratifiedKFold(folds, shuffle=True, random_state=seed + r)` over the subsample's labels.
    """
    from sklearn.model_selection import StratifiedKFold

    try:
        chosen = stratified_subsample(labels, spec.subsample, spec.seed)
    except ValueError as error:
        raise SpecError("subsample", spec.subsample, f"at most {len(labels)} rows") from error
    folds = np.full((spec.repeats, len(labels)), -1, np.int16)
    for repeat in range(spec.repeats):
        splitter = StratifiedKFold(spec.folds, shuffle=True, random_state=(spec.seed + repeat) % 2**32)
        with warnings.catch_warnings():
            # Rare classes with fewer rows than folds are usual here (Reuters); scorers that mind are checked above.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            try:
                splits = list(splitter.split(np.zeros(len(chosen)), labels[chosen]))
            except ValueError as error:
                raise SpecError("folds", spec.folds, f"what the data allow: {error}") from error
        for fold, (_, validation) in enumerate(splits):
            folds[repeat, chosen[validation]] = fold
    return folds


def _check_every_class(
    spec: SearchSpec, labels: NDArray[np.integer], folds: NDArray[np.int16], dataset: Dataset, number: int
) -> None:
    everything = np.arange(dataset.training.classes)
    for repeat in folds:
        for fold in range(spec.folds):
            missing = np.setdiff1d(everything, labels[repeat == fold])
            if len(missing):
                name = dataset.label_names[missing[0]]
                accepted = (
                    f"a scorer that does not need every class in every fold, such as accuracy: fold {fold} has no "
                    f"row of class {missing[0]} ({name})"
                )
                raise SpecError(f"scoring[{number}]", spec.scoring[number], accepted)


def make_record(prepared: Prepared, identifier: str, *, workers: int | None, data_dir: Path | None) -> SearchRecord:
    """What `search.json` will say."""
    dataset = prepared.dataset
    return SearchRecord(
        format=FORMAT,
        id=identifier,
        created=time.time(),
        spec=prepared.spec.to_values(),
        data=DataRecord(
            source_sha256=dataset.source_sha256,
            digest=dataset.digest,
            folds_sha256=hashlib.sha256(prepared.folds.tobytes()).hexdigest(),
            rows=prepared.rows,
            test_rows=len(dataset.test),
            classes=dataset.training.classes,
            synthetic=dataset.synthetic,
        ),
        versions=machine.versions(),
        host=socket.gethostname(),
        cpu=machine.cpu_model(),
        workers=workers,
        data_dir=str(data_dir) if data_dir else None,
    )


def prepare_again(session: Session, data_dir: Path | None, progress: Callable[[str], None] | None) -> Prepared:
    """The same for a session that exists, from its record. Raises SessionUnreadableError if its data have changed."""
    spec = SearchSpec.from_values(session.record.spec)
    dataset = load_data(spec, data_dir, progress)
    if dataset.digest != session.record.data.digest:
        message = (
            f"{session.id}: the data have changed since the search began: "
            f"then {session.record.data.digest}, now {dataset.digest}"
        )
        raise SessionUnreadableError(message)
    folds = session.folds()
    state = session.state()
    params = [combination.params for combination in state.combinations]
    plan = make_plan(spec, params or combinations_of(spec), fold_rows(spec, folds))
    return Prepared(spec, dataset, folds, plan)
