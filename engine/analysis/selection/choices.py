"""By which rules a combination can be chosen, and what they go by; see `engine.analysis.selection.corrected`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Choice = Literal["best", "one-standard-error", "cheapest-tied"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True)
class CorrectedBest:
    """The best combination's score of the search's first `metric`, and what may be believed of it.

    `interval`: of 95 % of the scores on resampled rows; `corrected`: what such a choice among `candidates` scores on
    rows that it was not made on, by BBC-CV (see `engine.analysis.selection.resampling`), and its interval. Among the
    candidates are dropped combinations, as far as they came (see `engine.analysis.selection.candidates`):
    `dropped_in_part` after some of the folds, `dropped_early` after fewer epochs than their own.

    `tied`: the combinations of which one is the truly best in 95 of 100 searches, the best first, then the cheapest
    (see `engine.analysis.selection.ties`); of all candidates but `dropped_early`, which may be as good as any of them.
    Only complete ones are chosen: `cheapest_tied`, whichever of those tied costs least to train; `one_standard_error`,
    whichever costs least of those that score at most `standard_error` below the best (Breiman, Friedman, Olshen and
    Stone, "Classification and regression trees", 1984).

    `without_predictions`: complete combinations that could not be taken into account; `chosen_before`: combinations
    that were dropped, or left behind in an earlier stage, without predictions to compare with the best one's. Any of
    them may be as good, and `corrected` does not cover the choice against them.
    """

    metric: str
    combination: int
    score: float
    interval: tuple[float, float]
    standard_error: float
    corrected: float
    corrected_interval: tuple[float, float]
    candidates: int
    dropped_in_part: int
    dropped_early: int
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
