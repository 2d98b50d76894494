"""A session: one search on disk, in a folder of plain files that can be listed, read, followed and changed."""

from __future__ import annotations

import functools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import (
    InputOutputError,
    NotAvailableError,
    SessionHeldError,
    SessionUnreadableError,
    SpecError,
    UsageError,
    shortened,
)
from engine.session import predictions, requests, segments
from engine.session.follower import Follower, replay
from engine.session.journal_reader import JournalReader, read_curve
from engine.session.liveness import Liveness, liveness
from engine.session.opening import check_place, owner_name, read_record
from engine.session.places import DELETED, check_identifier, command_of, sessions_folder
from engine.session.record import SearchRecord
from engine.session.record_limits import LARGEST_FOLDS
from engine.session.search_status import SearchStatus, status_of
from engine.session.state import SearchState
from engine.spec.spec import SearchSpec
from engine.system.process_marks import new_mark
from engine.system.regular_files import Opener, is_my_folder, open_mine, open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.session.events import CurvePlace, PredictionsPlace


@dataclass(frozen=True)
class Session:
    """A session that exists on disk.

    `opened` opens its files; of a session of this user it opens only those that nobody else can have written.
    """

    folder: Path
    record: SearchRecord
    opened: Opener = open_regular

    @property
    def id(self) -> str:
        """The session's name, which is that of its folder."""
        return self.folder.name

    @property
    def is_mine(self) -> bool:
        """Whether the session belongs to this user; one of somebody else can only be looked at."""
        return self.folder.stat().st_uid == os.geteuid()

    @property
    def owner(self) -> str:
        """The name of the user to whom the session belongs; empty if that is this user."""
        return owner_name(self.folder)

    def check_mine(self) -> None:
        """Raises UsageError if the session belongs to somebody else."""
        if not self.is_mine:
            message = f"{self.id}: belongs to user {self.owner}; it can be looked at, not worked on"
            raise UsageError(message)

    def folds(self) -> NDArray[np.int16]:
        """The folds that the session was created with, checked against their hash.

        Raises NotAvailableError for a script's search, SessionUnreadableError where they are not what they were.
        """
        import hashlib

        if self.record.script is not None:
            message = f"{self.id}: which row was in which fold is not recorded of a script's search"
            raise NotAvailableError(message)

        path = self.folder / "folds.npy"
        try:
            folds = _read_folds(path, self.opened)
        except OSError as error:
            raise segments.unreadable(path, error) from error
        except ValueError as error:
            message = f"{path}: cannot be read: {error}"
            raise SessionUnreadableError(message) from error
        if hashlib.sha256(folds.tobytes()).hexdigest() != self.record.data.folds_sha256:
            message = f"{path}: is not what the session was created with"
            raise SessionUnreadableError(message)
        return folds

    @functools.cached_property
    def spec(self) -> SearchSpec:
        """What the user asked for.

        Raises UsageError for a search that lives in a script, SessionUnreadableError if it cannot be a spec.
        """
        self.check_has_spec()
        try:
            return SearchSpec.recorded(self.record.spec)
        except SpecError as error:
            message = f"{self.folder / 'search.json'}: holds no spec that can be run: {error}"
            raise SessionUnreadableError(message) from error

    @property
    def is_of_script(self) -> bool:
        """Whether a script runs the search: it has no spec then, and no engine of its own can go on with it."""
        return self.record.script is not None

    def check_has_spec(self) -> None:
        """Raises UsageError for a search that lives in a script, with what to do there."""
        if (script := self.record.script) is not None:
            message = f"{self.id}: {script.advice}"
            raise UsageError(message)

    def going_on(self, *options: str) -> str:
        """What runs what is missing: the command line that resumes with `options`, or the script, to be run again."""
        if (script := self.record.script) is not None:
            return script.going_on
        return f"run: {self.command('resume', *options)}"

    def liveness(self) -> Liveness:
        """Whether an engine works on the session now. Raises SessionUnreadableError where that cannot be read."""
        try:
            return liveness(self.folder, opened=self.opened)
        except OSError as error:
            raise segments.unreadable(self.folder, error) from error

    def follow(self) -> Follower:
        """Start to read the session, from the beginning of its record."""
        return Follower(self.folder, self.opened)

    def state(self, *, before: int | None = None) -> SearchState:
        """The state that follows from the record, or from its part `before` a segment was opened."""
        return replay(self.follow() if before is None else JournalReader(self.folder, self.opened, before=before))

    def status(self, state: SearchState) -> str:
        """The state's status, or in one word why it does not hold.

        "crashed" where an engine works on the session by its record, and none does; "damaged" where something of its
        record is lost that no engine has run again.
        """
        return status_of(state.status, alive=self.liveness().alive, is_damaged=bool(state.damages))

    def damage_in_words(self, state: SearchState) -> str:
        """What is lost of the record, in one line; empty where nothing is lost."""
        if not (damages := state.damages):
            return ""
        more = f", and in {len(damages) - 1} more places" if len(damages) > 1 else ""
        return f"{self.id}: the record is damaged: {damages[0]}{more}; to run again what is lost, {self.going_on()}"

    def curve(self, place: CurvePlace) -> segments.Curve | None:
        """The curve of a scored fit, epoch by epoch; None if it is gone."""
        return read_curve(self.folder, place, self.opened)

    def predictions(self, place: PredictionsPlace) -> predictions.Predictions | None:
        """What a scored fit predicted for its validation rows; None if the predictions are gone or damaged."""
        return predictions.read_predictions(self.folder, place, self.opened)

    def command(self, word: str, *options: str) -> str:
        """The command line of a command on this session, as a user would type it."""
        return command_of(self.folder.parent, word, self.id, *options)

    def request(self, request: requests.Request) -> None:
        """Write a request to the session's engine.

        Raises UsageError if no engine works on the session, if a script refits the best of it, or if it belongs to
        somebody else.
        """
        self.check_mine()
        if not self.liveness().alive:
            is_complete = self.state().status is SearchStatus.COMPLETED
            if self.is_of_script:
                go_on = "its script has ended" if is_complete else f"to go on, {self.going_on()}"
            else:
                go_on = _AFTER_COMPLETION if is_complete else f"start one with: {self.command('resume')}"
            message = f"{self.id}: no engine works on this session; {go_on}"
            raise UsageError(message)
        if self.is_of_script and (refit := self.state().refit) is not None and refit.is_of_script:
            message = f"{self.id}: all fits are scored; {refit.in_words}, and nothing can be asked of it any more"
            raise UsageError(message)
        requests.write_request(self.folder, request)

    def delete(self) -> None:
        """Remove the session with all its files. Raises SessionHeldError while an engine works on it."""
        self.check_mine()
        now = self.liveness()
        if now.alive:
            message = f"{self.id}: {now.owner} works on this session; first: {self.command('stop')}"
            raise SessionHeldError(message)
        doomed = self.folder.with_name(f"{DELETED}{self.id}.{new_mark()}")
        try:
            self.folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            message = f"{self.folder}: cannot be deleted: {error.strerror}"
            raise InputOutputError(message) from error


_AFTER_COMPLETION = (
    "the search is complete; to search more values, run a spec that has them too: the scores of this session are "
    "taken over (d on the home screen of the app opens this session's spec as a form)"
)


def check_free(session: Session, take_over: str = "") -> int:
    """The session's newest segment, 0 if it has none, at a moment when no engine worked on it.

    Raises SessionHeldError if an engine works on the session, or may work on it: one of another host than `take_over`.

    Where an engine is taken over that lives after all, nothing that it writes counts, and it ends when it notices.
    """
    newest = max(segments.segment_numbers(session.folder), default=0)
    now = session.liveness()
    if now.certain and not now.alive:
        return newest
    if now.certain:
        message = f"{session.id}: {now.owner} works on this session; watch it with: {session.command('attach')}"
        raise SessionHeldError(message)
    if take_over != now.host:
        has = "works on this session" if now.alive else "worked on this session and has not recorded its end"
        if session.is_of_script:
            go_on = "give its session another name in the script"
        else:
            go_on = session.command("resume", "--take-over", now.host)
        message = f"{session.id}: {now.owner} {has}; if it is dead: {go_on}"
        raise SessionHeldError(message)
    return newest


def _read_folds(path: Path, opened: Opener) -> NDArray[np.int16]:
    """The array of a file of folds. Raises OSError, and ValueError if the file holds anything else."""
    from engine.system.array_files import read_array

    with opened(path) as file:
        folds: NDArray[np.int16] = read_array(file, LARGEST_FOLDS)
    if folds.dtype != "int16" or folds.ndim != 2 or folds.size == 0:
        message = f"holds {folds.dtype} in the shape {folds.shape}, not int16 in (repeats, rows)"
        raise ValueError(message)
    if folds.min() < -1 or (folds.max(axis=1) != folds.max()).any() or folds.max() < 0:
        message = "its rows are not in as many folds in every repeat"
        raise ValueError(message)
    return folds


def open_session(identifier: str, folder: str | Path | None = None) -> Session:
    """A session of a folder, by default the usual one.

    Raises UsageError if there is none, SessionUnreadableError if it cannot be read.
    """
    folder = sessions_folder(None if folder is None else Path(folder))
    place = folder / check_identifier(identifier)
    try:
        mode = place.lstat().st_mode
    except OSError:
        message = f"no session {shortened(repr(identifier))} in {folder}; see: {command_of(folder, 'list')}"
        raise UsageError(message) from None
    check_place(place, mode)
    return opened_session(place)


def opened_session(place: Path) -> Session:
    """The session in a folder that was checked. Raises SessionUnreadableError."""
    # A session of this user is read only from files of this user: in a folder that others can write to, their files
    # may have taken the place of this user's by the time when one is opened.
    opened = open_mine if is_my_folder(place) else open_regular
    return Session(place, read_record(place, opened), opened)
