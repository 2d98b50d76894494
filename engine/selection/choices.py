"""By which rules a combination can be chosen, and what they go by; worked out by `engine.selection.honest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Choice = Literal["best", "one-standard-error", "cheapest-tied"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True)
class HonestBest:
    """The best combination's score of the search's first `metric`, and what may be believed of it.

    `interval`: of 95 % of the scores on resampled rows; `corrected`: what such a choice among `candidates` scores on
    rows that it was not made on, by BBC-CV (see `engine.selection.resampling`), and its interval. `tied`: the
    combinations of which one is the truly best in 95 of 100 searches, the best first, then the cheapest (see
    `engine.selection.ties`); `cheapest_tied`: whichever of them costs least to train; `one_standard_error`: whichever
    costs least of those that score at most `standard_error` below the best (Breiman, Friedman, Olshen and Stone,
    "Classification and regression trees", 1984). `without_predictions`: complete combinations that could not be
    taken into account; `chosen_before`: combinations that the strategy dropped, or left behind in an earlier stage,
    by scores on these rows: a choice that nothing here corrects for.
    """

    metric: str
    combination: int
    score: float
    interval: tuple[float, float]
    standard_error: float
    corrected: float
    corrected_interval: tuple[float, float]
    candidates: int
    without_predictions: int
    chosen_before: int
    draws: int
    tied: tuple[int, ...]
    cheapest_tied: int
    one_standard_error: int

    def chosen(self, choice: Choice) -> int:
        """The combination that a rule chooses."""
        return {
            "best": self.combination,
            "one-standard-error": self.one_standard_error,
            "cheapest-tied": self.cheapest_tied,
        }[choice]
