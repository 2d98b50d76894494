"""Deadlines: what one means, whether a search will end by it, and what could be left out so that it does.

A named time ("18:00", an ISO date and time) is a moment of the wall clock: whoever moves the clock moves it too. A
span ("20m") is counted by the engine's monotonic clock from when the engine receives it, so that no clock that jumps by
a day can end a search or keep it going; it stands still while the machine sleeps, and a pause does not stop it. An
engine that goes on later keeps to the moment that the one before it announced, while that is to come.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.analysis.forecast.remaining import forecast, planned_forecast
from engine.analysis.forecast.time_savers import proposals
from engine.errors import UsageError
from engine.formatting.times import moment_in_words
from engine.plan.cost import cost_of
from engine.plan.plan import expected_fold_rows
from engine.plan.workload import FEW, average, workload_of
from engine.session import events
from engine.session.events import DeadlineSet, DelayForeseen
from engine.session.requests import SetDeadline
from engine.session.state import SearchState
from engine.spec.bounds import LONGEST_SPAN
from engine.spec.resolved import resolved_params_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.analysis.forecast.remaining import Forecast
    from engine.plan.plan import Plan
    from engine.spec.spec import SearchSpec

NONE = "none"
_ACCEPTED = "a span such as 90s, 20m or 2h, a time such as 18:00, an ISO date and time, or none"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LOOK_SECONDS = 1.0
_CLOCK_JUMP = 30.0


@dataclass(frozen=True)
class Deadline:
    """Either a moment, in seconds since 1970, or a span of so many seconds from when the engine receives it."""

    at: float | None = None
    seconds: float = math.inf

    @classmethod
    def read(cls, text: str, now: datetime | None = None) -> Deadline | None:
        """A deadline in words; None for "none". A time of day is the next one. Raises UsageError for anything else."""
        now = now or datetime.now().astimezone()
        written = text.strip().lower()
        if written == NONE:
            return None
        if span := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhd])", written):
            seconds = float(span[1]) * _UNITS[span[2]]
            if 0 < seconds <= LONGEST_SPAN:
                return cls(seconds=seconds)
        elif clock := re.fullmatch(r"(\d{1,2}):(\d{2})", written):
            hour, minute = int(clock[1]), int(clock[2])
            if hour < 24 and minute < 60:
                # In local time without its offset: the night in which that changes is no reason to be an hour off.
                today = now.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
                plain = now.replace(tzinfo=None)
                return cls(at=(today if today > plain else today + timedelta(days=1)).timestamp())
        else:
            try:
                moment = datetime.fromisoformat(written.upper())
            except ValueError:
                moment = None
            # The year first: the first and the last that a calendar has are no seconds since 1970.
            if moment is not None and now.year <= moment.year <= now.year + 11:
                at = moment.timestamp()
                if now.timestamp() < at < now.timestamp() + LONGEST_SPAN:
                    return cls(at=at)
        message = f"deadline: {text[:80]!r} is not accepted; accepted, in the future: {_ACCEPTED}"
        raise UsageError(message)

    @classmethod
    def of(cls, request: SetDeadline) -> Deadline | None:
        """What a request asks for; None: no deadline."""
        if request.at is not None:
            return cls(at=request.at)
        return cls(seconds=request.seconds) if request.seconds is not None else None


def request_of(deadline: Deadline | None) -> SetDeadline:
    """The request that asks an engine for it."""
    if deadline is None:
        return SetDeadline()
    return SetDeadline(at=deadline.at) if deadline.at is not None else SetDeadline(seconds=deadline.seconds)


class DeadlineWatch:
    """The deadline of a running search; `wall` and `monotonic` are clocks in seconds."""

    def __init__(
        self, state: SearchState, wall: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._state, self._wall, self._monotonic = state, wall, monotonic
        self._deadline: Deadline | None = None
        self._ends = math.inf  # of a span, by the monotonic clock
        self._announced = 0.0
        self._look_at = -math.inf
        self._lateness = 0
        self.refused = False  # since it was last asked what may start, something was not allowed to

    def set(self, deadline: Deadline | None) -> DeadlineSet:
        """From now on this one counts."""
        self._deadline = deadline
        self._ends = math.inf
        if deadline is not None:
            self._ends = self._monotonic() + deadline.seconds
        self._look_at, self._lateness, self.refused = -math.inf, 0, False
        return self._announce()

    @property
    def seconds_left(self) -> float:
        """Until the deadline; infinite without one."""
        if self._deadline is None:
            return math.inf
        if self._deadline.at is not None:
            return self._deadline.at - self._wall()
        return self._ends - self._monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the moment has passed."""
        return self.seconds_left <= 0

    @property
    def in_words(self) -> str:
        """The moment, as the wall clock shows it."""
        return moment_in_words(self._announced)

    def look(self) -> list[events.Event]:
        """The events that are due: the moment anew where the wall clock jumped, and that it will be late."""
        if self._deadline is None or self._monotonic() - self._look_at < _LOOK_SECONDS:
            return []
        self._look_at = self._monotonic()
        due: list[events.Event] = []
        if abs(self._wall() + self.seconds_left - self._announced) > _CLOCK_JUMP:
            due.append(self._announce())
        expected = forecast(self._state, self._wall())
        if expected is not None:
            lateness = _lateness_of(expected, self.seconds_left)
            if lateness > self._lateness:
                self._lateness = lateness
                due.append(foresee(self._state, expected, self.seconds_left, self._wall()))
        return due

    def may_start(self) -> Callable[[Sequence[events.ServedFit]], bool]:
        """Whether a training that serves these fits is expected to end in time; every one while nothing has run."""
        workload, left = workload_of(self._state), self.seconds_left
        self.refused = False
        if left == math.inf or workload is None:
            return lambda fits: True
        fit = workload.pace.fit()

        def ends_in_time(fits: Sequence[events.ServedFit]) -> bool:
            expected = fit.seconds(workload.parts(fits[-1].combination, fits[-1].epochs))
            if fit.evidence > 0 and expected > left:
                self.refused = True
                return False
            return True

        return ends_in_time

    def _announce(self) -> DeadlineSet:
        self._announced = self._wall() + self.seconds_left if self._deadline is not None else 0.0
        return DeadlineSet(time=self._wall(), at=self._announced if self._deadline is not None else None)


def _lateness_of(expected: Forecast, left: float) -> int:
    """0: it will be in time; 1: it may be late; 2: it will be late. Where nothing is left to train nothing can be."""
    if expected.most == 0:
        return 0
    if expected.is_learned and expected.least > left:
        return 2
    return 1 if expected.most > left else 0


def foresee(state: SearchState, expected: Forecast, left: float, now: float) -> DelayForeseen:
    """What to tell of a search that will not, or may not, end in time."""
    return DelayForeseen(
        time=now,
        least=expected.least,
        most=expected.most,
        left=left,
        is_certain=expected.is_learned and expected.least > left,
        proposals=proposals(state, expected, left),
    )


def forecast_of_plan(
    spec: SearchSpec, plan: Plan, workers: int, deadline: Deadline | None, to_come: int = 0
) -> tuple[Forecast, DelayForeseen | None]:
    """How long a plan is expected to take, before anything has run; and what to tell if that may be too long.

    `to_come`: combinations that the strategy means to add to it.
    """
    now = time.time()
    few = plan.combinations[:FEW]
    rows = expected_fold_rows(spec)[-1]  # of the last stage, which combinations are added to
    costs = [cost_of(resolved_params_of(one.params), one.trainer, rows, spec.num_words) for one in few]
    each = [cost.parts(resolved_params_of(one.params).epochs) for cost, one in zip(costs, few, strict=True)]
    expected = planned_forecast(plan, workers, average(each, to_come * plan.splits), to_come * plan.splits)
    left = math.inf if deadline is None else deadline.seconds if deadline.at is None else deadline.at - now
    if _lateness_of(expected, left) == 0:
        return expected, None
    # What could be left out is found in a state, which is far larger than a plan.
    state = SearchState()
    state.apply(_planned_start(spec, plan, workers, now))
    state.apply(events.CombinationsAdded(time=now, combinations=list(plan.combinations), to_come=to_come))
    return expected, foresee(state, expected, left, now)


def _planned_start(spec: SearchSpec, plan: Plan, workers: int, now: float) -> events.SearchStarted:
    """The start of a search that does not run, for what is worked out from a state."""
    return events.SearchStarted(
        time=now,
        session="",
        segment=1,
        dataset=spec.dataset,
        synthetic=False,
        rows=spec.rows,
        classes=0,
        splits=spec.splits,
        scoring=spec.scoring,
        workers=workers,
        trainings=len(plan.trainings),
        cost=plan.cost,
        host="",
        pid=0,
        num_words=spec.num_words,
        folds=spec.folds,
    )
