"""What is known of a search at one moment, and the questions that readers ask of it.

Nothing here changes the facts: events do, by the rules of `engine.session.rules`.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from engine.session.combination import CombinationState, CombinationStatus
from engine.session.ranking import ranks
from engine.session.search_clock import SearchClock
from engine.session.search_status import SearchStatus

if TYPE_CHECKING:
    from engine.session import events
    from engine.session.activity import RefitState, TrainingState, WorkerState

MOST_ENDED = 400  # trainings: trainings that ended before them count less for the pace than a double can show


class SearchFacts:
    """What is known of a search from its record; combinations, trainings and workers are known by their numbers.

    `changed` holds the combinations touched since the view that draws them cleared it. How much work is left follows
    from the facts by `engine.plan.workload.workload_of`.
    """

    def __init__(self) -> None:
        self.status = SearchStatus.NEW
        self.message = ""
        self.started: events.SearchStarted | None = None
        self.changed_versions: list[str] = []  # what some of its fits were scored with, unlike the first
        self.engines = 0  # that began to work on the search
        self.clock = SearchClock()
        self.lost_at: float | None = None  # last event of the engine before, if that one did not record its end
        self.deadline: float | None = None  # seconds since 1970
        self.delay: events.DelayForeseen | None = None  # foreseen last, by that deadline

        self.combinations: list[CombinationState] = []
        self.lost: set[int] = set()  # combinations whose announcement is lost; the others keep their numbers
        self.begun_with = 0  # combinations of the first announcement; a strategy, or somebody, added the others
        self.combinations_to_come = 0  # that the strategy means to add
        self.rounds: list[events.RoundDecided] = []
        self.steps: list[events.Steered] = []  # that were not taken back
        self.fits_finished = 0
        self.fits_failed = 0
        self.best: CombinationState | None = None  # the highest mean of the latest stage; of equal ones the first
        self.best_key = (0, -math.inf, 0)  # its stage, mean and -index
        self.changed: set[int] = set()

        self.trainings: dict[int, TrainingState] = {}
        self.workers: dict[int, WorkerState] = {}
        self.longest_training = 0.0  # seconds, of those that this engine ended; 0.0 before one did
        # For `engine.plan.workload`: combinations that something happened to, and trainings of this engine that
        # went to their end, as (combination of the longest fit, epochs, seconds); taken away as they are read.
        self.touched: set[int] = set()
        self.ended: deque[tuple[int, int, float]] = deque(maxlen=MOST_ENDED)

        self.refit: RefitState | None = None  # the latest
        self.refits: dict[tuple[int, str], RefitState] = {}  # that have no end yet, by combination and request
        self.saved: list[RefitState] = []
        self.looks_at_test_set: dict[int, int] = {}  # by combination

    @property
    def splits(self) -> int:
        """Number of train/validation splits: folds x repeats."""
        return self.started.splits if self.started else 0

    @property
    def scoring(self) -> list[str]:
        """Names of the metrics; the first one ranks."""
        return self.started.scoring if self.started else []

    @property
    def last_time(self) -> float:
        """The latest time of any event of the present engine, in seconds since 1970 UTC."""
        return self.clock.last_time

    @property
    def fits_total(self) -> int:
        """Fits of all combinations, also of those to come; of dropped ones those that were scored before."""
        dropped = sum(
            sum(not fit.status.is_finished for fit in combination.fits)
            for combination in self.combinations
            if combination.dropped
        )
        return (len(self.combinations) + self.combinations_to_come) * self.splits - dropped

    def elapsed(self, now: float | None = None) -> float:
        """Seconds that engines worked on the search, pauses left out; `now` while one is at work, else the record."""
        return self.clock.elapsed(None if self.status.is_finished else now)

    def working_time(self, now: float) -> float:
        """The time by which running trainings are judged: `now`, or when the search paused."""
        return self.clock.working_time(now)

    def ranked(self) -> list[tuple[int, CombinationState]]:
        """(rank, combination) of all that are complete, best first; ties in order of their index."""
        if not self.scoring:
            return []
        complete = [c for c in self.combinations if c.status is CombinationStatus.COMPLETE]
        means, stages = [c.mean(self.scoring[0])[0] for c in complete], [c.stage for c in complete]
        placed = zip(ranks(means, stages), complete, strict=True)
        return sorted(placed, key=lambda pair: (pair[0], pair[1].index))

    @property
    def first(self) -> list[int]:
        """Combinations that somebody put before all others, the foremost first."""
        return self.steps[-1].first if self.steps else []

    @property
    def best_score(self) -> float | None:
        """The best's mean of the first metric; None where there is no best, or a fold does not define its score."""
        mean = self.best.mean(self.scoring[0])[0] if self.best is not None else math.nan
        return None if math.isnan(mean) else mean

    def test_looks(self, combination: int) -> int:
        """How often the test set was looked at for this combination."""
        return self.looks_at_test_set.get(combination, 0)

    @property
    def all_test_looks(self) -> int:
        """How often the test set was looked at, for whichever combination."""
        return sum(self.looks_at_test_set.values())
