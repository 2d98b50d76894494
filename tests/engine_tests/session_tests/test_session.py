"""A session's folder: made whole or not at all, listed whatever it holds, deleted only when nobody works on it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.errors import CannotCreateError, InputOutputError, SessionHeldError, SessionUnreadableError, UsageError
from engine.search.recorder import Recorder
from engine.session import events, requests
from engine.session.draft import SessionDraft
from engine.session.journal_writer import JournalWriter
from engine.session.listing import list_sessions, summarise
from engine.session.liveness import Heartbeat, this_process
from engine.session.places import check_identifier, new_identifier, sessions_folder
from engine.session.record import FORMAT, DataRecord, SearchRecord
from engine.session.segments import segment_path
from engine.session.session import Session, check_free, open_session
from engine.system.process_marks import new_mark
from engine.system.whole_files import write_whole
from tests.fakes import made_session

FOLDS = np.array([[0, 1, 2, -1]], np.int16)


def _record(name: str, **changes: Any) -> SearchRecord:
    record = SearchRecord(
        format=FORMAT,
        id=name,
        created=1000.0,
        spec={"dataset": "sample", "strategy": "grid"},
        data=DataRecord(
            source_sha256="a",
            digest="b",
            folds_sha256=hashlib.sha256(FOLDS.tobytes()).hexdigest(),
            rows=3,
            test_rows=2,
            classes=46,
            synthetic=True,
        ),
        versions={},
        host="here",
        cpu="some",
    )
    return msgspec.structs.replace(record, **changes)


def _created(sessions: Path, name: str = "first", **changes: Any) -> Session:
    return made_session(sessions, _record(name, **changes), FOLDS)


def _started(segment: int = 1) -> events.SearchStarted:
    return events.SearchStarted(
        time=1000.0,
        session="first",
        segment=segment,
        dataset="sample",
        synthetic=True,
        rows=3,
        classes=46,
        splits=2,
        scoring=["accuracy"],
        workers=1,
        trainings=1,
        cost=1.0,
        host="here",
        pid=1,
    )


def _worked(session: Session, *, lives: bool = False, scores: int = 2) -> JournalWriter:
    owner = this_process() if lives else msgspec.structs.replace(this_process(), boot="another")
    writer = JournalWriter(session.folder, owner)
    writer.append(_started())
    planned = [events.PlannedCombination(index=0, params={"epochs": 2}, trainer="kernel")]
    writer.append(events.CombinationsAdded(time=1000.0, combinations=planned))
    for fold in range(scores):
        writer.append(
            events.FitScored(
                time=1010.0 + fold,
                combination=0,
                fold=fold,
                training=fold,
                epochs=2,
                scores={"accuracy": 0.5 + fold / 4},
                seconds=3.0,
            )
        )
    writer.sync()
    return writer


def test_a_session_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    session = _created(sessions)
    assert [entry.name for entry in sessions.iterdir()] == ["first"]
    for folder in (sessions, session.folder, session.folder / "control"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (session.folder / "search.json").stat().st_mode & 0o077 == 0
    assert np.array_equal(session.folds(), FOLDS)
    opened = open_session("first", sessions)
    assert opened == session
    assert opened.record == _record("first")


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    _created(tmp_path)
    with pytest.raises(UsageError, match="foldwatch resume first"):
        _created(tmp_path)
    with pytest.raises(UsageError, match="exists"):
        SessionDraft(tmp_path, "first")
    assert [entry.name for entry in tmp_path.iterdir()] == ["first"]
    assert new_identifier(tmp_path, "first") == "first-01"
    _created(tmp_path, "first-01")
    assert new_identifier(tmp_path, "first") == "first-02"


def test_of_two_that_take_a_name_at_once_one_gets_it(tmp_path: Path) -> None:
    late = SessionDraft(tmp_path / "sessions", "first")
    in_between = tmp_path / "sessions" / "first"
    (in_between / "control").mkdir(parents=True)
    with pytest.raises(UsageError, match="foldwatch resume first"):
        late.finish(_record("first"), FOLDS)
    late.discard()
    assert [entry.name for entry in (tmp_path / "sessions").iterdir()] == ["first"]


def test_what_killed_processes_left_is_removed_by_the_next_session(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    machine, _, token = new_mark().split(".")
    gone = f"{machine}.{process.pid}.{token}"
    dead = [f".new-a.{gone}", f".deleted-a.{gone}", f".new-a.0123456789ab.1.{token}"]
    alive = [f".new-b.{new_mark()}", f".new-b.0123456789ab.{process.pid}.{token}", ".specs"]
    for name in (*dead, *alive):
        (tmp_path / name / "control").mkdir(parents=True)
    os.utime(tmp_path / dead[2], (0, 0))
    _created(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"first", *alive}


def test_a_session_that_its_group_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    try:
        draft = SessionDraft(tmp_path / "sessions", "first", group_readable=True)
        session = draft.finish(_record("first"), FOLDS)
        _worked(session).close()
        write_whole(session.folder / "heartbeat", b"{}", lasting=False)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in session.folder.iterdir()}
    assert modes.pop("control") == 0o700
    assert set(modes.values()) == {0o640}
    assert session.folder.stat().st_mode & 0o777 == 0o750
    assert session.folder.parent.stat().st_mode & 0o777 == 0o750
    # The next engine goes on alike; and somebody of the group can look, not work.
    _worked(open_session("first", tmp_path / "sessions")).close()
    assert segment_path(session.folder, 2).stat().st_mode & 0o777 == 0o640
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    theirs = open_session("first", tmp_path / "sessions")
    assert theirs.state().fits_finished == 2
    for work in (theirs.delete, lambda: theirs.request(requests.Pause())):
        with pytest.raises(UsageError, match="can be looked at, not worked on"):
            work()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_in_the_record_is_refused(tmp_path: Path) -> None:
    session = _created(tmp_path)
    _worked(session).close()
    os.chown(session.folder, 4242, -1)
    assert open_session("first", tmp_path).state().fits_finished == 2  # what is root's may be anywhere
    os.chown(segment_path(session.folder, 1), 4343, -1)
    with pytest.raises(SessionUnreadableError, match="belongs to user 4343, not to the session's owner"):
        open_session("first", tmp_path)


def test_another_hosts_session_is_taken_over_by_name(tmp_path: Path) -> None:
    session = _created(tmp_path)
    check_free(session)
    owner = msgspec.structs.replace(this_process(), host="elsewhere")
    JournalWriter(session.folder, owner).close()
    for has in ("works on this session", "has not recorded its end"):
        for named in ("", "another"):
            with pytest.raises(SessionHeldError, match=rf"on elsewhere .*{has}.* --take-over elsewhere"):
                check_free(session, named)
        check_free(session, "elsewhere")
        os.utime(segment_path(session.folder, 1), (0, 0))
    JournalWriter(session.folder, this_process()).close()
    with pytest.raises(SessionHeldError, match="foldwatch attach first"):
        check_free(session, this_process().host)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreateError):
        _created(tmp_path / "file" / "sessions")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(CannotCreateError, match="No space left"):
        _created(tmp_path / "sessions")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "A", "a b", "a" * 65, ".a", "a\n", "ä", "a_b", "-a"])
def test_names_that_could_lead_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a-z, 0-9 and -"):
        check_identifier(name)
    with pytest.raises(UsageError):
        open_session(name, tmp_path)


def test_sessions_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no session 'first'"):
        open_session("first", tmp_path)
    session = _created(tmp_path)
    (tmp_path / "link").symlink_to(session.folder)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "search.json").write_text('{"format": 1}')
    newer = _created(tmp_path, "newer", format=FORMAT + 1)
    for name, why in (
        ("link", "links are not followed"),
        ("file", "is not a session's folder"),
        ("empty", "No such file"),
        ("bad", "is not the record of a search"),
        (newer.id, f"has format {FORMAT + 1}; this version reads up to {FORMAT}"),
    ):
        with pytest.raises(SessionUnreadableError, match=why):
            open_session(name, tmp_path)


def test_folds_that_are_not_those_of_the_start_are_refused(tmp_path: Path) -> None:
    session = _created(tmp_path)
    np.save(session.folder / "folds.npy", FOLDS[:, ::-1])
    with pytest.raises(SessionUnreadableError, match="is not what the session was created with"):
        session.folds()
    (session.folder / "folds.npy").write_bytes(b"\x80\x04 no array")
    with pytest.raises(SessionUnreadableError, match=r"folds\.npy: cannot be read"):
        session.folds()


def test_a_list_of_what_is_no_folder_is_refused_and_one_by_its_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputOutputError, match="file: sessions cannot be listed: Not a directory"):
        list_sessions(tmp_path / "file")
    assert list_sessions(str(tmp_path)) == []
    with pytest.raises(UsageError, match="no session 'a'"):
        open_session("a", str(tmp_path))


def test_a_list_shows_every_session_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    _worked(_created(tmp_path, "done", created=3.0)).close()
    _created(tmp_path, "new", created=2.0)
    _worked(_created(tmp_path, "running", created=4.0), lives=True).close()
    odd = _created(tmp_path, "odd", created=1.0, spec={"dataset": "sample", "strategy": 5})
    (tmp_path / "broken").mkdir()
    (tmp_path / "Not a session").mkdir()
    (tmp_path / ".new-other-1").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "done")
    (tmp_path / "file").write_text("")
    listed = list_sessions(tmp_path)
    assert [(one.id, one.status) for one in listed] == [
        ("running", "running"),
        ("done", "crashed"),
        ("new", "new"),
        ("odd", "new"),
        ("broken", "unreadable"),
    ]
    done = listed[1]
    assert (done.fits_finished, done.fits_total, done.best_score, done.best_combination) == (2, 2, 0.625, 0)
    assert done.seconds == 11.0
    assert "search.json" in listed[-1].problem
    assert odd.folder.is_dir()
    assert list_sessions(tmp_path / "nowhere") == []


def test_a_summary_believes_the_heartbeat_only_where_it_fits_the_record(tmp_path: Path) -> None:
    session = _created(tmp_path)
    writer = _worked(session)
    beat = Heartbeat(
        owner=this_process(),
        time=1.0,
        segment=1,
        journal_bytes=writer.length,
        checksum=writer.checksum,
        status="completed",
        fits_finished=2,
        fits_total=2,
        fits_failed=0,
        combinations=1,
        best_score=0.875,
        best_combination=0,
        seconds=7.0,
    )
    path = session.folder / "heartbeat"
    path.write_bytes(msgspec.json.encode(beat))
    assert summarise(session.folder).best_score == 0.875
    for changes in (
        {"journal_bytes": writer.length - 1},
        {"segment": 7},
        {"checksum": writer.checksum ^ 1},
        {"checksum": None},
        {"status": "exploded"},
        {"seconds": -1.0},
    ):
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(beat, **changes)))
        assert summarise(session.folder).best_score == 0.625
    for rubbish in (b"", b"{}", b"\xff"):
        path.write_bytes(rubbish)
        assert summarise(session.folder).best_score == 0.625
    writer.close()


def test_of_a_dead_engine_list_and_record_say_the_same_time(tmp_path: Path) -> None:
    session = _created(tmp_path)
    _worked(session).close()
    recorder = Recorder(session, session.state(), lambda _: None, lambda _: None, lambda: 1e9)
    recorder.beat()
    assert summarise(session.folder).seconds > 1e8  # as long as it lives
    recorder.beat(ended=True)
    recorder.journal.close()
    assert summarise(session.folder).seconds == session.state().elapsed() == 11.0


def test_a_record_that_stopped_in_the_middle_of_work_is_a_crash(tmp_path: Path) -> None:
    session = _created(tmp_path)
    assert session.status(session.state()) == "new"
    writer = _worked(session)
    assert session.status(session.state()) == "crashed"
    writer.append(events.SearchPaused(time=1020.0))
    assert session.status(session.state()) == "crashed"
    writer.append(events.SearchFinished(time=1030.0, outcome="interrupted"))
    assert session.status(session.state()) == "interrupted"
    writer.close()
    _worked(session, lives=True).close()
    assert session.status(session.state()) == "running"


def test_requests_need_an_engine(tmp_path: Path) -> None:
    session = _created(tmp_path)
    with pytest.raises(UsageError, match="foldwatch resume first"):
        session.request(requests.Pause())
    _worked(session, lives=True).close()
    session.request(requests.Pause())
    assert requests.take_requests(session.folder) == ([requests.Pause()], [])


def test_a_session_at_work_is_not_deleted(tmp_path: Path) -> None:
    session = _created(tmp_path)
    _worked(session, lives=True).close()
    with pytest.raises(SessionHeldError, match="foldwatch stop first"):
        session.delete()
    segment_path(session.folder, 1).unlink()
    session.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_follower_sees_each_event_once_and_epochs_too(tmp_path: Path) -> None:
    session = _created(tmp_path)
    writer = _worked(session)
    follower = session.follow()
    assert len(follower.poll()) == 4
    epoch = events.EpochEnded(
        time=1.0, training=0, epoch=1, loss=1.0, validation_loss=1.0, validation_score=0.5, learning_rate=0.1
    )
    writer.append_epoch(epoch)
    writer.append(events.SearchPaused(time=1020.0))
    assert follower.poll() == [events.SearchPaused(time=1020.0), epoch]
    assert follower.poll() == []
    assert follower.damages == []
    assert follower.generation == 0
    writer.close()


def test_where_sessions_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOLDWATCH_SESSIONS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert "foldwatch" in str(sessions_folder())
    assert sessions_folder().is_absolute()
    (tmp_path / "sessions").mkdir()
    assert sessions_folder() == tmp_path / "sessions"
    monkeypatch.setenv("FOLDWATCH_SESSIONS", "named")
    assert sessions_folder() == tmp_path / "named"
    assert sessions_folder(Path("asked")) == tmp_path / "asked"


def test_the_record_is_a_file_that_people_can_read(tmp_path: Path) -> None:
    session = _created(tmp_path)
    text = (session.folder / "search.json").read_text()
    assert json.loads(text)["spec"] == {"dataset": "sample", "strategy": "grid"}
    assert text.count("\n") > 10
    assert not [name for name in os.environ if len(os.environ[name]) > 20 and os.environ[name] in text]


def test_where_nobody_named_a_session_the_next_free_name_is_taken(tmp_path: Path) -> None:
    drafts = [SessionDraft(tmp_path, new_identifier(tmp_path, "sample")) for _ in range(3)]
    made = [draft.finish(_record("sample-01"), FOLDS, stem="sample") for draft in drafts]
    assert [one.id for one in made] == ["sample-01", "sample-02", "sample-03"]
    assert [open_session(one.id, tmp_path).record.id for one in made] == [one.id for one in made]
    named = SessionDraft(tmp_path, "mine")
    SessionDraft(tmp_path, "mine").finish(_record("mine"), FOLDS)
    with pytest.raises(UsageError, match="'mine' exists"):
        named.finish(_record("mine"), FOLDS)
