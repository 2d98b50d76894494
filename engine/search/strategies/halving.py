"""Successive halving and Hyperband over epochs: many combinations for a few epochs, the best of them for more.

Successive halving: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization". Hyperband, which runs it from several numbers of epochs: Li et al. 2018, "Hyperband: a novel
bandit-based approach to hyperparameter optimization". Both synchronous: a rung is decided when it is whole.

The defaults, factor 3 from the first epoch on, train 60 combinations of up to 40 epochs with 11 % of the epochs; on
Reuters the best that is left is within 0.001 of the best of all (`tests.benchmarks.halving`), as with any factor from 2
to 4. Beginning later than with the first epoch costs up to 25 % and finds hardly more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.search.strategies.interface import Decision
from engine.search.strategies.rounds import has_reached, why_incomplete
from engine.session.events import Allowance, Dropped
from engine.session.ranking import mean_and_deviation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.session.combination import CombinationState
    from engine.session.state import SearchState


@dataclass(frozen=True)
class Rung:
    """After `epochs` epochs the best `keep` go on."""

    epochs: int
    keep: int


@dataclass(frozen=True)
class Bracket:
    """One run of successive halving: its combinations by index, and its rungs; who passes the last one ends in full."""

    members: range
    rungs: tuple[Rung, ...]


class Halving:
    """Drops, at each rung of each bracket, all but the best by the mean of the first metric; ties: the lower index."""

    def __init__(self, name: str, brackets: Sequence[Bracket], epochs: int) -> None:
        self.name, self.brackets = name, brackets
        self._epochs = epochs
        self._first = {
            index: bracket.rungs[0].epochs if bracket.rungs else None
            for bracket in brackets
            for index in bracket.members
        }
        # (bracket, rung) -> a combination that the rung waited for last time: while it does, no other is looked at.
        self._waited_for: dict[tuple[int, int], CombinationState] = {}

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """The epochs of its bracket's first rung, on all folds."""
        return self._first.get(combination), None

    def to_come(self, combinations: int) -> list[int]:
        """None: all are there from the beginning."""
        return []

    def ask(self, state: SearchState) -> Decision | None:
        """The first rung that is whole and not decided yet."""
        for number, bracket in enumerate(self.brackets):
            for place, rung in enumerate(bracket.rungs):
                one = self._waited_for.get((number, place))
                if one is not None and one is state.combinations[one.index] and _is_awaited(one, rung):
                    break
                members = (state.combinations[index] for index in bracket.members)
                here = [one for one in members if one.epochs_allowed == rung.epochs and _is_in(one, rung)]
                if all(one.is_complete for one in here):
                    continue
                awaited = next((one for one in here if not has_reached(one, rung.epochs)), None)
                if awaited is not None:
                    self._waited_for[number, place] = awaited
                    break  # the rungs after it wait for this one
                following = bracket.rungs[place + 1].epochs if place + 1 < len(bracket.rungs) else None
                which = f"bracket {number}, " if len(self.brackets) > 1 else ""
                return self._decide(here, rung, following, state.scoring[0], which)
        return None

    def _decide(
        self, here: list[CombinationState], rung: Rung, following: int | None, metric: str, which: str
    ) -> Decision:
        ended = [Dropped(one.index, why) for one in here if (why := why_incomplete(one))]
        means = {
            one.index: mean_and_deviation([score for score in one.rung_scores(rung.epochs) if score is not None])[0]
            for one in here
            if not why_incomplete(one)
        }
        ordered = sorted(means, key=lambda index: (-means[index], index))
        kept, lost = ordered[: rung.keep], ordered[rung.keep :]
        return Decision(
            words=f"{which}{rung.epochs} epochs: {len(kept)} of {len(here)} go on to {following or self._epochs}",
            dropped=(
                *ended,
                *(
                    Dropped(
                        index,
                        f"{metric} {means[index]:.4f} after {rung.epochs} epochs: place {len(kept) + place} "
                        f"of {len(here)}, and {len(kept)} went on",
                    )
                    for place, index in enumerate(lost, start=1)
                ),
            ),
            allowed=tuple(Allowance(index, epochs=following) for index in sorted(kept)),
        )

    def notes(self, combinations: int) -> list[str]:
        """The rungs, and how many epochs they save."""
        notes, trained = [], 0
        for number, bracket in enumerate(self.brackets):
            left, before, steps = len(bracket.members), 0, []
            for rung in bracket.rungs:
                steps.append(f"{left} to {rung.epochs}")
                trained += left * (rung.epochs - before)
                left, before = min(left, rung.keep), rung.epochs
            trained += left * (self._epochs - before)
            which = f"bracket {number}: " if len(self.brackets) > 1 else ""
            notes.append(f"{self.name}: {which}{', '.join([*steps, f'{left} to {self._epochs}'])} epochs")
        whole = combinations * self._epochs
        share = f"{self.name}: {trained} of {whole} epochs a fold ({trained / whole:.0%})"
        return [*notes, f"{share}; trainings and time above are those of all, the most there can be"]


def _is_in(combination: CombinationState, rung: Rung) -> bool:
    """Whether a combination takes part in a rung.

    A complete one does where it was allowed to go on by a decision that a damaged record lost.
    """
    return not combination.status.is_finished or (combination.is_complete and rung.epochs in combination.rung_epochs)


def _is_awaited(combination: CombinationState, rung: Rung) -> bool:
    """Whether a rung cannot be decided because a combination has not reached it."""
    is_in = combination.epochs_allowed == rung.epochs and _is_in(combination, rung)
    return is_in and not has_reached(combination, rung.epochs)


def halving_bracket(members: range, epochs: int, factor: float, least: int) -> Bracket:
    """Rungs at `epochs` / `factor`^k, as many as the combinations last for, none below `least` epochs."""
    rungs: list[Rung] = []
    count = len(members)
    steps = math.floor(math.log(min(count, epochs / least), factor) + 1e-9) if count > 1 else 0
    for step in range(steps, 0, -1):
        count = math.ceil(count / factor)
        rungs.append(Rung(max(least, round(epochs / factor**step)), count))
    return Bracket(members, tuple(rungs))


def hyperband_brackets(combinations: int, epochs: int, factor: float, least: int) -> list[Bracket]:
    """Brackets from the hastiest to the one without any rung, with combinations in Hyperband's proportions.

    Bracket s begins at `epochs` / `factor`^s and has a share of factor^s / (s + 1) (Li et al. 2018, algorithm 1).
    """
    most = math.floor(math.log(epochs / least, factor) + 1e-9)
    shares = [factor**step / (step + 1) for step in range(most, -1, -1)]
    bounds = [round(combinations * sum(shares[:place]) / sum(shares)) for place in range(len(shares) + 1)]
    brackets = []
    for place, step in enumerate(range(most, -1, -1)):
        members = range(bounds[place], bounds[place + 1])
        rungs = []
        for left in range(step, 0, -1):
            keep = max(1, math.floor(len(members) / factor ** (step - left + 1)))
            rungs.append(Rung(max(least, round(epochs / factor**left)), keep))
        brackets.append(Bracket(members, tuple(rungs)))
    return [bracket for bracket in brackets if bracket.members]
