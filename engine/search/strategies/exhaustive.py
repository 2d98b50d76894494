"""Grid and random search: every combination in full; nothing is ever decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.search.strategies.interface import Decision
    from engine.session.state import SearchState


class Exhaustive:
    """Trains all that the search began with, in full."""

    def __init__(self, name: str) -> None:
        self.name = name

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """All epochs, all folds."""
        return None, None

    def to_come(self, combinations: int) -> list[int]:
        """None: all are there from the beginning."""
        return []

    def ask(self, state: SearchState) -> Decision | None:
        """None: there is nothing to decide."""
        return None

    def notes(self, combinations: int) -> list[str]:
        """None: the plan says it all."""
        return []
