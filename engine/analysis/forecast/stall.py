"""Notices when a running search has been quiet for longer than its trainings take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.session.state import SearchState

PATIENCE_SECONDS = 120.0
FIRST_PATIENCE_SECONDS = 600.0  # while no training has ended, nobody knows how long one takes
_TRAININGS = 2.0


class StallWatch:
    """Times are those of the caller's own clock: that of the engine's host may be another."""

    def __init__(self) -> None:
        self._heard_at: float | None = None

    def hear(self, now: float) -> None:
        """There was progress."""
        self._heard_at = now

    def quiet_seconds(self, state: SearchState, now: float) -> float:
        """Seconds without progress of the trainings that run; 0.0 while that is no reason to worry."""
        if self._heard_at is None or not state.status.is_working or not state.trainings:
            return 0.0
        quiet = now - self._heard_at
        if quiet < PATIENCE_SECONDS:
            return 0.0
        patience = _TRAININGS * state.longest_training or FIRST_PATIENCE_SECONDS
        return quiet if quiet > patience else 0.0
