"""The lines on the terminal when the app was left: which searches continue, and how to watch them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.session.places import command_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_NAMED = 5


@dataclass(frozen=True)
class Whereabouts:
    """A session as it was seen last; `folder` is its own."""

    folder: Path
    standing: str
    fits_finished: int
    fits_total: int
    is_worked_on: bool


def farewell(seen: Iterable[Whereabouts]) -> list[str]:
    """Two lines for each search that an engine works on; where there is none, one about what was watched last."""
    everything = list(seen)
    at_work = [one for one in everything if one.is_worked_on]
    lines = []
    for one in at_work[:MOST_NAMED]:
        fits = f", {one.fits_finished} of {one.fits_total} fits" if one.fits_total else ""
        verb = "stays paused" if one.standing == "paused" else "continues"
        lines.append(f"{one.folder.name} {verb} without this view ({one.standing}{fits})")
        lines.append(f"  watch it again: {command_of(one.folder.parent, 'attach', one.folder.name)}")
    if len(at_work) > MOST_NAMED:
        lines.append(f"and {len(at_work) - MOST_NAMED} more: {command_of(at_work[0].folder.parent, 'list')}")
    if not at_work and everything:
        last = everything[-1]
        shown = command_of(last.folder.parent, "show", last.folder.name)
        lines.append(f"{last.folder.name}: {last.standing}; its results: {shown}")
    return lines
