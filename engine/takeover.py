"""Fits that earlier sessions of the same folder have scored already, to be taken over instead of run again.

A fit is known by everything that decides its scores to the last bit: the data, the rows of its fold, the effective
parameters, the seed, the trainer, the model of CPU and the versions of what computes. Where all of that is equal, so
are the scores.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import machine
from engine.errors import FoldwatchError
from engine.plan import effective
from engine.preparing import fold_rows
from engine.session import list_names, open_session
from engine.settings import Settings, settings_of
from engine.spec import SearchSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from engine.journal import Curve
    from engine.preparing import Prepared
    from engine.session import Session

FitKey = tuple[str, Settings, str]  # rows of the fold, effective settings, trainer


@dataclass(frozen=True)
class KnownFit:
    """A fit that was scored before: in which session, with what, and its curve if that is still there."""

    session: str
    scores: dict[str, float | None]
    seconds: float
    diverged: bool
    curve: Curve | None


def known_fits(prepared: Prepared, session: Session) -> dict[tuple[int, int], KnownFit]:
    """(combination, fold) -> the same fit in another session of the folder, for every fit that has one.

    Sessions that cannot be read are passed over: they cost time, not correctness.
    """
    wanted: dict[FitKey, list[tuple[int, int]]] = {}
    params = [combination.params for combination in prepared.plan.combinations]
    trainers = [combination.trainer for combination in prepared.plan.combinations]
    for place, key in _keys(prepared.spec, prepared.folds, params, trainers):
        wanted.setdefault(key, []).append(place)
    found: dict[tuple[int, int], KnownFit] = {}
    for other in _comparable_sessions(session):
        try:
            for key, known in _scored(other, set(prepared.spec.scoring), wanted):
                for place in wanted[key]:
                    found.setdefault(place, known)
        except FoldwatchError:
            continue
        if len(found) == len(params) * prepared.spec.splits:
            break
    return found


def _keys(
    spec: SearchSpec, folds: NDArray[np.int16], params: list[dict[str, object]], trainers: list[str]
) -> Iterator[tuple[tuple[int, int], FitKey]]:
    rows = fold_rows(spec, folds)
    digests = [_fold_digest(folds[fold // spec.folds], fold % spec.folds) for fold in range(spec.splits)]
    for combination, (one, trainer) in enumerate(zip(params, trainers, strict=True)):
        settings = settings_of(one)
        for fold in range(spec.splits):
            yield (combination, fold), (digests[fold], effective(settings, (rows[fold],)), trainer)


def _fold_digest(repeat: NDArray[np.int16], fold: int) -> str:
    """Which rows are trained on, and which are validated."""
    digest = hashlib.sha256(((repeat >= 0) & (repeat != fold)).tobytes())
    digest.update((repeat == fold).tobytes())
    return digest.hexdigest()


def _comparable_sessions(session: Session) -> Iterator[Session]:
    """Other sessions with the same data, seed, CPU and versions, the newest first."""
    mine = session.record
    others = []
    for name in list_names(session.folder.parent):
        try:
            other = open_session(name, session.folder.parent)
        except FoldwatchError:
            continue
        theirs = other.record
        if (
            name != session.id
            and theirs.data.digest == mine.data.digest
            and theirs.spec.get("seed") == mine.spec.get("seed")
            and theirs.cpu == machine.cpu_model()
            and theirs.versions == machine.versions()
        ):
            others.append(other)
    yield from sorted(others, key=lambda other: -other.record.created)


def _scored(
    other: Session, metrics: set[str], wanted: dict[FitKey, list[tuple[int, int]]]
) -> Iterator[tuple[FitKey, KnownFit]]:
    state = other.state()
    if state.started is None or not metrics <= set(state.scoring):
        return
    params = [combination.params for combination in state.combinations]
    trainers = [combination.trainer for combination in state.combinations]
    for (index, fold), key in _keys(SearchSpec.from_values(other.record.spec), other.folds(), params, trainers):
        combination = state.combinations[index]
        seconds, place = combination.seconds[fold], combination.curves[fold]
        if key in wanted and seconds is not None:
            yield (
                key,
                KnownFit(
                    session=other.id,
                    scores={metric: combination.scores[metric][fold] for metric in metrics},
                    seconds=seconds,
                    diverged=str(combination.fits[fold]) == "diverged",
                    curve=other.curve(place) if place else None,
                ),
            )
