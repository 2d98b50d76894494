"""Sessions in a few numbers each, as a list shows them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import FoldwatchError, InputOutputError
from engine.session import segments
from engine.session.liveness import read_heartbeat
from engine.session.opening import check_place
from engine.session.places import IDENTIFIER, sessions_folder
from engine.session.search_status import SearchStatus, status_of
from engine.session.session import Session, opened_session
from engine.session.state import SearchState
from engine.spec.strategy_options import strategy_name

if TYPE_CHECKING:
    from engine.session.liveness import Heartbeat


@dataclass(frozen=True)
class SessionSummary:
    """A session as a list shows it.

    `problem`: why the session cannot be read; `owner`: the user to whom it belongs, empty for this user.

    `script`: the path of the script that runs the search, if one does; `damages`: places of the record where something
    is lost that was not run again yet.
    """

    id: str
    folder: Path
    created: float = 0.0
    dataset: str = ""
    strategy: str = ""
    synthetic: bool = False
    status: str = "unreadable"
    fits_finished: int = 0
    fits_total: int = 0
    fits_failed: int = 0
    combinations: int = 0
    best_score: float | None = None
    best_combination: int | None = None
    seconds: float = 0.0
    host: str = ""
    alive: bool = False
    problem: str = ""
    owner: str = ""
    damages: int = 0
    script: str = ""

    @property
    def is_complete(self) -> bool:
        """Nothing is left to run."""
        return self.status == "completed" and self.fits_finished >= self.fits_total and not self.damages


def list_names(folder: Path) -> list[str]:
    """Names of the sessions in a folder, in no order; none where there is no folder."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        message = f"{folder}: sessions cannot be listed: {error.strerror}"
        raise InputOutputError(message) from error
    return [name for name in names if IDENTIFIER.fullmatch(name)]


def list_sessions(folder: str | Path | None = None) -> list[SessionSummary]:
    """All sessions of a folder, by default the usual one, newest first; each that cannot be read has a `problem`."""
    folder = sessions_folder(None if folder is None else Path(folder))
    summaries = [summarise(folder / name) for name in list_names(folder)]
    return sorted(summaries, key=lambda summary: (-summary.created, summary.id))


def summarise(place: Path) -> SessionSummary:
    """A session in a few numbers: from its heartbeat where that is up to date, else from its record."""
    try:
        check_place(place, place.lstat().st_mode)
        session = opened_session(place)
        record, now = session.record, session.liveness()
        heartbeat = read_heartbeat(place, session.opened)
        if heartbeat is not None and _is_up_to_date(session, heartbeat, alive=now.alive):
            counts_unrecorded = now.alive or heartbeat.seconds_recorded is None
            counts: dict[str, Any] = {
                "status": status_of(SearchStatus(heartbeat.status), alive=now.alive, is_damaged=heartbeat.damages > 0),
                "damages": heartbeat.damages,
                "fits_finished": heartbeat.fits_finished,
                "fits_total": heartbeat.fits_total,
                "fits_failed": heartbeat.fits_failed,
                "combinations": heartbeat.combinations,
                "best_score": heartbeat.best_score,
                "best_combination": heartbeat.best_combination,
                "seconds": heartbeat.seconds if counts_unrecorded else heartbeat.seconds_recorded,
            }
        else:
            counts = _counts(session.state(), alive=now.alive)
    except FoldwatchError as error:
        return SessionSummary(place.name, place, problem=str(error))
    except OSError as error:
        return SessionSummary(place.name, place, problem=str(segments.unreadable(place, error)))
    return SessionSummary(
        id=place.name,
        folder=place,
        created=record.created,
        dataset=str(record.spec.get("dataset", "")),
        strategy=strategy_name(record.spec.get("strategy", "grid")),
        synthetic=record.data.synthetic,
        host=record.host,
        alive=now.alive,
        owner=session.owner,
        script=record.script.path if record.script is not None else "",
        **counts,
    )


def _counts(state: SearchState, *, alive: bool) -> dict[str, Any]:
    best = state.best
    return {
        "status": status_of(state.status, alive=alive, is_damaged=bool(state.damages)),
        "damages": len(state.damages),
        "fits_finished": state.fits_finished,
        "fits_total": state.fits_total,
        "fits_failed": state.fits_failed,
        "combinations": len(state.combinations),
        "best_score": state.best_score,
        "best_combination": best.index if best else None,
        "seconds": state.elapsed(time.time() if alive else None),
    }


def _is_up_to_date(session: Session, heartbeat: Heartbeat, *, alive: bool) -> bool:
    """Whether a heartbeat describes the record as it is: no byte has changed, and an engine that died added none.

    Comparing checksums costs a hundredth of what reading the events would.
    """
    place = session.folder
    numbers = segments.segment_numbers(place)
    if not numbers or numbers[-1] != heartbeat.segment:
        return False
    header = segments.read_header(place, heartbeat.segment, session.opened)
    if header is None or heartbeat.checksum is None or [seal.segment for seal in header.seals] != numbers[:-1]:
        return False
    if not alive and heartbeat.journal_bytes != segments.segment_path(place, heartbeat.segment).stat().st_size:
        return False
    newest = segments.Seal(segment=heartbeat.segment, length=heartbeat.journal_bytes, checksum=heartbeat.checksum)
    return all(segments.holds(place, seal, session.opened) for seal in (*header.seals, newest))
