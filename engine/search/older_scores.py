"""Which fits were scored by rules of the training that are others today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.spec.resolved import resolved_params_of
from engine.spec.revisions import changed_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.session.combination import CombinationState


def older_rules(combination: CombinationState, fold: int) -> tuple[str, ...]:
    """The rules by which a fit was scored that are others today; none for one that is not scored."""
    since = combination.fits[fold].older_revision
    if since is None:
        return ()
    return changed_rules(resolved_params_of(combination.params), combination.trainer, since)


def scored_by_older_rules(combinations: Sequence[CombinationState]) -> list[str]:
    """The fits that older rules have scored, a line for each rule: "boundary_epochs: #0 (folds 0, 1), #3 (fold 2)"."""
    affected: dict[str, list[str]] = {}
    for combination in combinations:
        folds: dict[str, list[int]] = {}
        for fold in range(len(combination.fits)):
            for name in older_rules(combination, fold):
                folds.setdefault(name, []).append(fold)
        for name, several in folds.items():
            which = ", ".join(map(str, several))
            affected.setdefault(name, []).append(f"#{combination.index} (fold{'s' * (len(several) > 1)} {which})")
    return [f"{name}: {', '.join(which)}" for name, which in affected.items()]
