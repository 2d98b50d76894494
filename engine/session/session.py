"""A session: one search on disk, in a folder of plain files that can be listed, read, followed and steered."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.errors import (
    InputOutputError,
    SessionHeldError,
    SessionNotTrustedError,
    SessionUnreadableError,
    SpecError,
    UsageError,
)
from engine.session import predictions, requests, segments
from engine.session.draft import SessionDraft
from engine.session.journal_reader import Damage, EpochReader, JournalReader, read_curve
from engine.session.liveness import Liveness, liveness
from engine.session.places import _DELETED, check_identifier, command_of, sessions_folder
from engine.session.record import FORMAT, SearchRecord
from engine.session.record_limits import (
    LARGEST_FOLDS,
    LARGEST_RECORD,
    check_depth,
)
from engine.session.state import SearchState, SearchStatus
from engine.spec.spec import SearchSpec
from engine.system.process_marks import new_mark
from engine.system.regular_files import Opener, is_my_folder, kind_of, open_mine, open_regular, read_within

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from engine.session.events import AnyEvent, CurvePlace, EpochEnded, PredictionsPlace
    from engine.session.liveness import Heartbeat
_RECORD_NAME = re.compile(
    r"search\.json|folds\.npy|control|heartbeat|(journal|curves)\.[0-9]+\.jsonl|predictions\.[0-9]+\.bin"
)


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


@dataclass(frozen=True)
class Session:
    """A session that exists on disk; `opened` opens its files: one of this user's is read only if nobody forged it."""

    folder: Path
    record: SearchRecord
    opened: Opener = open_regular

    @property
    def id(self) -> str:
        """Its name, which is that of its folder."""
        return self.folder.name

    @property
    def is_mine(self) -> bool:
        """Whether this user made it; somebody else's can be looked at only."""
        return self.folder.stat().st_uid == os.geteuid()

    @property
    def owner(self) -> str:
        """Who made it, if not this user; empty for one's own."""
        return owner_name(self.folder)

    def check_mine(self) -> None:
        """Raises UsageError if somebody else made it."""
        if not self.is_mine:
            message = f"{self.id}: belongs to user {self.owner}; it can be looked at, not worked on"
            raise UsageError(message)

    @classmethod
    def create(cls, sessions: Path, record: SearchRecord, folds: NDArray[np.int16]) -> Session:
        """Make the folder of a new session, whole or not at all; as `SessionDraft`, in one go."""
        draft = SessionDraft(sessions, record.id)
        try:
            return draft.finish(record, folds)
        except BaseException:
            draft.discard()
            raise

    def folds(self) -> NDArray[np.int16]:
        """The folds that `create` was given, checked against their hash."""
        import hashlib

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

    @property
    def spec(self) -> SearchSpec:
        """What was asked for. Raises SessionUnreadableError for what no spec can be."""
        try:
            return SearchSpec.recorded(self.record.spec)
        except SpecError as error:
            message = f"{self.folder / 'search.json'}: holds no spec that can be run: {error}"
            raise SessionUnreadableError(message) from error

    def liveness(self) -> Liveness:
        """Whether an engine works on it now. Raises SessionUnreadableError where that cannot be read."""
        try:
            return liveness(self.folder, opened=self.opened)
        except OSError as error:
            raise segments.unreadable(self.folder, error) from error

    def follow(self) -> Follower:
        """Start to read it, from the beginning."""
        return Follower(self.folder, self.opened)

    def state(self, *, before: int | None = None) -> SearchState:
        """What its record says now, or said `before` a segment was opened."""
        return replay(self.follow() if before is None else JournalReader(self.folder, self.opened, before=before))

    def status(self, state: SearchState) -> str:
        """The state's status, or why it cannot be believed.

        "crashed" where it says that an engine works on it and none does; "damaged" where something of its record is
        lost that no engine has run again.
        """
        return _status(state.status, alive=self.liveness().alive, is_damaged=bool(state.damages))

    def damage_in_words(self, state: SearchState) -> str:
        """What of its record is lost, in one line; nothing where nothing is."""
        if not (damages := state.damages):
            return ""
        more = f", and in {len(damages) - 1} more places" if len(damages) > 1 else ""
        return (
            f"{self.id}: the record is damaged: {damages[0]}{more}; "
            f"what is lost is run again with: {self.command('resume')}"
        )

    def curve(self, place: CurvePlace) -> segments.Curve | None:
        """The epochs of a scored fit; None if they are gone."""
        return read_curve(self.folder, place, self.opened)

    def predictions(self, place: PredictionsPlace) -> predictions.Predictions | None:
        """What a scored fit predicted for its validation rows; None if that is gone or damaged."""
        return predictions.read_predictions(self.folder, place, self.opened)

    def command(self, word: str, *options: str) -> str:
        """What somebody would type to do this with the session."""
        return command_of(self.folder.parent, word, self.id, *options)

    def request(self, request: requests.Request) -> None:
        """Ask something of its engine. Raises UsageError if none works on it, or if it is somebody else's."""
        self.check_mine()
        if not self.liveness().alive:
            is_complete = self.state().status is SearchStatus.COMPLETED
            go_on = _AFTER_COMPLETION if is_complete else f"start one with: {self.command('resume')}"
            message = f"{self.id}: no engine works on this session; {go_on}"
            raise UsageError(message)
        requests.write_request(self.folder, request)

    def delete(self) -> None:
        """Remove it with all it holds. Raises SessionHeldError while an engine works on it."""
        self.check_mine()
        now = self.liveness()
        if now.alive:
            message = f"{self.id}: {now.owner} works on this session; first: {self.command('stop')}"
            raise SessionHeldError(message)
        doomed = self.folder.with_name(f"{_DELETED}{self.id}.{new_mark()}")
        try:
            self.folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            message = f"{self.folder}: cannot be deleted: {error.strerror}"
            raise InputOutputError(message) from error


_AFTER_COMPLETION = (
    "the search is complete; to search more values, run a spec that has them too: what is scored here is taken over "
    "(d on the home screen of the app opens this session's spec as a form)"
)


def check_free(session: Session, take_over: str = "") -> int:
    """Its newest segment, 0 if it has none, when nobody worked on it.

    Raises SessionHeldError if an engine works on it, or if it may: one of another host, which is not named here.

    An engine that is taken over and lives after all writes nothing that counts, and ends when it notices.
    """
    newest = max(segments.segment_numbers(session.folder), default=0)
    now = session.liveness()
    if now.certain and not now.alive:
        return newest
    if now.certain:
        message = f"{session.id}: {now.owner} works on this session; watch it with: {session.command('attach')}"
        raise SessionHeldError(message)
    if take_over != now.host:
        has = "works on this session" if now.alive else "worked on this session and has not said that it ended"
        command = session.command("resume", "--take-over", now.host)
        message = f"{session.id}: {now.owner} {has}; if it is dead: {command}"
        raise SessionHeldError(message)
    return newest


def owner_name(folder: Path) -> str:
    """Whose a folder is, by name, or by number where there is none; empty for this user's, and where it is gone."""
    import pwd

    try:
        user = folder.stat().st_uid
    except OSError:
        return ""
    if user == os.geteuid():
        return ""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _read_folds(path: Path, opened: Opener) -> NDArray[np.int16]:
    """The array of a file, if it is one of folds. Raises OSError, and ValueError for anything else."""
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


def _status(status: SearchStatus, *, alive: bool, is_damaged: bool) -> str:
    if is_damaged and not alive:
        return "damaged"
    return str(status) if alive or status.is_finished or status is SearchStatus.NEW else "crashed"


def open_session(identifier: str, folder: str | Path | None = None) -> Session:
    """A session of a folder, by default the usual one.

    Raises UsageError if there is none, SessionUnreadableError if it cannot be read.
    """
    folder = sessions_folder(None if folder is None else Path(folder))
    place = folder / check_identifier(identifier)
    try:
        mode = place.lstat().st_mode
    except OSError:
        message = f"no session {identifier!r} in {folder}; see: {command_of(folder, 'list')}"
        raise UsageError(message) from None
    _check_place(place, mode)
    return _opened_session(place)


def _opened_session(place: Path) -> Session:
    # What is this user's is read only from files of this user's: in a folder that others can write to, theirs may
    # lie under its name by the time a file is opened.
    opened = open_mine if is_my_folder(place) else open_regular
    return Session(place, _read_record(place, opened), opened)


def _check_place(place: Path, mode: int) -> None:
    """Refuse what somebody else may have put or changed here."""
    if stat.S_ISLNK(mode) or not stat.S_ISDIR(mode):
        message = f"{place}: is not a session's folder (links are not followed)"
        raise SessionUnreadableError(message)
    owners = (place.lstat().st_uid, 0)
    for path in (place, *(place / name for name in _record_names(place))):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            message = f"{path}: is a link; the record of a session holds none"
            raise SessionUnreadableError(message)
        is_folder = path in (place, place / "control")
        if not (stat.S_ISDIR if is_folder else stat.S_ISREG)(found.st_mode):
            message = f"{path}: is {kind_of(found.st_mode)}, not a {'folder' if is_folder else 'regular file'}"
            raise SessionUnreadableError(message)
        if found.st_uid not in owners:
            message = f"{path}: belongs to user {found.st_uid}, not to the session's owner"
            raise SessionNotTrustedError(message)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            message = f"{path}: others may write to it; if that is as it should be: chmod -R go-w {place}"
            raise SessionNotTrustedError(message)


def _record_names(place: Path) -> list[str]:
    try:
        return [name for name in os.listdir(place) if _RECORD_NAME.fullmatch(name)]
    except OSError as error:
        message = f"{place}: cannot be read: {error.strerror}"
        raise SessionUnreadableError(message) from error


def _read_record(place: Path, opened: Opener) -> SearchRecord:
    path = place / "search.json"
    try:
        with opened(path) as file:
            content = read_within(file, LARGEST_RECORD)
        check_depth(content)
        record = msgspec.json.decode(content, type=SearchRecord)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SessionUnreadableError(message) from error
    except ValueError as error:  # of which msgspec's are
        message = f"{path}: is not the record of a search: {error}"
        raise SessionUnreadableError(message) from error
    if record.format > FORMAT:
        message = f"{path}: has format {record.format}; this version reads up to {FORMAT}"
        raise SessionUnreadableError(message)
    if not isinstance(record.spec.get("dataset"), str):
        message = f"{path}: is not the record of a search: its spec names no dataset"
        raise SessionUnreadableError(message)
    return record


def _is_up_to_date(session: Session, beat: Heartbeat, *, alive: bool) -> bool:
    """Whether a heartbeat speaks of the record as it is: no byte of it has changed, no dead engine added any.

    Comparing checksums costs a hundredth of what reading the events would.
    """
    place = session.folder
    numbers = segments.segment_numbers(place)
    header = (
        segments.read_header(place, beat.segment, session.opened) if numbers and numbers[-1] == beat.segment else None
    )
    if header is None or beat.checksum is None or [seal.segment for seal in header.seals] != numbers[:-1]:
        return False
    if not alive and beat.journal_bytes != segments.segment_path(place, beat.segment).stat().st_size:
        return False
    newest = segments.Seal(segment=beat.segment, length=beat.journal_bytes, checksum=beat.checksum)
    return all(segments.holds(place, seal, session.opened) for seal in (*header.seals, newest))


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
