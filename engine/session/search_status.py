"""The status of a search by its record, and the status to show where it is known whether its engine lives."""

from __future__ import annotations

import enum


class SearchStatus(enum.StrEnum):
    """Where a search stands, as its record says; whether its engine still lives is the session's matter."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """The last engine ended its work in order."""
        return self not in (SearchStatus.NEW, SearchStatus.RUNNING, SearchStatus.PAUSED, SearchStatus.STOPPING)

    @property
    def is_working(self) -> bool:
        """Trainings run."""
        return self in (SearchStatus.RUNNING, SearchStatus.STOPPING)


def status_of(status: SearchStatus, *, alive: bool, is_damaged: bool) -> str:
    """The status to show: "crashed" where the engine of an unfinished search is gone, "damaged" where its record is."""
    if is_damaged and not alive:
        return "damaged"
    return str(status) if alive or status.is_finished or status is SearchStatus.NEW else "crashed"
