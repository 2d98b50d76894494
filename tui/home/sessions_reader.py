"""Reads the list of sessions again and again at little cost: only what can have changed is read anew."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.session.listing import SessionSummary, summarise
from engine.session.places import check_identifier

if TYPE_CHECKING:
    from pathlib import Path


class SessionsReader:
    """What `engine.session.listing.list_sessions` gives, remembered for sessions that lie still.

    Not safe for use from several threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, SessionSummary]] = {}

    def read(self) -> list[SessionSummary]:
        """All sessions, newest first; those that cannot be read say why. Raises OSError if the folder cannot be."""
        summaries: dict[str, tuple[int, SessionSummary]] = {}
        try:
            entries = list(os.scandir(self.folder))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False) or not _is_session(entry.name):
                continue
            try:
                # A heartbeat, a new segment and a note are renamed into the folder, which so shows that it changed.
                changed = entry.stat(follow_symlinks=False).st_mtime_ns
            except FileNotFoundError:
                continue  # deleted just now
            known = self._known.get(entry.name)
            if known is not None and known[0] == changed and not known[1].alive:
                summaries[entry.name] = known
            else:
                summaries[entry.name] = changed, _summary(self.folder / entry.name)
        self._known = summaries
        return sorted((summary for _, summary in summaries.values()), key=lambda one: (-one.created, one.id))


def _is_session(name: str) -> bool:
    try:
        check_identifier(name)
    except UsageError:
        return False
    return True


def _summary(place: Path) -> SessionSummary:
    summary = summarise(place)
    if summary.created:
        return summary
    try:
        # One that cannot be read stands where its age puts it, not at the end where nobody looks.
        return replace(summary, created=place.stat().st_mtime)
    except OSError:
        return summary
