"""Which training serves which fit. The plan, the queue, forecasts and the reuse of scores all ask here.

- Fits of equal *effect* on the same rows have the same scores, to the last bit (`effect_of`).
- One training serves, on each split, the fits that differ in nothing but their epochs (`effect_of_training`): it passes
  through the shorter ones on its way.
- How far a fit is to be trained now depends on what its strategy allows and on what is scored (`epochs_due`).
"""

from __future__ import annotations

import functools
from dataclasses import fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from engine.session.combination import WAITING
from engine.spec.resolved import Pairs, ResolvedParams, without_idle_parts
from engine.spec.schedules import in_steps, steps_per_epoch

if TYPE_CHECKING:
    from engine.session.combination import CombinationState

Effect = tuple[str, ResolvedParams]  # the trainer, and what the parameters come to

_ALL_BUT_EPOCHS = attrgetter(*(one.name for one in fields(ResolvedParams) if one.name != "epochs"))


def effect_of(resolved: ResolvedParams, trainer: str, rows: tuple[int, ...]) -> Effect:
    """What decides the scores of a combination's fits beside data and seed, in folds of so many training `rows`."""
    return trainer, effective(resolved, rows)


def effect_of_training(effect: Effect) -> tuple[str, object]:
    """What fits that share one training have in common: all but `epochs`, unless the schedule depends on those."""
    trainer, resolved = effect
    return trainer, _ALL_BUT_EPOCHS(resolved) if resolved.shares_epochs else resolved


def epochs_due(combination: CombinationState, fold: int, epochs: int) -> int:
    """To which epoch a fit of so many `epochs` is to be trained now: its last one, or a rung; 0: to none.

    None is due while the fit runs, when it has ended, when its combination is dropped, and while the strategy waits for
    others before it allows it more.
    """
    fit = combination.fits[fold]
    if fit.status is not WAITING or combination.dropped:
        return 0
    if combination.folds_allowed is not None and fold >= combination.folds_allowed:
        return 0
    allowed = combination.epochs_allowed
    if allowed is None or allowed >= epochs:
        return epochs
    rung = fit.rung(allowed)
    return allowed if rung is None or rung.score is None else 0


def is_served(combination: CombinationState, fold: int, epochs: int) -> bool:
    """Whether a fit has ended, or was scored after so many epochs or more."""
    fit = combination.fits[fold]
    return fit.status.is_finished or fit.epochs_behind >= epochs


def is_open(combination: CombinationState, fold: int) -> bool:
    """Whether a fit may still be trained, now or later."""
    return not combination.dropped and not combination.fits[fold].status.is_finished


def effective(resolved: ResolvedParams, rows: tuple[int, ...]) -> ResolvedParams:
    """What the parameters come to in folds of so many training `rows`: equal effects become equal parameters.

    Without parts that have no effect, a batch no larger than the rows, and a schedule in steps where the folds agree on
    them.
    """
    resolved = without_idle_parts(resolved)
    batch_size = min(resolved.batch_size, max(rows))
    if batch_size != resolved.batch_size:
        resolved = replace(resolved, batch_size=batch_size)
    if resolved.schedule is None:
        return resolved
    epoch_steps = tuple(sorted({steps_per_epoch(count, batch_size) for count in rows}))
    arguments = _arguments_in_steps(resolved.schedule, resolved.schedule_arguments, epoch_steps, resolved.epochs)
    if arguments is None or arguments == resolved.schedule_arguments:
        return resolved
    # In steps, more of it can turn out to have no effect.
    return without_idle_parts(replace(resolved, schedule_arguments=arguments))


@functools.lru_cache(maxsize=4096)
def _arguments_in_steps(schedule: str, pairs: Pairs, epoch_steps: tuple[int, ...], epochs: int) -> Pairs | None:
    """A schedule's arguments in steps; None where folds of so many steps in an epoch do not agree on them."""
    resolved = {
        tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in sorted(in_steps(schedule, dict(pairs), steps, epochs).items())
        )
        for steps in epoch_steps
    }
    return resolved.pop() if len(resolved) == 1 else None
