"""What the live view draws of a search at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """The facts in the header; texts may come from outside."""

    name: str = ""
    about: str = ""
    state: str = "opening"
    fits_finished: int = 0
    fits_total: int = 0
    fits_failed: int = 0
    elapsed: float = 0.0
    remaining: tuple[float, float] | None = None
    deadline: str = ""
    is_late: bool = False
    best: str = ""
    refit: str = ""
    marks: str = ""
    share: float = 0.0  # of the search that is behind it, between 0 and 1
