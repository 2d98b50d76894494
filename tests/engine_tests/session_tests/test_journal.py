"""The record: what was synced is read again, damage costs what it touches, and only the newest engine's word counts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import CannotCreateError, InputOutputError, SessionHeldError, SessionUnreadableError
from engine.session import events, journal_reader, journal_writer, segments
from engine.session.events import EpochEnded, FitScored, WorkerStarted
from engine.session.journal_reader import EpochReader, JournalReader, read_curve
from engine.session.journal_writer import JournalWriter
from engine.session.segments import Curve, Owner, Seal
from engine.system.checked_lines import frame, unframe, unframe_all
from tests.marks import first_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
OWNER = Owner(host="here", boot="b", pid=1, process_started=2.0)


def _event(number: int) -> WorkerStarted:
    return WorkerStarted(time=float(number), worker=number, pid=number, device="cpu")


def _epoch(training: int, epoch: int) -> EpochEnded:
    return EpochEnded(
        time=0.0,
        training=training,
        epoch=epoch,
        loss=None,
        validation_loss=1.5,
        validation_score=0.5,
        learning_rate=0.1,
        diverged=True,
    )


def _written(folder: Path, *numbers: int) -> JournalWriter:
    writer = JournalWriter(folder, OWNER)
    for number in numbers:
        writer.append(_event(number))
    writer.sync()
    return writer


def _numbers(happened: list[events.AnyEvent]) -> list[int]:
    return [event.worker for event in happened if isinstance(event, WorkerStarted)]


def test_what_was_written_is_read_in_order_and_once(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1, 2)
    reader = JournalReader(tmp_path)
    assert reader.poll() == [_event(1), _event(2)]
    assert reader.poll() == []
    writer.append(_event(3))
    assert reader.poll() == [_event(3)]
    assert writer.length == segments.segment_path(tmp_path, 1).stat().st_size
    writer.close()
    assert reader.damages == []


def test_an_empty_folder_has_no_events_until_it_has(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path)
    assert reader.poll() == []
    _written(tmp_path, 1).close()
    assert _numbers(reader.poll()) == [1]


def test_a_line_in_the_making_is_read_when_it_is_whole(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1)
    reader = JournalReader(tmp_path)
    line = frame(msgspec.json.encode((2, _event(2))))
    path = segments.segment_path(tmp_path, 1)
    with path.open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert _numbers(reader.poll()) == [1]
        file.write(line[20:])
        file.flush()
        assert _numbers(reader.poll()) == [2]
    assert reader.damages == []
    writer.close()


def test_every_engine_writes_a_segment_of_its_own(tmp_path: Path) -> None:
    _written(tmp_path, 1).close()
    writer = _written(tmp_path, 2)
    assert writer.segment == 2
    _written(tmp_path, 3).close()
    assert writer.overtaken
    assert _numbers(JournalReader(tmp_path).poll()) == [1, 2, 3]
    assert segments.segment_numbers(tmp_path) == [1, 2, 3]
    writer.close()


def test_what_an_old_engine_writes_after_a_takeover_does_not_count(tmp_path: Path) -> None:
    zombie = _written(tmp_path, 1, 2)
    follower = JournalReader(tmp_path)
    assert _numbers(follower.poll()) == [1, 2]
    new = _written(tmp_path, 10)
    zombie.append(_event(3))
    zombie.sync()
    assert zombie.overtaken
    assert not new.overtaken
    assert _numbers(JournalReader(tmp_path).poll()) == [1, 2, 10]
    # One that had read up to the seal just goes on.
    assert _numbers(follower.poll()) == [10]
    assert follower.generation == 0
    zombie.close()
    new.close()


def test_a_follower_that_had_read_beyond_the_seal_starts_again(tmp_path: Path) -> None:
    zombie = _written(tmp_path, 1, 2)
    follower = JournalReader(tmp_path)
    follower.poll()
    line = frame(msgspec.json.encode((3, _event(3))))
    path = segments.segment_path(tmp_path, 1)
    sealed = path.stat().st_size
    # The new engine sees the file as it was, over NFS, and a follower sees a line more.
    new = _written(tmp_path, 10)
    new.close()
    later = segments.segment_path(tmp_path, 2)
    hidden = later.with_name("hidden")
    later.rename(hidden)
    with path.open("ab") as file:
        file.write(line)
    assert _numbers(follower.poll()) == [3]
    hidden.rename(later)
    assert _numbers(follower.poll()) == [1, 2, 10]
    assert follower.generation == 1
    assert path.stat().st_size > sealed
    zombie.close()


def test_a_torn_tail_is_sealed_away(tmp_path: Path) -> None:
    _written(tmp_path, 1, 2).close()
    path = segments.segment_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-3])
    _written(tmp_path, 3).close()
    reader = JournalReader(tmp_path)
    assert _numbers(reader.poll()) == [1, 3]
    assert reader.damages == []


def test_seals_name_every_older_segment_by_length_and_checksum(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        _written(tmp_path, number).close()
    header = segments.read_header(tmp_path, 3)
    assert header is not None
    assert header.owner == OWNER
    for seal, number in zip(header.seals, (1, 2), strict=True):
        content = segments.segment_path(tmp_path, number).read_bytes()
        assert (seal.segment, seal.length, seal.checksum) == (number, len(content), zlib.crc32(content))


def _record(folder: Path) -> bytes:
    """A segment with scores in it, whose numbers a wrong bit could change."""
    writer = JournalWriter(folder, OWNER)
    for number in range(12):
        scored = FitScored(
            time=1.0, combination=number, fold=0, training=0, epochs=1, scores={"accuracy": number / 16}, seconds=1.0
        )
        writer.append(scored)
    writer.close()
    return segments.segment_path(folder, 1).read_bytes()


def _scores(folder: Path) -> dict[int, float | None]:
    happened = JournalReader(folder).poll()
    return {event.combination: event.scores["accuracy"] for event in happened if isinstance(event, FitScored)}


def test_a_record_cut_at_any_byte_keeps_every_whole_line(tmp_path: Path) -> None:
    content = _record(tmp_path)
    path = segments.segment_path(tmp_path, 1)
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        lines = content[:length].count(b"\n")
        assert _scores(tmp_path) == {number: number / 16 for number in range(lines - 1)}


@pytest.mark.parametrize("flip", first_of([(0x01,), (0x20,), (0x80,), (0xFF,)]))
def test_a_flipped_byte_costs_its_own_line_and_changes_no_score(tmp_path: Path, flip: int) -> None:
    content = _record(tmp_path)
    path = segments.segment_path(tmp_path, 1)
    whole = {number: number / 16 for number in range(12)}
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
        touched = content[:place].count(b"\n") - 1
        read = _scores(tmp_path)
        assert read.items() <= whole.items()
        assert set(whole) - set(read) <= {touched}, place


def test_damage_is_told_with_its_place(tmp_path: Path) -> None:
    content = _record(tmp_path)
    path = segments.segment_path(tmp_path, 1)
    second = content.index(b"\n") + 1
    path.write_bytes(content[:second] + b"rubbish" + content[second + 7 :])
    reader = JournalReader(tmp_path)
    assert len(reader.poll()) == 11
    assert [(damage.file, damage.offset) for damage in reader.damages] == [("journal.1.jsonl", second)]


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 12])
def test_damage_costs_its_line_however_many_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(journal_reader, "_LINES_AT_ONCE", at_once)
    lines = _record(tmp_path).splitlines(keepends=True)
    lines[4], lines[9] = b"\n", frame(b"[1]")  # neither holds what a score's line does
    segments.segment_path(tmp_path, 1).write_bytes(b"".join(lines))
    reader = JournalReader(tmp_path)
    assert [event.combination for event in reader.poll() if isinstance(event, FitScored)] == [
        number for number in range(12) if number + 1 not in (4, 9)
    ]
    places = [sum(map(len, lines[:number])) for number in (4, 9)]
    assert [damage.offset for damage in reader.damages] == places


def test_lines_count_upwards_only(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1, 2)
    with segments.segment_path(tmp_path, 1).open("ab") as file:
        for number in (2, 1, 3):
            file.write(frame(msgspec.json.encode((number, _event(number)))))
    reader = JournalReader(tmp_path)
    assert _numbers(reader.poll()) == [1, 2, 3]
    assert len(reader.damages) == 2
    writer.close()


def test_of_two_engines_that_open_a_segment_at_once_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _written(tmp_path, 1).close()
    numbers = segments.segment_numbers(tmp_path)
    winner = _written(tmp_path, 2)
    # The loser looked before the winner's segment was there.
    monkeypatch.setattr(journal_writer, "segment_numbers", lambda folder: numbers)
    with pytest.raises(SessionHeldError):
        JournalWriter(tmp_path, OWNER)
    monkeypatch.undo()
    winner.append(_event(3))
    assert _numbers(JournalReader(tmp_path).poll()) == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    winner.close()


def test_one_that_looked_before_another_began_does_not_overtake_it(tmp_path: Path) -> None:
    _written(tmp_path, 1).close()
    winner = JournalWriter(tmp_path, OWNER, after=1)
    with pytest.raises(SessionHeldError, match="pid 1 on here began to work"):
        JournalWriter(tmp_path, OWNER, after=1)
    assert not winner.overtaken
    winner.close()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_one_engine_wins_where_files_have_only_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def unsupported(*arguments: object) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    writer = _written(tmp_path, 1)
    monkeypatch.setattr(journal_writer, "segment_numbers", lambda folder: [])
    with pytest.raises(SessionHeldError):
        JournalWriter(tmp_path, OWNER)
    monkeypatch.undo()
    assert _numbers(JournalReader(tmp_path).poll()) == [1]
    assert segments.read_header(tmp_path, 1) is not None
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    writer.close()


RACE = """
import os
import sys
from pathlib import Path
from engine.errors import SessionHeldError
from engine.session.journal_writer import JournalWriter
from tests.engine_tests.session_tests.test_journal import OWNER, _event, refuse_links
folder, links, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
os.getpid = lambda: 1  # as in containers
if links == "without links":
    refuse_links()
print("ready", flush=True)
for line in sys.stdin:
    after = int(line)
    try:
        writer = JournalWriter(folder, OWNER, after=after)
    except SessionHeldError:
        print("lost", flush=True)
        continue
    writer.append(_event(number))
    writer.sync()
    print(writer.segment, flush=True)
"""


def refuse_links() -> None:
    """As a file system does that knows no second name for a file."""

    def unsupported(*arguments: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    os.link = unsupported  # type: ignore[assignment]


@pytest.mark.parametrize("links", ["with links", "without links"])
def test_of_processes_with_equal_owners_one_wins_and_the_others_know_it(tmp_path: Path, links: str) -> None:
    """As two containers on one share are: of the same host, boot and number."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), links, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    try:
        assert [_said(racer) for racer in racers] == ["ready"] * 4
        winners = []
        for segment in range(1, 21):
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write(f"{segment - 1}\n")
                racer.stdin.flush()
            said = [_said(racer) for racer in racers]
            assert sorted(said) == [str(segment), "lost", "lost", "lost"]
            winners.append(said.index(str(segment)))
    finally:
        for racer in racers:
            racer.communicate()
    assert [racer.returncode for racer in racers] == [0] * 4
    _assert_one_header_a_segment(tmp_path, winners)


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("links", ["with links", "without links"])
def test_of_threads_of_one_process_one_wins_and_the_others_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str
) -> None:
    """As two searches in one script are."""
    if links == "without links":
        monkeypatch.setattr(os, "link", os.link)  # so that it is put back
        refuse_links()
    together = threading.Barrier(4)
    winners: list[int] = []

    def race(number: int) -> None:
        for segment in range(1, 21):
            together.wait()
            try:
                writer = JournalWriter(tmp_path, OWNER, after=segment - 1)
            except SessionHeldError:
                pass
            else:
                writer.append(_event(number))
                writer.sync()
                writer.close()
                winners.append(number)
            together.wait()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(race, range(4)))
    _assert_one_header_a_segment(tmp_path, winners)


def _assert_one_header_a_segment(folder: Path, winners: list[int]) -> None:
    reader = JournalReader(folder)
    assert _numbers(reader.poll()) == winners
    assert reader.damages == []
    assert len(winners) == 20
    for segment in range(1, 21):
        assert len(segments.segment_path(folder, segment).read_bytes().splitlines()) == 2
    assert sorted(path.name for path in folder.glob(".*")) == []


def test_a_header_that_the_system_takes_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    writer = _written(tmp_path, 1)
    monkeypatch.undo()
    header = segments.read_header(tmp_path, 1)
    assert header is not None
    assert header.owner == OWNER
    writer.close()


def test_a_link_whose_answer_was_lost_has_worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def answered_late(one: Path, other: Path) -> None:
        real(one, other)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", answered_late)
    _written(tmp_path, 1).close()
    assert _numbers(JournalReader(tmp_path).poll()) == [1]


def test_a_segment_that_was_removed_is_no_longer_in_place(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1)
    path = segments.segment_path(tmp_path, 1)
    found = [writer.is_in_place]
    path.rename(tmp_path / "kept")
    found.append(writer.is_in_place)
    path.write_bytes((tmp_path / "kept").read_bytes())
    found.append(writer.is_in_place)
    assert found == [True, False, False]
    writer.close()


def _full(*arguments: object) -> int:
    raise OSError(28, "No space left on device")


def _failing(*arguments: object) -> int:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_after_a_failure_nothing_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    writer = _written(tmp_path, 1)
    monkeypatch.setattr(os, call, _failing)
    action: Callable[[], object] = writer.sync if call == "fsync" else lambda: writer.append(_event(2))
    with pytest.raises(InputOutputError, match="Input/output error"):
        action()
    monkeypatch.undo()
    with pytest.raises(InputOutputError, match="failed before"):
        writer.append(_event(3))
    with pytest.raises(InputOutputError, match="failed before"):
        writer.sync()
    assert _numbers(JournalReader(tmp_path).poll()) == [1]
    writer.close()


def test_what_a_full_disk_does_not_take_is_held_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = _written(tmp_path, 1)
    real, room = os.write, [20]

    def nearly_full(file: int, content: bytes) -> int:
        if room[0] == 0:
            return _full()
        taken = real(file, content[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", nearly_full)
    writer.append(_event(2))
    writer.append(_event(3))
    assert not writer.sync()
    assert _numbers(JournalReader(tmp_path).poll()) == [1]
    monkeypatch.undo()
    assert writer.sync()
    assert _numbers(JournalReader(tmp_path).poll()) == [1, 2, 3]
    assert (tmp_path / "journal.1.jsonl").stat().st_size == writer.length
    writer.close()


def test_a_short_write_is_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = _written(tmp_path, 1)
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:7]))
    writer.append(_event(2))
    monkeypatch.undo()
    assert _numbers(JournalReader(tmp_path).poll()) == [1, 2]
    writer.close()


def test_a_folder_that_is_gone_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    _written(folder, 1).close()
    (folder / "journal.1.jsonl").rename(tmp_path / "kept")
    (folder / "curves.1.jsonl").unlink()
    (folder / "predictions.1.bin").unlink()
    folder.rmdir()
    with pytest.raises((CannotCreateError, FileNotFoundError)):
        JournalWriter(folder, OWNER)
    assert not folder.exists()


def test_curves_are_found_where_their_score_says(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1)
    curves = [
        Curve(training=t, loss=[1.0, None], validation_loss=[1.0, 2.0], validation_score=[0.5] * 2, learning_rate=[t])
        for t in range(3)
    ]
    places = []
    for curve in curves:
        writer.append_epoch(_epoch(curve.training, 1))
        places.append(writer.append_curve(curve))
    assert [read_curve(tmp_path, place) for place in places] == curves
    path = segments.curves_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[places[1].offset + 12] ^= 1
    path.write_bytes(content)
    assert [read_curve(tmp_path, place) for place in places] == [curves[0], None, curves[2]]
    path.unlink()
    assert read_curve(tmp_path, places[0]) is None
    writer.close()


def test_epochs_are_followed_in_the_newest_segment(tmp_path: Path) -> None:
    reader = EpochReader(tmp_path)
    assert reader.poll() == []
    writer = _written(tmp_path, 1)
    assert reader.poll() == []
    writer.append_epoch(_epoch(4, 1))
    writer.append_curve(Curve(training=4, loss=[], validation_loss=[], validation_score=[], learning_rate=[]))
    writer.append_epoch(_epoch(4, 2))
    assert reader.poll() == [_epoch(4, 1), _epoch(4, 2)]
    assert reader.poll() == []
    path = segments.curves_path(tmp_path, 1)
    with path.open("ab") as file:
        file.write(b'00000000 {"type":"EpochEnded"}\nrubbish\n')
    writer.append_epoch(_epoch(4, 3))
    assert reader.poll() == [_epoch(4, 3)]
    new = _written(tmp_path, 2)
    writer.append_epoch(_epoch(4, 4))
    new.append_epoch(_epoch(5, 1))
    assert reader.poll() == [_epoch(5, 1)]
    writer.close()
    new.close()


def test_a_checksum_that_fits_what_is_no_event_costs_only_that_line(tmp_path: Path) -> None:
    writer = _written(tmp_path, 1)
    with segments.segment_path(tmp_path, 1).open("ab") as file:
        for payload in (b"[2, 5]", b"{}", b'[2, {"type":"NoSuchEvent","time":1}]', b"\xff\xfe", b""):
            file.write(frame(payload))
    with segments.curves_path(tmp_path, 1).open("ab") as file:
        file.write(frame(b'{"type":"EpochEnded","nothing":1}'))
    reader = JournalReader(tmp_path)
    assert _numbers(reader.poll()) == [1]
    assert len(reader.damages) == 5
    assert EpochReader(tmp_path).poll() == []
    writer.close()


def test_frames_hold_only_what_was_framed() -> None:
    assert unframe(frame(b"[1]").rstrip(b"\n")) == b"[1]"
    for line in (b"", b"zzzzzzzz [1]", b"00000000 [1]", frame(b"[1]")[1:-1], frame(b"[1]")[:-2]):
        assert unframe(line) is None
        assert unframe_all([frame(b"[1]").rstrip(b"\n"), line]) is None
    assert unframe_all([frame(payload).rstrip(b"\n") for payload in (b"[1]", b"", b"x y")]) == [b"[1]", b"", b"x y"]


def test_what_was_read_before_an_error_is_kept(tmp_path: Path) -> None:
    _written(tmp_path, 1, 2).close()
    _written(tmp_path, 3).close()
    path, aside = segments.segment_path(tmp_path, 2), tmp_path / "aside"
    reader = JournalReader(tmp_path)
    path.rename(aside)
    path.mkdir()
    # The first segment is read; the second cannot be: the one is kept, the other said when nothing else is.
    assert _numbers(reader.poll()) == [1, 2]
    for _ in range(2):
        with pytest.raises(SessionUnreadableError, match=r"journal\.2\.jsonl: cannot be read: is a folder"):
            reader.poll()
    path.rmdir()
    aside.rename(path)
    assert _numbers(reader.poll()) == [3]
    assert (reader.damages, reader.generation) == ([], 0)


def test_a_lost_line_is_told_where_the_next_one_stands(tmp_path: Path) -> None:
    lines = _record(tmp_path).splitlines(keepends=True)
    segments.segment_path(tmp_path, 1).write_bytes(b"".join([*lines[:4], *lines[6:]]))
    reader = JournalReader(tmp_path)
    assert len(reader.poll()) == 10
    assert [str(damage) for damage in reader.damages] == [
        f"journal.1.jsonl at byte {sum(map(len, lines[:4]))}: line 6 stands after line 3: what was between is lost"
    ]


@pytest.mark.parametrize("chunk", [1, 100, 1000])
def test_a_record_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    _record(tmp_path)
    monkeypatch.setattr(journal_reader, "CHUNK_BYTES", chunk)
    assert len(JournalReader(tmp_path).poll()) == 12
    JournalWriter(tmp_path, OWNER).close()
    assert len(JournalReader(tmp_path).poll()) == 12


def test_only_what_stands_before_a_segment_is_read_where_asked(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        _written(tmp_path, number).close()
    assert _numbers(JournalReader(tmp_path, before=3).poll()) == [1, 2]
    assert JournalReader(tmp_path, before=1).poll() == []


def test_seals_are_compared_byte_by_byte(tmp_path: Path) -> None:
    content = _record(tmp_path)
    path = segments.segment_path(tmp_path, 1)
    seal = Seal(segment=1, length=len(content), checksum=zlib.crc32(content))
    assert segments.holds(tmp_path, seal)
    path.write_bytes(content + b"more")
    assert segments.holds(tmp_path, seal)
    for other in (content[:-1], content.replace(b"0.5", b"0.6")):
        path.write_bytes(other)
        assert not segments.holds(tmp_path, seal)
