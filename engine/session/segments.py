"""The record of a session: checksummed lines in append-only segments, one new segment for each engine.

A line is `crc32 json\\n`, the JSON an array of the line's number in its segment and an event. A segment begins with
a header that names its owner and seals every older segment by length and checksum: whatever an older engine writes
after that counts for nothing. A torn or damaged line costs that line, never the rest. Readers take no locks.
"""

from __future__ import annotations

import binascii
import contextlib
import errno
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.errors import (
    TOO_MANY_OPEN,
    CannotCreateError,
    FoldwatchError,
    InputOutputError,
    SessionHeldError,
    SessionNotTrustedError,
    SessionUnreadableError,
    cannot_work,
)
from engine.session.events import AnyEvent, CurvePlace, EpochEnded, Event, PredictionsPlace, from_json
from engine.session.record_limits import (
    LARGEST_CURVE,
    LARGEST_SEGMENT,
    LONGEST_LINE,
    MOST_DAMAGES,
    MOST_SEGMENTS,
    Checksum,
    Duration,
    Finite,
    Name,
    Number,
    ProcessNumber,
    Rate,
    Segment,
    Size,
    check_depth,
)
from engine.system.permissions import create_file
from engine.system.regular_files import NotMineError, NotRegularError, Opener, open_mine, open_regular, read_at
from engine.system.whole_files import sync_folder, temporary_path, write_all

_LINE_BEGINS = re.compile(rb"[0-9a-f]{8} \[")
_SEGMENT_NAME = re.compile(r"journal\.([1-9][0-9]{0,8})\.jsonl")
_LINES_AT_ONCE = 4096
_CHUNK_BYTES = 8 << 20
# What a file system says that knows no second name for a file: FAT, some network and user-space ones.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_TAIL_BYTES = 4 << 20  # how much of the newest curves file a new follower reads for the trainings now running


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The engine process that writes a segment, so that others can tell whether it still lives.

    `namespace`: in which of its machine's containers it has this number; see `process_namespace`.
    """

    host: Name
    boot: Name
    pid: ProcessNumber
    process_started: Duration
    namespace: Name = ""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an older segment counts: its first `length` bytes, whose CRC-32 is `checksum`."""

    segment: Segment
    length: Size
    checksum: Checksum


class SegmentOpened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A segment's first line."""

    owner: Owner
    seals: Annotated[list[Seal], Meta(max_length=MOST_SEGMENTS)]


class Curve(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The epochs of a training up to a scored one, an entry an epoch; None where a number was not finite."""

    training: Number
    loss: list[Finite | None]
    validation_loss: list[Finite | None]
    validation_score: list[Finite | None]
    learning_rate: list[Rate]

    def up_to(self, epochs: int) -> Curve:
        """Its first epochs."""
        return Curve(
            training=self.training,
            loss=self.loss[:epochs],
            validation_loss=self.validation_loss[:epochs],
            validation_score=self.validation_score[:epochs],
            learning_rate=self.learning_rate[:epochs],
        )


@dataclass(frozen=True)
class Damage:
    """A place in the record of which something is lost; `segment`: the number of the file's."""

    file: str
    offset: int
    why: str
    segment: int

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset}: {self.why}"


_header_decoder = msgspec.json.Decoder(tuple[int, SegmentOpened])
_record_decoder = msgspec.json.Decoder(tuple[int, msgspec.Raw])
_event_decoder = msgspec.json.Decoder(tuple[int, AnyEvent])
_epoch_decoder = msgspec.json.Decoder(EpochEnded)
_curve_decoder = msgspec.json.Decoder(Curve)
_encode = msgspec.json.Encoder().encode


def frame(payload: bytes) -> bytes:
    """A checksummed line."""
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def unframe(line: bytes) -> bytes | None:
    """What a checksummed line (without its end) holds; None if it is damaged."""
    payload = line[9:]
    try:
        sound = line[8:9] == b" " and int(line[:8], 16) == zlib.crc32(payload)
    except ValueError:
        return None
    return payload if sound else None


def unframe_all(lines: list[bytes]) -> list[bytes] | None:
    """What many checksummed lines hold, several times as fast as one by one; None if any of them is damaged."""
    heads = bytearray().join([line[:9] for line in lines])
    payloads = [line[9:] for line in lines]
    if len(heads) != 9 * len(lines) or heads[8::9] != b" " * len(lines):
        return None
    del heads[8::9]
    try:
        checksums = struct.unpack(f">{len(lines)}I", binascii.unhexlify(heads))
    except ValueError:
        return None
    return payloads if checksums == tuple(map(zlib.crc32, payloads)) else None


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of the segments in a session's folder, ascending.

    Raises OSError if the folder cannot be listed, SessionUnreadableError for more of them than a session can have.
    """
    names = (_SEGMENT_NAME.fullmatch(name) for name in os.listdir(folder))
    numbers = sorted(int(name[1]) for name in names if name)
    if len(numbers) > MOST_SEGMENTS:
        message = f"{folder}: has {len(numbers)} segments, more than the {MOST_SEGMENTS} that a session can have"
        raise SessionUnreadableError(message)
    return numbers


def segment_path(folder: Path, segment: int) -> Path:
    """Where a segment lies."""
    return folder / f"journal.{segment}.jsonl"


def curves_path(folder: Path, segment: int) -> Path:
    """Where the curves that belong to a segment lie."""
    return folder / f"curves.{segment}.jsonl"


def predictions_path(folder: Path, segment: int) -> Path:
    """Where the predictions that belong to a segment lie."""
    return folder / f"predictions.{segment}.bin"


def read_header(folder: Path, segment: int, opened: Opener = open_regular) -> SegmentOpened | None:
    """A segment's header; None if it is damaged, or the segment no file. Raises OSError where that cannot be known.

    `opened` opens files of whom one trusts.
    """
    try:
        with opened(segment_path(folder, segment)) as file:
            payload = unframe(file.readline(1 << 20).rstrip(b"\n"))
    except NotRegularError:
        return None
    if payload is None:
        return None
    try:
        check_depth(payload)
        return _header_decoder.decode(payload)[1]
    except ValueError:  # of which msgspec's are
        return None


def holds(folder: Path, seal: Seal, opened: Opener = open_regular) -> bool:
    """Whether a segment begins with the very bytes that a seal speaks of."""
    checksum, left = 0, seal.length
    with opened(segment_path(folder, seal.segment)) as file:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    return not left and checksum == seal.checksum


def _seal(folder: Path, segment: int, earlier: Seal | None) -> Seal:
    """What counts of an older segment: what was sealed before, else all its complete lines."""
    if earlier is not None:
        return earlier
    with open_mine(segment_path(folder, segment)) as file:
        content = file.read()
    content = content[: content.rfind(b"\n") + 1]
    return Seal(segment=segment, length=len(content), checksum=zlib.crc32(content))


class _GrowingFile:
    """A file that is only appended to. What a full disk does not take is held, in order, and written later."""

    def __init__(self, descriptor: int, what: Path) -> None:
        self.descriptor, self._what = descriptor, what
        self.length = self._synced = os.fstat(descriptor).st_size  # with what is held
        self.checksum = 0  # of what was written through here, as far as `length`
        self._held = bytearray()
        self._broken = False

    def write(self, content: bytes) -> None:
        """Hand it to the system, or hold it. Raises InputOutputError for what waiting does not cure."""
        self._held += content
        self.length += len(content)
        self.checksum = zlib.crc32(content, self.checksum)
        self.drain()

    def drain(self) -> bool:
        """Hand over what is held; False while the disk is full."""
        self._check()
        try:
            while self._held:
                del self._held[: os.write(self.descriptor, self._held)]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return False
            raise self._failure(error) from error
        return True

    def sync(self) -> bool:
        """Make all of it last; False while the disk is full. After a failure nothing is synced again."""
        if not self.drain():
            return False
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            # What reached the disk is unknown now, and a second fsync would claim success (Rebello et al. 2020).
            raise self._failure(error) from error
        self._synced = self.length
        return True

    def sync_if_grown(self) -> bool:
        """The same, at no cost where nothing was written since."""
        return self.length == self._synced or self.sync()

    def _check(self) -> None:
        if self._broken:
            message = f"{self._what}: the session's record failed before; nothing more is written to it"
            raise InputOutputError(message)

    def _failure(self, error: OSError) -> InputOutputError:
        self._broken = True
        return InputOutputError(f"{self._what}: cannot write the session's record: {error.strerror}")


class JournalWriter:
    """The one writer of a segment. Not safe for use from several threads.

    `append` hands a line to the system, `sync` makes all lines handed over last a power loss.
    """

    def __init__(self, folder: Path, owner: Owner, *, after: int | None = None) -> None:
        """Open the next segment. Raises SessionHeldError if another engine opened it first.

        `after`: the newest segment (0: none) when nobody worked on the session; who opened another since holds it.
        """
        numbers = segment_numbers(folder)
        self.folder = folder
        self.segment = numbers[-1] + 1 if numbers else 1
        if after is not None and self.segment != after + 1:
            raise self._held_by(self.segment - 1)
        self._sequence = 0
        sealed: dict[int, Seal] = {}
        for number in numbers:
            header = read_header(folder, number, open_mine)
            sealed.update({seal.segment: seal for seal in header.seals} if header else {})
        header = SegmentOpened(owner=owner, seals=[_seal(folder, number, sealed.get(number)) for number in numbers])
        first_line = frame(_encode((0, header)))
        try:
            self._lines = _GrowingFile(self._create(first_line), folder)
            self._lines.checksum = zlib.crc32(first_line)
            self._curves = _GrowingFile(_open_to_append(curves_path(folder, self.segment)), folder)
            self._predictions = _GrowingFile(_open_to_append(predictions_path(folder, self.segment)), folder)
        except OSError as error:
            message = f"{folder}: cannot write the session's record: {error.strerror}"
            raise CannotCreateError(message) from error

    def _create(self, first_line: bytes) -> int:
        """Create the segment with its header in it, or not at all; its descriptor."""
        # A name of its own for every attempt: two engines that wrote into one file would both take the segment.
        temporary = temporary_path(self.folder, "segment")
        descriptor = create_file(temporary, os.O_WRONLY | os.O_EXCL | os.O_APPEND)
        try:
            write_all(descriptor, first_line)
            os.fsync(descriptor)
            descriptor = self._claim(temporary, descriptor, first_line)
        except FileExistsError:
            os.close(descriptor)
            raise self._held_by(self.segment) from None
        except OSError:
            os.close(descriptor)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.folder)
        return descriptor

    def _held_by(self, segment: int) -> SessionHeldError:
        header = read_header(self.folder, segment)
        who = f"pid {header.owner.pid} on {header.owner.host}" if header else "another engine"
        return SessionHeldError(f"{self.folder.name}: {who} began to work on this session just now")

    def _claim(self, temporary: Path, descriptor: int, first_line: bytes) -> int:
        """Give the segment its name, as only one engine can; its descriptor. Raises FileExistsError for any other."""
        target = segment_path(self.folder, self.segment)
        try:
            os.link(temporary, target)
        except FileExistsError:
            # Over NFS the answer may be lost, and the question put again: it is our file then that has the name.
            if not os.path.samestat(target.lstat(), os.fstat(descriptor)):
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Without links the name comes first. One that dies before its header leaves a segment that holds nothing.
            claimed = create_file(target, os.O_WRONLY | os.O_EXCL | os.O_APPEND)
            try:
                write_all(claimed, first_line)
                os.fsync(claimed)
            except OSError:
                os.close(claimed)
                raise
            os.close(descriptor)
            return claimed
        return descriptor

    @property
    def length(self) -> int:
        """Bytes of the segment so far."""
        return self._lines.length

    @property
    def checksum(self) -> int:
        """CRC-32 of those bytes."""
        return self._lines.checksum

    def append(self, event: Event) -> None:
        """Hand a line to the system; it counts after the next `sync`."""
        self._sequence += 1
        self._lines.write(frame(_encode((self._sequence, event))))

    def append_epoch(self, event: EpochEnded) -> None:
        """An epoch as it lands, for those who watch; never synced."""
        self._curves.write(frame(_encode(event)))

    def append_curve(self, curve: Curve) -> CurvePlace:
        """A curve up to a scored epoch; returns where it lies."""
        offset = self._curves.length
        self._curves.write(frame(_encode(curve)))
        return CurvePlace(self.segment, offset, self._curves.length - offset)

    def append_predictions(self, block: bytes) -> PredictionsPlace:
        """The predictions of a fit; they last after the next `sync`. Returns where they lie."""
        offset = self._predictions.length
        self._predictions.write(block)
        return PredictionsPlace(self.segment, offset, len(block), zlib.crc32(block))

    def sync(self) -> bool:
        """Make all of it last but the curves; False while the disk is full. Raises InputOutputError if it never can.

        What a line refers to lasts before the line does.
        """
        return self._curves.drain() and self._predictions.sync_if_grown() and self._lines.sync()

    @property
    def overtaken(self) -> bool:
        """Another engine took the session over: it opened a later segment."""
        return segment_path(self.folder, self.segment + 1).exists()

    @property
    def is_in_place(self) -> bool:
        """Whether the segment still lies where readers look for it: nobody removed or moved it with its folder."""
        try:
            found = segment_path(self.folder, self.segment).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._lines.descriptor))

    def close(self) -> None:
        """Release the files; nothing is synced."""
        for file in (self._lines, self._curves, self._predictions):
            os.close(file.descriptor)


def _open_to_append(path: Path) -> int:
    return create_file(path, os.O_WRONLY | os.O_APPEND)


class JournalReader:
    """Reads a session's record and goes on reading as it grows; never blocks a writer.

    `generation` rises when what was read before no longer counts (an engine took over and sealed less than had been
    read): the next poll then begins from the start again, and whoever reduces the events starts afresh. `before`: only
    the segments before that one are read.
    """

    def __init__(self, folder: Path, opened: Opener = open_regular, *, before: int | None = None) -> None:
        """`opened` opens the files: `open_mine` refuses what others may have written."""
        self.folder = folder
        self._opened = opened
        self.generation = 0
        self.damages: list[Damage] = []
        self._before = before
        self._segment = 0
        self._offset = 0
        self._sequence = -1
        self._is_damaged = False  # the line before
        self._seals: dict[int, Seal] = {}
        self._sealing = 0  # the newest segment whose seals are known

    def poll(self) -> list[AnyEvent]:
        """Every event that has come since the last poll, in order.

        Raises SessionUnreadableError where the record cannot be read, InputOutputError where this process may open no
        more files. What was read before that is not lost: it is returned, and the error is raised by the next poll.
        """
        events: list[AnyEvent] = []
        try:
            self._advance(events)
        except OSError as error:
            if not events:
                raise unreadable(self.folder, error) from error
        except SessionUnreadableError:
            if not events:
                raise
        return events

    def _advance(self, events: list[AnyEvent]) -> None:
        while True:
            numbers = [number for number in segment_numbers(self.folder) if not self._before or number < self._before]
            later = [number for number in numbers if number > self._segment]
            if self._segment == 0:
                if not later:
                    return
                self._enter(later[0])
                continue
            limit = self._sealed_length(later)
            if limit is not None and self._offset > limit:
                self.generation += 1
                self.damages.clear()
                self._segment = 0
                events.clear()
                continue
            self._read(events, limit)
            if not later:
                return
            if limit is not None and self._offset < limit:
                self._note(self._offset, f"it ends here, and {limit} bytes were recorded")
            self._enter(later[0])

    def _enter(self, segment: int) -> None:
        before = self._segment
        self._segment, self._offset, self._sequence, self._is_damaged = segment, 0, -1, False
        for missing in range(before + 1, min(segment, before + MOST_DAMAGES)):
            self._note(0, "it is missing", missing)

    def _sealed_length(self, later: list[int]) -> int | None:
        for number in later:
            if number > self._sealing:
                header = read_header(self.folder, number, self._opened)
                for seal in header.seals if header else []:
                    if seal.segment < number:
                        self._seals.setdefault(seal.segment, seal)
                # What has no sound header yet is looked at again, unless others stand behind it.
                if header is None and number == later[-1]:
                    break
                self._sealing = number
            if self._segment in self._seals:
                break
        return self._seals[self._segment].length if self._segment in self._seals else None

    def _read(self, events: list[AnyEvent], limit: int | None) -> None:
        path = segment_path(self.folder, self._segment)
        with self._opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_SEGMENT:
                message = f"{path}: is {size} bytes long, more than the {LARGEST_SEGMENT} that a session can have there"
                raise SessionUnreadableError(message)
            place = file.seek(self._offset)
            begun = b""  # a line whose end is not read yet
            while chunk := file.read(_CHUNK_BYTES if limit is None else min(_CHUNK_BYTES, limit - place)):
                place += len(chunk)
                end = chunk.rfind(b"\n") + 1
                if end:
                    self._take_block(begun + chunk[:end], events)
                    begun = b""
                begun += chunk[end:]
                if len(begun) > LONGEST_LINE:
                    message = f"{path}: has a line at byte {self._offset} that is longer than {LONGEST_LINE} bytes"
                    raise SessionUnreadableError(message)

    def _take_block(self, block: bytes, events: list[AnyEvent]) -> None:
        """Take whole lines that stand where the last ones ended."""
        lines = block.split(b"\n")[:-1]
        place = self._offset
        # The header stands alone: it is no event.
        begin = min(1, len(lines)) if place == 0 else 0
        place = self._take_each(lines[:begin], events, place)
        for first in range(begin, len(lines), _LINES_AT_ONCE):
            batch = lines[first : first + _LINES_AT_ONCE]
            if self._take_all(batch, events):
                place += sum(map(len, batch)) + len(batch)
            else:
                place = self._take_each(batch, events, place)
        self._offset += len(block)

    def _take_all(self, lines: list[bytes], events: list[AnyEvent]) -> bool:
        """Take lines at one go if all are sound and in order; else none of them, and return False."""
        payloads = unframe_all(lines)
        if payloads is None:
            return False
        try:
            for payload in payloads:
                check_depth(payload)
            records = _event_decoder.decode_lines(b"\n".join(payloads))
        except ValueError:  # of which msgspec's are
            return False
        numbers = range(self._sequence + 1, self._sequence + 1 + len(lines))
        if [sequence for sequence, _ in records] != list(numbers):
            return False
        self._sequence += len(lines)
        events.extend([event for _, event in records])
        return True

    def _take_each(self, lines: list[bytes], events: list[AnyEvent], place: int) -> int:
        """Take what is sound of lines that begin at a place of the file; the place behind them."""
        for line in lines:
            before = self._sequence
            try:
                self._take(line, events)
            except ValueError as error:  # of which msgspec's are
                self._is_damaged = True
                self._note(place, str(error))
                self._take_next_of(line, events)
            else:
                # After a damaged line a number is missing: that is the damage already told.
                if self._sequence > before + 1 and not self._is_damaged:
                    self._note(place, f"line {self._sequence} stands after line {before}: what was between is lost")
                self._is_damaged = False
            place += len(line) + 1
        return place

    def _take_next_of(self, line: bytes, events: list[AnyEvent]) -> None:
        """Where the damage hit a line's end, the next line is whole and stands behind it."""
        for begin in _LINE_BEGINS.finditer(line, 1):
            with contextlib.suppress(ValueError):
                self._take(line[begin.start() :], events)
                return

    def _take(self, line: bytes, events: list[AnyEvent]) -> None:
        payload = unframe(line)
        if payload is None:
            message = "the checksum does not fit"
            raise ValueError(message)
        check_depth(payload)
        sequence, raw = _record_decoder.decode(payload)
        if sequence <= self._sequence:
            message = f"line {sequence} stands after line {self._sequence}"
            raise ValueError(message)
        event = from_json(bytes(raw)) if sequence > 0 else None
        self._sequence = sequence
        if event is not None:
            events.append(event)
        else:
            _header_decoder.decode(payload)

    def _note(self, place: int, why: str, segment: int | None = None) -> None:
        number = segment or self._segment
        name = segment_path(self.folder, number).name
        self.damages.append(Damage(name, place, why, number))
        if len(self.damages) > MOST_DAMAGES:
            message = (
                f"{self.folder}: its record is damaged in more than {MOST_DAMAGES} places, last {self.damages[-1]}"
            )
            raise SessionUnreadableError(message)


def unreadable(folder: Path, error: OSError) -> FoldwatchError:
    """What to raise where a file of a session's record cannot be read."""
    if error.errno in TOO_MANY_OPEN:
        return cannot_work(folder, error)
    kind = SessionNotTrustedError if isinstance(error, NotMineError) else SessionUnreadableError
    return kind(f"{error.filename or folder}: cannot be read: {error.strerror or error}")


class EpochReader:
    """Follows the epochs of the trainings now running, as they land in the newest curves file."""

    def __init__(self, folder: Path, opened: Opener = open_regular) -> None:
        self.folder = folder
        self._opened = opened
        self._segment = 0
        self._offset = 0

    def poll(self) -> list[EpochEnded]:
        """Epochs since the last poll; of more than a few megabytes only the last."""
        numbers = segment_numbers(self.folder)
        if not numbers:
            return []
        path = curves_path(self.folder, numbers[-1])
        epochs: list[EpochEnded] = []
        with contextlib.suppress(FileNotFoundError), self._opened(path) as file:
            size = file.seek(0, os.SEEK_END)
            if self._segment != numbers[-1]:
                self._segment, self._offset = numbers[-1], 0
            self._offset = max(self._offset, size - _TAIL_BYTES)
            file.seek(self._offset)
            content = file.read(_TAIL_BYTES)
            end = content.rfind(b"\n") + 1
            self._offset += end
            for line in content[:end].split(b"\n"):
                payload = unframe(line)
                # Curves stand between the epochs, and what is damaged here has cost only a glimpse.
                if payload is not None and payload.startswith(b'{"type":"EpochEnded"'):
                    with contextlib.suppress(ValueError):
                        check_depth(payload)
                        epochs.append(_epoch_decoder.decode(payload))
        return epochs


def read_curve(folder: Path, place: CurvePlace, opened: Opener = open_regular) -> Curve | None:
    """The curve at a place; None if the file is gone or damaged there."""
    if place.length > LARGEST_CURVE:
        return None
    try:
        with opened(curves_path(folder, place.segment)) as file:
            payload = unframe(read_at(file, place.offset, place.length).rstrip(b"\n"))
        if payload is None:
            return None
        check_depth(payload)
        return _curve_decoder.decode(payload)
    except (OSError, ValueError):
        return None
