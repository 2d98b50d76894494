"""Records what happens in a search: in the journal and in the state, and publishes it once it is on disk."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING

from engine.errors import InputOutputError
from engine.session import events, liveness
from engine.session.journal_writer import JournalWriter
from engine.system.whole_files import as_json, remove_leftovers, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.session import Session
    from engine.session.state import SearchState

SYNC_SECONDS = 0.1
_DISK_FULL_SECONDS = 600.0


class Recorder:
    """The one writer of a session's newest segment; `clock` gives the time of events.

    `publish` gets every event after the sync that made it last; `warn` gets a line where something cannot be recorded.
    """

    def __init__(
        self,
        session: Session,
        state: SearchState,
        publish: Callable[[events.Event], None],
        warn: Callable[[str], None],
        clock: Callable[[], float],
        after: int | None = None,
    ) -> None:
        """Raises SessionHeldError if another engine takes the session first; `after` as for `JournalWriter`."""
        self._folder, self._state = session.folder, state
        self._publish, self._warn, self._clock = publish, warn, clock
        for folder in (session.folder, session.folder / "control", session.folder / "checkpoints"):
            remove_leftovers(folder)
        self._unpublished: list[events.Event] = []
        self._synced_at = 0.0
        self._beat_at = -math.inf
        self._full_since: float | None = None
        # Last: what fails after it would leave a segment open.
        self.journal = JournalWriter(session.folder, liveness.this_process(), after=after)

    @property
    def disk_is_full(self) -> bool:
        """Whether what was emitted waits for room on the disk."""
        return self._full_since is not None

    def check_in_place(self) -> None:
        """Raises InputOutputError if the session's record was removed."""
        if not self.journal.is_in_place:
            message = f"{self._folder}: the session's record was removed; nothing more can be recorded there"
            raise InputOutputError(message)

    def emit(self, event: events.Event) -> None:
        """Record an event in the journal (epochs: among the curves) and the state; the next sync publishes it."""
        if isinstance(event, events.EpochEnded):
            self.journal.append_epoch(event)
        else:
            self.journal.append(event)
        self._state.apply(event)
        self._unpublished.append(event)

    def emit_earlier(self, event: events.EpochEnded) -> None:
        """Write an epoch from before this engine, or from before a worker died, for readers of the training's curve.

        Every state has it already, so it is not published.
        """
        self.journal.append_epoch(event)

    def keep_predictions(self, block: bytes) -> events.PredictionsPlace | None:
        """Write a block of predictions; where it lies, or None for an empty one."""
        return self.journal.append_predictions(block) if block else None

    def patience(self, longest: float) -> float:
        """Seconds until the next sync is due, at most `longest`."""
        if not self._unpublished:
            return longest
        return min(longest, self._synced_at + SYNC_SECONDS - time.monotonic())

    def flush_if_due(self) -> None:
        """Make what was emitted last, and publish it, at most ten times a second."""
        if self._unpublished and time.monotonic() - self._synced_at >= SYNC_SECONDS:
            self._flush()

    def flush_all(self, *, patient: bool) -> None:
        """Make everything last; with a full disk wait for room, if `patient`. Raises InputOutputError."""
        while self._unpublished:
            self._flush()
            if self._unpublished:
                if not patient:
                    raise self._no_room()
                time.sleep(SYNC_SECONDS)

    def _flush(self) -> None:
        now = self._synced_at = time.monotonic()
        if self.journal.sync():
            self._full_since = None
            unpublished, self._unpublished = self._unpublished, []
            for event in unpublished:
                self._publish(event)
        elif self._full_since is None:
            self._full_since = now
            self._warn(f"{self._folder}: the disk is full; waiting for room, what was scored is held")
        elif now - self._full_since > _DISK_FULL_SECONDS:
            raise self._no_room()

    def _no_room(self) -> InputOutputError:
        return InputOutputError(
            f"{self._folder}: the disk is full; what is recorded is safe, go on with: foldwatch resume"
        )

    def close(self) -> None:
        """Note in the heartbeat that the engine has ended, and close the segment; nothing is synced."""
        # This process may live on: it must not be taken for the engine when the session is resumed.
        self.beat(ended=True)
        self.journal.close()

    def beat_if_due(self) -> bool:
        """Write the heartbeat if a few seconds have passed; whether they had."""
        if time.monotonic() - self._beat_at < liveness.HEARTBEAT_SECONDS:
            return False
        self.beat()
        return True

    def beat(self, *, ended: bool = False) -> None:
        """Write the heartbeat: that this engine lives, or has `ended`, and how far the search is."""
        self._beat_at = time.monotonic()
        if self.journal.overtaken or not self.journal.is_in_place:
            return  # the heartbeat is another engine's now
        state, now = self._state, self._clock()
        best = state.best
        beat = liveness.Heartbeat(
            owner=liveness.this_process(),
            time=now,
            segment=self.journal.segment,
            journal_bytes=self.journal.length,
            checksum=self.journal.checksum,
            damages=len(state.damages),
            status=state.status.value,
            fits_finished=state.fits_finished,
            fits_total=state.fits_total,
            fits_failed=state.fits_failed,
            combinations=len(state.combinations),
            best_score=state.best_score,
            best_combination=best.index if best else None,
            seconds=state.elapsed(now),
            seconds_recorded=state.elapsed(),
            ended=ended,
        )
        # A list of sessions reads the record itself where the heartbeat is stale: no reason to end a search.
        with contextlib.suppress(OSError):
            write_whole(self._folder / "heartbeat", as_json(beat), lasting=False)
