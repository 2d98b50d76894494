"""Follows a session: yields everything that happens in it, soon after it is written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.session.journal_reader import Damage, EpochReader, JournalReader
from engine.session.state import SearchState
from engine.system.regular_files import Opener, open_regular

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.events import AnyEvent, EpochEnded


@dataclass
class Follower:
    """Reads everything that happens in a session, soon after it is written; see `JournalReader` for `generation`."""

    folder: Path
    opened: Opener = open_regular
    _journal: JournalReader = field(init=False)
    _epochs: EpochReader = field(init=False)
    _waiting: list[EpochEnded] = field(init=False, default_factory=list)  # read, and not handed over yet

    def __post_init__(self) -> None:
        self._journal = JournalReader(self.folder, self.opened)
        self._epochs = EpochReader(self.folder, self.opened)

    @property
    def generation(self) -> int:
        """It rises when earlier events no longer count: then the events belong to a new state."""
        return self._journal.generation

    @property
    def damages(self) -> list[Damage]:
        """Places of the record that could not be read so far."""
        return self._journal.damages

    def poll(self) -> list[AnyEvent]:
        """Every event since the last poll; epochs, which the record does not order, come last.

        Raises as `JournalReader.poll` does; epochs that were read before that come with the next poll that succeeds.
        """
        # Read epochs first: an epoch whose training's start is not yet in the record would be lost on the state.
        with contextlib.suppress(OSError):  # no result depends on them; whether the folder can be read is seen below
            self._waiting += self._epochs.poll()
        events = self._journal.poll()
        epochs, self._waiting = self._waiting, []
        return [*events, *epochs]


def _ignore(event: AnyEvent, state: SearchState) -> None:
    pass


def replay(
    follower: Follower | JournalReader,
    on_event: Callable[[AnyEvent, SearchState], None] = _ignore,
) -> SearchState:
    """The state after everything that a follower reads from the beginning of the record.

    `on_event` is called with every event that counts at once, after the state has applied it.
    Raises SessionUnreadableError where the record cannot be read to its end.
    """
    state, generation = SearchState(), follower.generation
    # A poll that could not read to the end returns what it had read; the next one raises the error.
    while events := follower.poll():
        if follower.generation != generation:
            state, generation = SearchState(), follower.generation
        for event in events:
            if state.apply(event):
                on_event(event, state)
    state.note_damages(follower.damages)
    return state
