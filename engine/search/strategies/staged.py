"""First looks on a subsample, then the best few on more rows; successive halving over rows is a kind of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.search.strategies.interface import Candidate, Decision
from engine.session.combination import CombinationStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.session.combination import CombinationState
    from engine.session.state import SearchState
    from engine.spec.stages import Stage


class Staged:
    """The best of a stage, by the mean of the first metric, are trained again on the rows of the next.

    They begin anew: weights that have seen fewer rows would make the score another one than that of the combination
    trained on all of them.
    """

    def __init__(self, name: str, stages: Sequence[Stage], rows: Sequence[int]) -> None:
        self.name = name
        self._stages, self._rows = stages, rows

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """All epochs, all folds of the first stage."""
        return None, None

    def to_come(self, combinations: int) -> list[int]:
        """The best few of each stage in the next."""
        return [stage for stage in range(1, len(self._stages)) for _ in range(self._reaching(stage, combinations))]

    def _reaching(self, stage: int, combinations: int) -> int:
        """How many of so many combinations at the beginning reach a stage."""
        return min([combinations, *(one.keep for one in self._stages[:stage] if one.keep is not None)])

    def ask(self, state: SearchState) -> Decision | None:
        """The best of the newest stage, once it is done."""
        newest = max((combination.stage for combination in state.combinations), default=0)
        keep = self._stages[newest].keep
        if keep is None or not state.combinations_to_come:
            return None
        members = [combination for combination in state.combinations if combination.stage == newest]
        if not all(combination.status.is_finished for combination in members):
            return None
        complete = [combination for combination in members if combination.status is CombinationStatus.COMPLETE]
        best = sorted(complete, key=lambda one: (-_mean(one, state), one.index))[:keep]
        if not best:
            return Decision(f"stage {newest + 1}: none of {len(members)} is complete, so none goes on")
        rows = self._rows[newest + 1]
        return Decision(
            words=f"stage {newest + 1}: the best {len(best)} of {len(members)} go on to {rows} rows",
            added=tuple(Candidate(combination.params, newest + 1) for combination in best),
            to_come=sum(stage > newest + 1 for stage in self.to_come(len(best))),
        )

    def notes(self, combinations: int) -> list[str]:
        """How many combinations each stage trains on how many rows."""
        steps = [
            f"{self._reaching(number, combinations)} on {self._rows[number]} rows"
            for number in range(len(self._stages))
        ]
        return [f"stages: {', then '.join(steps)}"]


def _mean(combination: CombinationState, state: SearchState) -> float:
    return combination.mean(state.scoring[0])[0]
