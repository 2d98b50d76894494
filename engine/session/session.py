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
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from engine.errors import (
    CannotCreateError,
    FoldwatchError,
    InputOutputError,
    SessionHeldError,
    SessionNotTrustedError,
    SessionUnreadableError,
    SpecError,
    UsageError,
)
from engine.session import predictions, requests, segments
from engine.session.liveness import Liveness, liveness, read_heartbeat
from engine.session.record_limits import (
    LARGEST_FOLDS,
    LARGEST_RECORD,
    Count,
    Moment,
    Name,
    Place,
    check_depth,
)
from engine.session.state import SearchState, SearchStatus
from engine.spec.spec import SearchSpec
from engine.spec.strategy_options import strategy_name
from engine.system import permissions
from engine.system.process_marks import is_abandoned, new_mark
from engine.system.regular_files import Opener, is_my_folder, kind_of, open_mine, open_regular, read_within
from engine.system.whole_files import as_json, remove_tree, sync_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from engine.session.events import AnyEvent, CurvePlace, EpochEnded, PredictionsPlace
    from engine.session.liveness import Heartbeat

FORMAT = 1
_RECORD_NAME = re.compile(
    r"search\.json|folds\.npy|control|heartbeat|(journal|curves)\.[0-9]+\.jsonl|predictions\.[0-9]+\.bin"
)
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # what began with - would be an option
_NEW, _DELETED = ".new-", ".deleted-"  # how folders begin that are no sessions yet, or no longer
_NOT_FREE = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


class DataRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the search was trained on, so that a resume can tell whether it still is."""

    source_sha256: Name
    digest: Name
    folds_sha256: Name
    rows: Count
    test_rows: Count
    classes: Count
    synthetic: bool


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`search.json`: what was asked for, and of what data, versions and machine."""

    format: Count
    id: Name
    created: Moment
    spec: dict[Name, Any]
    data: DataRecord
    versions: Annotated[dict[Name, Name], Meta(max_length=1_000)]
    host: Name
    cpu: Name
    workers: Count | None = None
    devices: Annotated[list[Name], Meta(max_length=1_000)] | None = None
    data_dir: Place | None = None
    spec_sha256: Name = ""


@dataclass(frozen=True)
class SessionSummary:
    """A session as a list shows it; `problem` says why it cannot be read, `owner` whose it is if not this user's.

    `damages`: places of its record of which something is lost, and not run again yet.
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

    @property
    def is_complete(self) -> bool:
        """Nothing is left to run."""
        return self.status == "completed" and self.fits_finished >= self.fits_total and not self.damages


@dataclass
class Follower:
    """Everything that happens in a session, as it lands; see `JournalReader` for `generation`."""

    folder: Path
    opened: Opener = open_regular
    _journal: segments.JournalReader = field(init=False)
    _epochs: segments.EpochReader = field(init=False)
    _waiting: list[EpochEnded] = field(init=False, default_factory=list)  # read, and not handed over yet

    def __post_init__(self) -> None:
        self._journal = segments.JournalReader(self.folder, self.opened)
        self._epochs = segments.EpochReader(self.folder, self.opened)

    @property
    def generation(self) -> int:
        """Rises when earlier events no longer count: then start with a new state."""
        return self._journal.generation

    @property
    def damages(self) -> list[segments.Damage]:
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
        return replay(
            self.follow() if before is None else segments.JournalReader(self.folder, self.opened, before=before)
        )

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
        return segments.read_curve(self.folder, place, self.opened)

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
            permissions.make_folder(self.folder, group_readable=group_readable)
            permissions.make_folder(self.folder / "control")
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
            permissions.make_folder(folder, group_readable=group_readable)


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
        if beat is not None and _is_up_to_date(session, beat, alive=now.alive):
            counts: dict[str, Any] = {
                "status": _status(SearchStatus(beat.status), alive=now.alive, is_damaged=beat.damages > 0),
                "damages": beat.damages,
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
        **counts,
    )


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


def _counts(state: SearchState, *, alive: bool) -> dict[str, Any]:
    best = state.best
    return {
        "status": _status(state.status, alive=alive, is_damaged=bool(state.damages)),
        "damages": len(state.damages),
        "fits_finished": state.fits_finished,
        "fits_total": state.fits_total,
        "fits_failed": state.fits_failed,
        "combinations": len(state.combinations),
        "best_score": best.mean(state.scoring[0])[0] if best else None,
        "best_combination": best.index if best else None,
        "seconds": state.elapsed(time.time() if alive else None),
    }


def _say_nothing(event: AnyEvent, state: SearchState) -> None:
    pass


def replay(
    follower: Follower | segments.JournalReader,
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
