"""The one writer of a segment: each engine appends its events, curves and predictions to files of its own."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

import msgspec

from engine.errors import CannotCreateError, InputOutputError, SessionHeldError
from engine.session.events import CurvePlace, EpochEnded, Event, PredictionsPlace
from engine.session.segments import (
    Curve,
    Owner,
    Seal,
    SegmentOpened,
    curves_path,
    predictions_path,
    read_header,
    segment_numbers,
    segment_path,
)
from engine.system.checked_lines import frame
from engine.system.permissions import create_file
from engine.system.regular_files import open_mine
from engine.system.whole_files import sync_folder, temporary_path, write_all

_encode = msgspec.json.Encoder().encode
# Errors of file systems where a file can have no second name: FAT, some network and user-space file systems.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


def _seal(folder: Path, segment: int, earlier: Seal | None) -> Seal:
    """How much of an older segment counts: what was sealed before, else all its complete lines."""
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
        """Write the content, or hold it while the disk is full. Raises InputOutputError for any other failure."""
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
        """Sync, at no cost where nothing was written since the last time; False while the disk is full."""
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

        `after`: the newest segment (0: none) when no engine worked on the session; an engine that has
        opened another since then holds it.
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
        """Create the segment with its header in it, or not at all; returns its descriptor."""
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
        """Give the segment its name, which only one engine can. Returns the descriptor.

        Raises FileExistsError for any other engine.
        """
        target = segment_path(self.folder, self.segment)
        try:
            os.link(temporary, target)
        except FileExistsError:
            # Over NFS the reply may be lost and the request repeated: then it is our own file that has the name.
            if not os.path.samestat(target.lstat(), os.fstat(descriptor)):
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Without links the name comes first. An engine that dies before it wrote its header
            # leaves an empty segment.
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
        """Write an epoch when it ends, for those who watch; it is never synced."""
        self._curves.write(frame(_encode(event)))

    def append_curve(self, curve: Curve) -> CurvePlace:
        """Write a curve up to a scored epoch; returns where it lies."""
        offset = self._curves.length
        self._curves.write(frame(_encode(curve)))
        return CurvePlace(self.segment, offset, self._curves.length - offset)

    def append_predictions(self, block: bytes) -> PredictionsPlace:
        """Write the predictions of a fit; they are safe after the next `sync`. Returns where they lie."""
        offset = self._predictions.length
        self._predictions.write(block)
        return PredictionsPlace(self.segment, offset, len(block), zlib.crc32(block))

    def sync(self) -> bool:
        """Make all of it last but the curves; False while the disk is full. Raises InputOutputError if it never can.

        The predictions that a line refers to are synced before the line.
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
            status = segment_path(self.folder, self.segment).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(status, os.fstat(self._lines.descriptor))

    def close(self) -> None:
        """Release the files; nothing is synced."""
        for file in (self._lines, self._curves, self._predictions):
            os.close(file.descriptor)


def _open_to_append(path: Path) -> int:
    return create_file(path, os.O_WRONLY | os.O_APPEND)
