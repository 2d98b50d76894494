"""How long engines have worked on a search, pauses left out, by the times of its events."""

from __future__ import annotations


class SearchClock:
    """The times of the events that were applied; all times in seconds since 1970 UTC.

    `last_time` is the latest time of any event of the present engine; `seconds_before` is what the engines before it
    worked.
    """

    def __init__(self) -> None:
        self.last_time = 0.0
        self.seconds_before = 0.0
        self._started: float | None = None
        self._only_saves = False
        self._paused_at: float | None = None
        self._paused_seconds = 0.0

    def begin(self, time: float, *, only_saves: bool) -> None:
        """Another engine begins; one that only saves a model does not work on the search."""
        self.seconds_before = self.elapsed()
        self._started, self._only_saves = time, only_saves
        self._paused_at, self._paused_seconds = None, 0.0
        self.last_time = time

    def note(self, time: float) -> None:
        """An event happened. Clocks may be set back, but the last time never goes back with them."""
        if time > self.last_time:
            self.last_time = time

    def pause(self, time: float) -> None:
        """The search pauses."""
        self._paused_at = time

    def end_pause(self, time: float) -> float:
        """The search works again; returns the seconds for which it was paused, 0.0 if it was not."""
        if self._paused_at is None:
            return 0.0
        paused = max(0.0, time - self._paused_at)
        self._paused_seconds += paused
        self._paused_at = None
        return paused

    def elapsed(self, now: float | None = None) -> float:
        """Seconds that engines have worked on the search, pauses left out, up to `now` or to the last event."""
        if self._started is None:
            return 0.0
        if self._only_saves:
            return self.seconds_before
        end = self.last_time if now is None else max(now, self.last_time)
        paused = self._paused_seconds + (end - self._paused_at if self._paused_at is not None else 0.0)
        return max(0.0, self.seconds_before + end - self._started - paused)

    def working_time(self, now: float) -> float:
        """The time by which running trainings are judged: `now`, or when the search paused."""
        return max(now, self.last_time) if self._paused_at is None else self._paused_at
