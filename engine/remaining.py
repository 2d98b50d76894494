"""How long a running search will still take, as an interval: derived by every reader, never sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.state import SearchState

_START_UP_SHARE = 0.02  # of the work: before that the rate says more about start-up than about training


def remaining_seconds(state: SearchState, now: float) -> tuple[float, float] | None:
    """(least, most) seconds until the last fit is scored; None while too little has been seen to say.

    The planned cost of what is left, at the rate at which cost was worked off since this engine began. The rate is
    uncertain by how unlike the trainings are; the interval narrows as the share that was seen grows.
    """
    started = state.started
    if started is None or state.status.is_finished or started.cost <= 0:
        return None
    share = min(1.0, state.cost_done / started.cost)
    if share < _START_UP_SHARE:
        return None
    elapsed = state.elapsed(now) - state.seconds_before
    estimate = elapsed * (1 - share) / share
    spread = 0.15 + 0.35 * (1 - share) ** 2
    return estimate * (1 - spread), estimate * (1 + spread)


def in_words(seconds: float) -> str:
    """0:06, 12:30 or 3:05:00."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
