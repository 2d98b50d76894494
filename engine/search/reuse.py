"""Fits that earlier sessions of the same folder have scored already, to be reused instead of run again.

A fit is known by everything that decides its scores to the last bit: the data, the rows of its fold, the effective
parameters, the seed, the trainer, the model of CPU and the versions of what computes. Where all of that is equal, so
are the scores.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, SessionNotTrustedError
from engine.plan.folds import fold_rows
from engine.plan.sharing import Effect, effect_of
from engine.search.older_scores import older_rules
from engine.session.combination import FitStatus
from engine.session.listing import list_names
from engine.session.predictions import read_block
from engine.session.session import open_session
from engine.spec.early_stopping import EarlyStopping
from engine.spec.resolved import resolved_params_of
from engine.spec.spec import SearchSpec
from engine.system import machine
from engine.system.regular_files import open_mine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.plan.prepared import Prepared
    from engine.session.combination import CombinationState
    from engine.session.events import PlannedCombination, PredictionsPlace
    from engine.session.segments import Curve
    from engine.session.session import Session

# Rows of the fold, effect of the parameters, the rule that may have ended it before its last epoch, and the rules of
# training that touch it and were others when it was scored.
FitKey = tuple[str, Effect, EarlyStopping | None, tuple[str, ...]]


@dataclass(frozen=True)
class KnownFit:
    """A fit that was scored before: in which session, with what, and its curve and predictions if still there."""

    session: Session
    scores: dict[str, float | None]
    seconds: float
    diverged: bool
    curve: Curve | None
    predictions: PredictionsPlace | None
    stopped_at: int | None
    stopped_score: float | None
    score_seconds: float | None

    def read_predictions(self) -> bytes:
        """Packed; empty where there are none. They are read when wanted, since all together they are large."""
        if self.predictions is None:
            return b""
        return read_block(self.session.folder, self.predictions, self.session.opened) or b""


@dataclass(frozen=True)
class KnownFits:
    """(combination, fold) -> a fit that was scored before; `passed_over` sessions, not ours, may have more."""

    fits: Mapping[tuple[int, int], KnownFit] = field(default_factory=dict)
    passed_over: int = 0


def known_fits(prepared: Prepared, session: Session) -> KnownFits:
    """For every fit of a search, an equal one that another session of the folder has scored, if there is one.

    Only sessions that nobody but this user can have written are believed: others, of which those that cannot be read
    are not counted, could give a search any score. Sessions that cannot be read cost time, not correctness.
    """
    wanted: dict[FitKey, list[tuple[int, int]]] = {}
    combinations = prepared.plan.combinations
    for place, key in _keys(prepared.spec, prepared.folds, combinations):
        wanted.setdefault(key, []).append(place)
    reusable: dict[tuple[int, int], KnownFit] = {}
    mine, passed_over = _comparable_sessions(session)
    for other in mine:
        try:
            for key, known in _scored(other, prepared.spec.scoring, wanted):
                for place in wanted[key]:
                    reusable.setdefault(place, known)
        except SessionNotTrustedError:
            passed_over += 1  # it was replaced meanwhile
        except (FoldwatchError, OSError):
            continue
        if len(reusable) == len(combinations) * prepared.spec.splits:
            break
    return KnownFits(reusable, passed_over)


def _keys(
    spec: SearchSpec, folds: NDArray[np.int16], combinations: Sequence[PlannedCombination | CombinationState]
) -> Iterator[tuple[tuple[int, int], FitKey]]:
    rows = fold_rows(spec, folds)
    digests = [_fold_digest(repeat, fold) for repeat in folds for fold in range(spec.folds)]
    for combination in combinations:
        resolved = resolved_params_of(combination.params)
        for fold in range(spec.splits):
            split = combination.stage * spec.splits + fold
            effect = effect_of(resolved, combination.trainer, (rows[split],))
            yield (combination.index, fold), (digests[split], effect, spec.stopping, ())


def _fold_digest(repeat: NDArray[np.int16], fold: int) -> str:
    """Which rows are trained on, and which are validated."""
    digest = hashlib.sha256(((repeat >= 0) & (repeat != fold)).tobytes())
    digest.update((repeat == fold).tobytes())
    return digest.hexdigest()


def _comparable_sessions(session: Session) -> tuple[list[Session], int]:
    """Other sessions with the same data, model, seed, CPU and versions, the newest first; how many are not ours."""
    mine = session.record
    others, passed_over = [], 0
    for name in list_names(session.folder.parent):
        try:
            other = open_session(name, session.folder.parent)
        except SessionNotTrustedError:
            passed_over += 1
            continue
        except FoldwatchError:
            continue
        theirs = other.record
        if (
            name != session.id
            and theirs.data.digest == mine.data.digest
            and theirs.spec.get("seed") == mine.spec.get("seed")
            and theirs.spec.get("model") == mine.spec.get("model")
            and theirs.code == mine.code
            and theirs.cpu == machine.cpu_model()
            and _versions_that_matter().items() <= theirs.versions.items()
        ):
            if other.opened is open_mine:
                others.append(other)
            else:
                passed_over += 1
    return sorted(others, key=lambda other: -other.record.created), passed_over


def _versions_that_matter() -> dict[str, str]:
    """All but foldwatch's own, whose changes have revisions."""
    return {name: version for name, version in machine.versions().items() if name != "foldwatch"}


def _same_fits(key: FitKey, stopped_at: int | None) -> list[FitKey]:
    """The keys that a scored fit answers to: its own, and that of one that may not end early, if this one did not."""
    digest, effect, rule, older = key
    if rule is None or (rule.stop and stopped_at is not None):
        return [key]
    return [key, (digest, effect, None, older)]


def _scored(
    other: Session, metrics: list[str], wanted: dict[FitKey, list[tuple[int, int]]]
) -> Iterator[tuple[FitKey, KnownFit]]:
    state = other.state()
    # What was scored with other versions cannot be distinguished from the rest.
    if state.started is None or state.changed_versions or not set(metrics) <= set(state.scoring):
        return
    for (index, fold), key in _keys(other.spec, other.folds(), state.combinations):
        combination = state.combinations[index]
        fit = combination.fits[fold]
        if not fit.status.is_finished:
            continue
        for same in _same_fits((*key[:3], older_rules(combination, fold)), fit.stopped_at):
            can_stop = same[2] is not None
            if same in wanted and fit.seconds is not None:
                yield (
                    same,
                    KnownFit(
                        session=other,
                        scores={metric: combination.score(metric, fold) for metric in metrics},
                        seconds=fit.seconds,
                        diverged=fit.status is FitStatus.DIVERGED,
                        curve=other.curve(fit.curve) if fit.curve else None,
                        predictions=fit.predictions,
                        stopped_at=fit.stopped_at if can_stop else None,
                        stopped_score=fit.stopped_score if can_stop and metrics[0] == state.scoring[0] else None,
                        score_seconds=fit.score_seconds,
                    ),
                )
