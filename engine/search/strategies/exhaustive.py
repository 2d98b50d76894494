"""Grid and random search: every combination in full; nothing is ever decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.search.strategies.interface import Decision
    from engine.session.state import SearchState


class Everything:
    """Trains all that the search began with, in full."""

    def __init__(self, name: str) -> None:
        self.name = name

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """All epochs, all folds."""
        return None, None

    def to_come(self, combinations: int) -> list[int]:
        """Nothing."""
        return []

    def ask(self, state: SearchState) -> Decision | None:
        """Nothing."""
        return None

    def notes(self, combinations: int) -> list[str]:
        """Nothing."""
        return []
