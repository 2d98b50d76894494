"""From a spec to a session that can run: data, subsample, folds and plan, all checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine import data
from engine.errors import SpecError
from engine.plan.folds import fold_rows, folds_of
from engine.plan.plan import Plan, make_plan
from engine.session.events import CombinationsAdded, PlannedCombination, SearchStarted
from engine.spec.catalogue import SCORERS
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.data import Dataset
    from engine.session.state import SearchState
    from engine.spec.combinations import Params


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that is settled before a search runs; `folds` as in `SessionDraft.finish`.

    `begun_with`: how many combinations of the plan are those that the search begins with; 0: all of them.
    """

    spec: SearchSpec
    dataset: Dataset
    folds: NDArray[np.int16]
    plan: Plan
    begun_with: int = 0

    @property
    def rows(self) -> int:
        """Training rows in use, in the last stage."""
        return int((self.folds[-1] >= 0).sum())


def load_data(spec: SearchSpec, data_dir: Path | None, progress: Callable[[str], None] | None) -> Dataset:
    """The data of a spec, from wherever they are at hand."""
    return data.load(spec.source, num_words=spec.encoding.num_words, data_dir=data_dir, progress=progress)


def prepare(spec: SearchSpec, dataset: Dataset, combinations: Sequence[Params]) -> Prepared:
    """Draw the subsample and the folds, and plan. Raises SpecError where the data do not allow it."""
    labels = np.asarray(dataset.training.labels)
    folds = folds_of(spec, dataset)
    for number, name in enumerate(spec.scoring):
        if SCORERS[name].needs_every_class:
            _check_every_class(spec, labels, folds, dataset, number)
        elif SCORERS[name].needs_two_classes:
            _check_two_classes(spec, labels, folds, number)
    return Prepared(spec, dataset, folds, make_plan(spec, combinations, fold_rows(spec, folds)))


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


def _check_two_classes(spec: SearchSpec, labels: NDArray[np.integer], folds: NDArray[np.int16], number: int) -> None:
    for repeat in folds:
        for fold in range(spec.folds):
            present = np.unique(labels[repeat == fold])
            if len(present) < 2:
                accepted = (
                    f"a scorer that does not need two classes in every fold, such as accuracy: all rows of fold {fold} "
                    f"have class {present[0]}"
                )
                raise SpecError(f"scoring[{number}]", spec.scoring[number], accepted)


def announce_again(state: SearchState, spec: SearchSpec) -> None:
    """Bring a state to where an engine finds it once it has announced what the record lost, or never had.

    The plan of a resume is made of its combinations: those that a damaged announcement kept waiting are among them.
    """
    state.apply(
        SearchStarted(
            time=state.last_time,
            session="",
            segment=1,
            dataset=spec.dataset,
            synthetic=False,
            rows=spec.rows,
            classes=1,
            splits=spec.splits,
            scoring=spec.scoring,
            workers=1,
            trainings=0,
            cost=0.0,
            host="",
            pid=0,
        )
    )
    if not state.combinations:
        first = [
            PlannedCombination(index=index, params=params, trainer="")
            for index, params in enumerate(combinations_of(spec))
        ]
        state.apply(CombinationsAdded(time=state.last_time, combinations=first))
