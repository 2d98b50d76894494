"""How a running search is to end, once that is decided: by a request, a deadline, an interruption or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from engine.session.session import Session
    from engine.session.state import SearchState

Outcome = Literal["completed", "stopped", "interrupted", "failed"]


class Ending:
    """`outcome` is None while nothing is decided. `at_once`: what runs is left, with checkpoints, and not finished."""

    def __init__(self, session: Session, state: SearchState) -> None:
        self._session, self._state = session, state
        self.outcome: Outcome | None = None
        self.at_once = False
        self.message = ""

    @property
    def is_decided(self) -> bool:
        """Whether nothing new begins any more."""
        return self.outcome is not None

    def interrupt(self) -> None:
        """End at once, to be resumed; from any thread or signal handler."""
        self.outcome, self.at_once = "interrupted", True

    def fail(self, reason: str) -> None:
        """End at once, because nothing can go on."""
        self.outcome, self.at_once, self.message = "failed", True, reason

    def stop(self, reason: str = "", *, at_once: bool = False) -> None:
        """End when what runs is finished, or at once; a reason is recorded, with how to go on."""
        self.outcome = self.outcome or "stopped"
        self.at_once = self.at_once or at_once
        if reason:
            left = self._state.fits_total - self._state.fits_finished
            command = self._session.command("resume")
            self.message = f"{reason}; go on with the {left} fits that are left: {command}"
