"""A session: one search on disk, in a folder of plain files that can be listed, read, followed and steered."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import shutil
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine import access, control, journal, predictions
from engine.errors import (
    CannotCreateError,
    InputOutputError,
    SessionHeldError,
    SessionNotTrustedError,
    SessionUnreadableError,
    UsageError,
)
from engine.liveness import Liveness, liveness, read_heartbeat
from engine.process_marks import is_abandoned, new_mark
from engine.regular_files import Opener, is_my_folder, kind_of, open_mine, open_regular, read_within
from engine.state import SearchState, SearchStatus
from engine.strategy import strategy_name
from engine.whole_files import as_json, remove_tree, sync_folder, write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.events import AnyEvent, CurvePlace, EpochEnded, PredictionsPlace

FORMAT = 1
_LARGEST_RECORD = 8 << 20  # a spec is at most one, and longer as values
_RECORD_NAME = re.compile(
    r"search\.json|folds\.npy|control|heartbeat|(journal|curves)\.[0-9]+\.jsonl|predictions\.[0-9]+\.bin"
)
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # what began with - would be an option
_NEW, _DELETED = ".new-", ".deleted-"  # how folders begin that are no sessions yet, or no longer
_NOT_FREE = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class DataRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the search was trained on, so that a resume can tell whether it still is."""

    source_sha256: str
    digest: str
    folds_sha256: str
    rows: int
    test_rows: int
    classes: int
    synthetic: bool


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`search.json`: what was asked for, and of what data, versions and machine."""

    format: int
    id: str
    created: float
    spec: dict[str, Any]
    data: DataRecord
    versions: dict[str, str]
    host: str
    cpu: str
    workers: int | None = None
    devices: list[str] | None = None
    data_dir: str | None = None
    spec_sha256: str = ""


@dataclass(frozen=True)
class SessionSummary:
    """A session as a list shows it; `problem` says why it cannot be read, `owner` whose it is if not this user's."""

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


@dataclass
class Follower:
    """Everything that happens in a session, as it lands; see `JournalReader` for `generation`."""

    folder: Path
    opened: Opener = open_regular
    _journal: journal.JournalReader = field(init=False)
    _epochs: journal.EpochReader = field(init=False)

    def __post_init__(self) -> None:
        self._journal = journal.JournalReader(self.folder, self.opened)
        self._epochs = journal.EpochReader(self.folder, self.opened)

    @property
    def generation(self) -> int:
        """Rises when earlier events no longer count: then start with a new state."""
        return self._journal.generation

    @property
    def damages(self) -> list[journal.Damage]:
        """Places of the record that could not be read so far."""
        return self._journal.damages

    def poll(self) -> list[AnyEvent]:
        """Every event since the last poll; epochs, which the record does not order, come last."""
        # Read epochs first: an epoch whose training's start is not yet in the record would be lost on the state.
        epochs: list[EpochEnded] = self._epochs.poll()
        events = self._journal.poll()
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

        from engine.array_files import map_array

        try:
            with self.opened(self.folder / "folds.npy") as file:
                folds: NDArray[np.int16] = map_array(file)
        except (OSError, ValueError) as error:
            message = f"{self.folder / 'folds.npy'}: cannot be read: {error}"
            raise SessionUnreadableError(message) from error
        if hashlib.sha256(folds.tobytes()).hexdigest() != self.record.data.folds_sha256:
            message = f"{self.folder / 'folds.npy'}: is not what the session was created with"
            raise SessionUnreadableError(message)
        return folds

    def liveness(self) -> Liveness:
        """Whether an engine works on it now."""
        return liveness(self.folder, opened=self.opened)

    def follow(self) -> Follower:
        """Start to read it, from the beginning."""
        return Follower(self.folder, self.opened)

    def state(self) -> SearchState:
        """What its record says now."""
        return replay(self.follow())

    def status(self, state: SearchState) -> str:
        """The state's status, or "crashed" where it says that an engine works on it and none does."""
        return _status(state.status, alive=self.liveness().alive)

    def curve(self, place: CurvePlace) -> journal.Curve | None:
        """The epochs of a scored fit; None if they are gone."""
        return journal.read_curve(self.folder, place, self.opened)

    def predictions(self, place: PredictionsPlace) -> predictions.Predictions | None:
        """What a scored fit predicted for its validation rows; None if that is gone or damaged."""
        return predictions.read_predictions(self.folder, place, self.opened)

    def command(self, word: str, *options: str) -> str:
        """What somebody would type to do this with the session."""
        return command_of(self.folder.parent, word, self.id, *options)

    def request(self, request: control.Request) -> None:
        """Ask something of its engine. Raises UsageError if none works on it, or if it is somebody else's."""
        self.check_mine()
        if not self.liveness().alive:
            is_complete = self.state().status is SearchStatus.COMPLETED
            go_on = _AFTER_COMPLETION if is_complete else f"start one with: {self.command('resume')}"
            message = f"{self.id}: no engine works on this session; {go_on}"
            raise UsageError(message)
        control.write_request(self.folder, request)

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
    newest = max(journal.segment_numbers(session.folder), default=0)
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


class SessionDraft:
    """A session's folder before it is one, under a name that no list shows; workers may log into it already."""

    def __init__(self, sessions: Path, identifier: str, *, group_readable: bool = False) -> None:
        """Raises UsageError if the name is taken, CannotCreateError if the place cannot be written."""
        check_identifier(identifier)
        self._target = sessions / identifier
        self.folder = sessions / f"{_NEW}{identifier}.{new_mark()}"
        if self._target.exists():
            raise UsageError(taken(self._target))
        self._made = [folder for folder in (sessions, *sessions.parents) if not folder.exists()]
        try:
            make_private_folder(sessions, group_readable=group_readable)
            _remove_left_behind(sessions)
            access.make_folder(self.folder, group_readable=group_readable)
            access.make_folder(self.folder / "control")
        except OSError as error:
            raise self._cannot_create(error) from error

    def finish(self, record: SearchRecord, folds: NDArray[np.int16]) -> Session:
        """Make it a session, whole.

        `folds` (repeats, rows) int16: for each repeat the fold in which a row is validated, -1 where a row is not
        part of the search. Raises as the constructor does.
        """
        import numpy as np

        try:
            write_whole(self.folder / "search.json", as_json(record))
            content = io.BytesIO()
            np.save(content, folds, allow_pickle=False)
            write_whole(self.folder / "folds.npy", content.getvalue())
            # Somebody may have taken the name meanwhile: a folder replaces no other that holds something.
            self.folder.rename(self._target)
            sync_folder(self._target.parent)
        except OSError as error:
            if error.errno in _NOT_FREE:
                raise UsageError(taken(self._target)) from None
            raise self._cannot_create(error) from error
        return Session(self._target, record, open_mine)

    def discard(self) -> None:
        """Leave nothing behind, nor the folders that were made to hold it, unless somebody uses them by now."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def _cannot_create(self, error: OSError) -> CannotCreateError:
        return CannotCreateError(f"{self._target}: cannot create the session: {error.strerror}")


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


def _status(status: SearchStatus, *, alive: bool) -> str:
    return str(status) if alive or status.is_finished or status is SearchStatus.NEW else "crashed"


def taken(place: Path) -> str:
    """What is said where a session is to be made and one lies already."""
    return f"session {place.name!r} exists; continue it with: {command_of(place.parent, 'resume', place.name)}"


def check_identifier(identifier: str) -> str:
    """The name itself. Raises UsageError if a session cannot be called so."""
    if not _IDENTIFIER.fullmatch(identifier):
        message = f"session name {identifier[:80]!r} is not accepted; accepted: 1 to 64 of a-z, 0-9 and -, not first"
        raise UsageError(message)
    return identifier


def make_private_folder(folder: Path, *, group_readable: bool = False) -> None:
    """Create a folder that only its owner, or also its group, can enter, parents as the system makes them.

    An existing one is left as it is.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            access.make_folder(folder, group_readable=group_readable)


def _remove_left_behind(sessions: Path) -> None:
    """Folders that were to become sessions, or were being deleted, when their process was killed."""
    for name in os.listdir(sessions):
        if name.startswith((_NEW, _DELETED)):
            place = sessions / name
            if is_abandoned(place, name.partition(".")[2].partition(".")[2]):
                remove_tree(place)


def sessions_folder(explicit: Path | None = None) -> Path:
    """Where sessions lie: as asked, else $FOLDWATCH_SESSIONS, else ./sessions if it is there, else the user's data."""
    if explicit is not None:
        return explicit.absolute()
    if named := os.environ.get("FOLDWATCH_SESSIONS"):
        return Path(named).absolute()
    here = Path("sessions")
    if here.is_dir():
        return here.absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("foldwatch", appauthor=False)) / "sessions"


def command_of(sessions: Path, *words: str) -> str:
    """What somebody would type: `foldwatch WORDS`, and where the sessions lie if that is not the usual folder."""
    unusual = [] if sessions == sessions_folder() else ["--sessions", str(sessions)]
    return shlex.join(["foldwatch", *words, *unusual])


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
            record = msgspec.json.decode(read_within(file, _LARGEST_RECORD), type=SearchRecord)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SessionUnreadableError(message) from error
    except msgspec.MsgspecError as error:
        message = f"{path}: is not the record of a search: {error}"
        raise SessionUnreadableError(message) from error
    if record.format > FORMAT:
        message = f"{path}: has format {record.format}; this version reads up to {FORMAT}"
        raise SessionUnreadableError(message)
    return record


def new_identifier(folder: Path, stem: str) -> str:
    """The first of stem-01, stem-02, ... that is free."""
    number = 1
    while (folder / f"{stem}-{number:02}").exists():
        number += 1
    return f"{stem}-{number:02}"


def list_names(folder: Path) -> list[str]:
    """Names of the sessions in a folder, in no order; none where there is no folder."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        message = f"{folder}: sessions cannot be listed: {error.strerror}"
        raise InputOutputError(message) from error
    return [name for name in names if _IDENTIFIER.fullmatch(name)]


def list_sessions(folder: str | Path | None = None) -> list[SessionSummary]:
    """All sessions of a folder, by default the usual one, newest first; those that cannot be read say why."""
    folder = sessions_folder(None if folder is None else Path(folder))
    summaries = [summarise(folder / name) for name in list_names(folder)]
    return sorted(summaries, key=lambda summary: (-summary.created, summary.id))


def summarise(place: Path) -> SessionSummary:
    """A session in a few numbers: from its heartbeat where that is up to date, else from its record."""
    try:
        _check_place(place, place.lstat().st_mode)
        session = _opened_session(place)
        record, now = session.record, session.liveness()
        beat = read_heartbeat(place, session.opened)
        numbers = journal.segment_numbers(place)
        up_to_date = (
            beat is not None
            and numbers
            and beat.segment == numbers[-1]
            and (now.alive or beat.journal_bytes == journal.segment_path(place, numbers[-1]).stat().st_size)
        )
        if beat is not None and up_to_date:
            counts: dict[str, Any] = {
                "status": _status(SearchStatus(beat.status), alive=now.alive),
                "fits_finished": beat.fits_finished,
                "fits_total": beat.fits_total,
                "fits_failed": beat.fits_failed,
                "combinations": beat.combinations,
                "best_score": beat.best_score,
                "best_combination": beat.best_combination,
                "seconds": beat.seconds,
            }
        else:
            counts = _counts(session.state(), alive=now.alive)
    except SessionUnreadableError as error:
        return SessionSummary(place.name, place, problem=str(error))
    except (OSError, ValueError) as error:
        return SessionSummary(place.name, place, problem=f"{place}: cannot be read: {error}")
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
        **counts,
    )


def _counts(state: SearchState, *, alive: bool) -> dict[str, Any]:
    best = state.best
    return {
        "status": _status(state.status, alive=alive),
        "fits_finished": state.fits_finished,
        "fits_total": state.fits_total,
        "fits_failed": state.fits_failed,
        "combinations": len(state.combinations),
        "best_score": best.mean(state.scoring[0])[0] if best else None,
        "best_combination": best.index if best else None,
        "seconds": state.elapsed(time.time() if alive else None),
    }


def replay(follower: Follower) -> SearchState:
    """The state after everything that a follower has seen so far."""
    state = SearchState()
    for event in follower.poll():
        state.apply(event)
    return state
