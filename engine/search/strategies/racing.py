"""Racing: combinations are dropped as soon as they are unlikely to end significantly above the leader.

Maron and Moore 1997, "The racing algorithm: model selection for lazy learners"; with a test that is paired by what all
were tried on, Birattari et al. 2002, "A racing algorithm for configuring metaheuristics". The test is that of
`engine.search.strategies.paired`.

`error` is shared out over all looks, the k-th getting 1 / k of what the first gets, since what is dropped early saves
most; and evenly over all others (Bonferroni). So the probability that the combination which the full cross-validation
would have put first is dropped against a leader that it would have beaten significantly, by a two-sided test at the
level `error`, is at most `error`. Those that no such test could tell from the leader are not waited for: near the end
they are dropped too.

That bounds the error for combinations that are truly better, of which 0 to 2 % were dropped, and for no others. Of
equally good ones it drops whichever is behind: the one that the full cross-validation would have put first, by chance,
in a third to a half of the searches (`tests.benchmarks.equals`). The corrected best score takes the dropped ones into
account (`engine.analysis.selection`).

On Reuters, ten folds, it trains 44 % of the epochs of a grid of 24 combinations (29 to 49 % with ten seeds), and each
winner is one of those that repeated cross-validation cannot tell from the best (`tests.benchmarks.racing`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.search.strategies.interface import Decision
from engine.search.strategies.rounds import has_reached, why_incomplete
from engine.session.events import Allowance, Dropped
from engine.session.ranking import mean_and_deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.search.strategies.paired import Earned, PairedTest
    from engine.session.combination import CombinationState
    from engine.session.events import PredictionsPlace
    from engine.session.predictions import Predictions
    from engine.session.state import SearchState

    ReadPredictions = Callable[[PredictionsPlace], Predictions | None]


@dataclass(frozen=True)
class Round:
    """All in the race have come equally far: `places` of each one's predictions, and what those who stay may do next.

    `look`: which of the looks is due, from 1, or 0 where it is too early for any; `reached`: how far all are, in words;
    `done`: the part of all folds' rows that was validated at full length; `gains`: what the metric of each may rise by
    from here to the end; `event`: in words, what the test gives the chance of.
    """

    racers: Sequence[CombinationState]
    places: Sequence[Sequence[PredictionsPlace | None]]
    look: int
    reached: str
    done: float
    gains: Sequence[float]
    event: str
    epochs: int | None = None
    folds: int | None = None


class LookSchedule(Protocol):
    """When a race is looked at: `looks` times, first after the epochs and folds of `first` (None: all)."""

    looks: int
    first: tuple[int | None, int | None]

    def round(self, state: SearchState) -> Round | None:
        """The look that is due; None while any of its scores is missing, and after the last one."""
        ...

    def note(self) -> str:
        """When it looks, in words."""
        ...


class BetweenFolds:
    """A look after each fold but the last."""

    def __init__(self, splits: int) -> None:
        self.looks, self._splits = splits - 1, splits
        self.first: tuple[int | None, int | None] = (None, 1)

    def round(self, state: SearchState) -> Round | None:
        """The look after the newest fold, once all have been scored on it."""
        racers = [one for one in state.combinations if one.folds_allowed is not None and not one.dropped]
        folds = max((one.folds_allowed or 0 for one in racers), default=0)
        if not racers or not all(one.fits[folds - 1].status.is_finished for one in racers):
            return None
        return Round(
            racers,
            [one.predictions[:folds] for one in racers],
            look=folds,
            reached=f"{folds} of {self._splits} folds",
            done=folds / self._splits,
            gains=[0.0] * len(racers),
            event="that it ends significantly above it",
            folds=folds + 1 if folds < self.looks else None,
        )

    def note(self) -> str:
        """After which folds."""
        return f"after each of {self._splits} folds"


class BetweenEpochs:
    """A look at all folds after a quarter and a half of the epochs, at what each would rise to if doubling the epochs
    went on to help it as much as it did last, from an eighth on. Curves flatten, so what starts slowly is given more
    than it will need; but what only rises late is not foreseen.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._rungs = sorted({-(-epochs // part) for part in (8, 4, 2)} - {epochs})
        self.looks = max(0, len(self._rungs) - 1)
        self.first: tuple[int | None, int | None] = (self._rungs[0] if self.looks else None, None)

    def round(self, state: SearchState) -> Round | None:
        """The look after so many epochs, once all have reached them on every fold."""
        racers = [one for one in state.combinations if one.epochs_allowed is not None and not one.dropped]
        epochs = max((one.epochs_allowed or 0 for one in racers), default=0)
        if not racers or not all(has_reached(one, epochs) for one in racers):
            return None
        look = self._rungs.index(epochs)
        return Round(
            racers,
            [one.rung_predictions(epochs) for one in racers],
            look=look,
            reached=f"{epochs} of {self._epochs} epochs",
            done=0.0,
            gains=[self._gain(one, self._rungs[look - 1], epochs) for one in racers] if look else [],
            event="of such rows if it were to end as good",
            epochs=self._rungs[look + 1] if look < self.looks else None,
        )

    def _gain(self, combination: CombinationState, before: int, now: int) -> float:
        risen = _rung_mean(combination, now) - _rung_mean(combination, before)
        return risen * math.log(self._epochs / now) / math.log(now / before)

    def note(self) -> str:
        """After which epochs."""
        if not self.looks:
            return f"with {self._epochs} epochs never"
        looks = " and ".join(map(str, self._rungs[1:]))
        return f"after {looks} of {self._epochs} epochs, each at what it would rise to"


def _rung_mean(combination: CombinationState, epochs: int) -> float:
    return mean_and_deviation([score for score in combination.rung_scores(epochs) if score is not None])[0]


class Racing:
    """Drops, look by look, what is unlikely to end significantly above the leader, and what cannot be complete.

    The leader has earned the most so far; ties: the lower index. One whose predictions are not all there is never
    dropped by the test, and never leads.
    """

    name = "racing"

    def __init__(
        self, schedule: LookSchedule, test: PairedTest, *, combinations: int, error: float, predictions: ReadPredictions
    ) -> None:
        self._schedule, self._test, self._error, self._predictions = schedule, test, error, predictions
        shares = sum(1 / look for look in range(1, schedule.looks + 1))
        self._first_threshold = error / max(1, combinations - 1) / max(1, shares)

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """As far as the first look."""
        return self._schedule.first

    def to_come(self, combinations: int) -> list[int]:
        """None: all are there from the beginning."""
        return []

    def ask(self, state: SearchState) -> Decision | None:
        """The look that is due."""
        due = self._schedule.round(state)
        if due is None:
            return None
        dropped = {one.index: evidence for one in due.racers if (evidence := why_incomplete(one))}
        dropped |= self._beaten(due, [one.index not in dropped for one in due.racers])
        left = [one.index for one in due.racers if one.index not in dropped]
        alone = len(left) == 1
        return Decision(
            words=f"{due.reached}: {len(left)} of {len(due.racers)} stay in the race",
            dropped=tuple(Dropped(index, evidence) for index, evidence in sorted(dropped.items())),
            allowed=tuple(
                Allowance(index) if alone else Allowance(index, epochs=due.epochs, folds=due.folds) for index in left
            ),
        )

    def _beaten(self, due: Round, fit: Sequence[bool]) -> dict[int, str]:
        """Those that the test drops, with its evidence."""
        earned = {
            one.index: rows
            for one, places, able in zip(due.racers, due.places, fit, strict=True)
            if able and (rows := self._earned(places)) is not None
        }
        if not earned or not due.look:
            return {}
        gains = {one.index: gain for one, gain in zip(due.racers, due.gains, strict=True)}
        leader = min(earned, key=lambda index: (-float(earned[index].sum(dtype="f8")), index))
        threshold = self._first_threshold / due.look
        beaten = {}
        for index, rows in earned.items():
            comparison = self._test.compare(rows, earned[leader], due.done, max(0.0, gains[index] - gains[leader]))
            if comparison.chance < threshold:
                beaten[index] = (
                    f"{self._test.metric} {comparison.own:.4f} after {due.reached}, that of combination {leader} "
                    f"{comparison.ahead:.4f}; {comparison.discordant} of {comparison.rows} rows tell them apart; the "
                    f"chance {due.event} is {max(comparison.chance, _LEAST):.2g}, below {threshold:.2g}"
                )
        return beaten

    def _earned(self, places: Sequence[PredictionsPlace | None]) -> Earned | None:
        """What all rows of these fits earned; None where the predictions of any are missing."""
        import numpy as np

        predictions = [self._predictions(place) if place else None for place in places]
        known = [self._test.earned(one) for one in predictions if one is not None]
        return np.concatenate(known) if known and len(known) == len(places) else None

    def notes(self, combinations: int) -> list[str]:
        """When it looks, and what it may get wrong."""
        return [
            f"racing: {self._schedule.note()}, what is unlikely to end significantly above the leader is dropped; with "
            f"a probability of at most {self._error:g} one is dropped that would have ended significantly above it; "
            "of equally good ones any may be dropped, also the one that all folds would have put first; what seeds "
            "and folds do to all rows at once is ignored",
            "racing: trainings and time above are the most there can be",
        ]


_LEAST = 1e-99  # what underflows is no zero
