"""Reads a session's record, and goes on reading as it grows."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.errors import SessionUnreadableError
from engine.session.events import AnyEvent, CurvePlace, EpochEnded, from_json
from engine.session.record_limits import LARGEST_CURVE, LARGEST_SEGMENT, LONGEST_LINE, MOST_DAMAGES, check_depth
from engine.session.segments import (
    CHUNK_BYTES,
    Curve,
    Seal,
    curves_path,
    header_decoder,
    read_header,
    segment_numbers,
    segment_path,
    unreadable,
)
from engine.system.checked_lines import unframe, unframe_all
from engine.system.regular_files import Opener, open_regular, read_at

_LINE_BEGINS = re.compile(rb"[0-9a-f]{8} \[")
_LINES_AT_ONCE = 4096
_TAIL_BYTES = 4 << 20  # how much of the newest curves file a new follower reads for the trainings now running


@dataclass(frozen=True)
class Damage:
    """A place in the record where something is lost; `segment`: the number of the segment whose file that is."""

    file: str
    offset: int
    why: str
    segment: int

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset}: {self.why}"


_record_decoder = msgspec.json.Decoder(tuple[int, msgspec.Raw])
_event_decoder = msgspec.json.Decoder(tuple[int, AnyEvent])
_epoch_decoder = msgspec.json.Decoder(EpochEnded)
_curve_decoder = msgspec.json.Decoder(Curve)


class JournalReader:
    """Reads a session's record and goes on reading as it grows; never blocks a writer.

    `generation` rises when what was read before no longer counts (another engine took over and sealed fewer lines than
    had been read): the next poll then begins from the start again, and the events belong to a new state. `before`: only
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
                # A segment that has no valid header yet is looked at again later, unless there are later segments.
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
            begun = b""  # a line of which only the beginning is read
            while chunk := file.read(CHUNK_BYTES if limit is None else min(CHUNK_BYTES, limit - place)):
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
        """Read the whole lines of a block that begins where the last one ended."""
        lines = block.split(b"\n")[:-1]
        place = self._offset
        # The header is read apart: it is not an event.
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
        """Read all lines at once if all are valid and in order; otherwise read none of them and return False."""
        payloads = unframe_all(lines)
        if payloads is None:
            return False
        try:
            for payload in payloads:
                check_depth(payload)
            records = _event_decoder.decode_lines(b"\n".join(payloads))
        except ValueError:  # msgspec's errors are among them
            return False
        numbers = range(self._sequence + 1, self._sequence + 1 + len(lines))
        if [sequence for sequence, _ in records] != list(numbers):
            return False
        self._sequence += len(lines)
        events.extend([event for _, event in records])
        return True

    def _take_each(self, lines: list[bytes], events: list[AnyEvent], place: int) -> int:
        """Read the valid ones of lines that begin at a place of the file; returns the place after them."""
        for line in lines:
            before = self._sequence
            try:
                self._take(line, events)
            except ValueError as error:  # msgspec's errors are among them
                self._is_damaged = True
                self._note(place, str(error))
                self._take_next_of(line, events)
            else:
                # After a damaged line a number is missing: that damage is noted already.
                if self._sequence > before + 1 and not self._is_damaged:
                    self._note(place, f"line {self._sequence} stands after line {before}: what was between is lost")
                self._is_damaged = False
            place += len(line) + 1
        return place

    def _take_next_of(self, line: bytes, events: list[AnyEvent]) -> None:
        """Read the next line where the end of a damaged one is lost, so that both look like one line."""
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
            header_decoder.decode(payload)

    def _note(self, place: int, why: str, segment: int | None = None) -> None:
        number = segment or self._segment
        name = segment_path(self.folder, number).name
        self.damages.append(Damage(name, place, why, number))
        if len(self.damages) > MOST_DAMAGES:
            message = (
                f"{self.folder}: its record is damaged in more than {MOST_DAMAGES} places, last {self.damages[-1]}"
            )
            raise SessionUnreadableError(message)


class EpochReader:
    """Reads the epochs of the trainings that run now, while their engine writes them to the newest curves file."""

    def __init__(self, folder: Path, opened: Opener = open_regular) -> None:
        self.folder = folder
        self._opened = opened
        self._segment = 0
        self._offset = 0

    def poll(self) -> list[EpochEnded]:
        """Epochs since the last poll; only the latest ones where there are more than a few megabytes of them."""
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
                # There are curves between the epochs; a damaged epoch is skipped, since no result depends on it.
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
