"""The interface of all strategies: they decide what is trained, from the scores so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from engine.session.events import Allowance, Dropped
    from engine.session.state import SearchState


@dataclass(frozen=True)
class Candidate:
    """A combination to be added: its flat parameters, and the stage whose rows it is trained on."""

    params: dict[str, Any]
    stage: int = 0


@dataclass(frozen=True)
class Decision:
    """What follows from the scores of one round, in plain words and in full: it takes effect as a whole, or not.

    `to_come`: combinations that are still to be added later.
    """

    words: str
    dropped: tuple[Dropped, ...] = ()
    allowed: tuple[Allowance, ...] = ()
    added: tuple[Candidate, ...] = ()
    to_come: int = 0


class Strategy(Protocol):
    """Decides what is trained, from scores.

    It keeps nothing between two decisions: all that it goes by is the state, whose events are on disk. So a search that
    was killed decides as one that was not. It waits until a round of scores is whole before it looks at any of them, so
    that their order of arrival, and the number of workers, decide nothing.
    """

    name: str

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """To how many epochs, and on how many folds, a combination may be trained at first; None: all."""
        ...

    def to_come(self, combinations: int) -> list[int]:
        """The stage of every combination that it means to add to so many at the beginning."""
        ...

    def ask(self, state: SearchState) -> Decision | None:
        """The next decision that the scores in `state` allow; None while it waits, or if there is none left."""
        ...

    def notes(self, combinations: int) -> list[str]:
        """What a reader of the plan should know, for so many combinations at the beginning."""
        ...
