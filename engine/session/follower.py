"""Follows a session: everything that happens in it, as it lands."""

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
    """Everything that happens in a session, as it lands; see `JournalReader` for `generation`."""

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
        """Rises when earlier events no longer count: then start with a new state."""
        return self._journal.generation

    @property
    def damages(self) -> list[Damage]:
        """Places of the record that could not be read so far."""
        return self._journal.damages

    def poll(self) -> list[AnyEvent]:
        """Every event since the last poll; epochs, which the record does not order, come last.

        Raises what reading the record can raise; what was read before that comes with the next poll that does not.
        """
        # Read epochs first: an epoch whose training's start is not yet in the record would be lost on the state.
        with contextlib.suppress(OSError):  # they are a glimpse: the record says whether the folder can be read
            self._waiting += self._epochs.poll()
        events = self._journal.poll()
        epochs, self._waiting = self._waiting, []
        return [*events, *epochs]


def _say_nothing(event: AnyEvent, state: SearchState) -> None:
    pass


def replay(
    follower: Follower | JournalReader,
    tell: Callable[[AnyEvent, SearchState], None] = _say_nothing,
) -> SearchState:
    """The state after everything that a follower of the record finds, from its beginning.

    `tell` gets every event that counts at once, after the state has applied it.
    Raises SessionUnreadableError where the record cannot be read to its end.
    """
    state, generation = SearchState(), follower.generation
    # A poll that could not read to the end returns what it had read: the next one says why.
    while events := follower.poll():
        if follower.generation != generation:
            state, generation = SearchState(), follower.generation
        for event in events:
            if state.apply(event):
                tell(event, state)
    state.note_damages(follower.damages)
    return state
