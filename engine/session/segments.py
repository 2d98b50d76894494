"""The record of a session: checksummed lines in append-only segments, one new segment for each engine.

A line is `crc32 json\\n`, the JSON an array of the line's number in its segment and an event. A segment begins with
a header that names its owner and seals every older segment by length and checksum: whatever an older engine writes
after that counts for nothing. A torn or damaged line costs that line, never the rest. Readers take no locks.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.errors import (
    TOO_MANY_OPEN,
    FoldwatchError,
    SessionNotTrustedError,
    SessionUnreadableError,
    cannot_work,
)
from engine.session.record_limits import (
    MOST_SEGMENTS,
    Checksum,
    Duration,
    Finite,
    Name,
    Number,
    ProcessNumber,
    Rate,
    Score,
    Segment,
    Size,
    check_depth,
)
from engine.system.checked_lines import unframe
from engine.system.regular_files import NotMineError, NotRegularError, Opener, open_regular

_SEGMENT_NAME = re.compile(r"journal\.([1-9][0-9]{0,8})\.jsonl")
CHUNK_BYTES = 8 << 20


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
    """The epochs of a training up to a scored one, an entry an epoch; None where a number was not finite.

    `planned_rates`: as in `events.EpochEnded`; empty where the rates follow from the combination's parameters.
    """

    training: Number
    loss: list[Finite | None]
    validation_loss: list[Finite | None]
    validation_score: list[Score | None]
    learning_rate: list[Rate]
    planned_rates: list[Rate] = []

    def up_to(self, epochs: int) -> Curve:
        """The curve of its first epochs."""
        return Curve(
            training=self.training,
            loss=self.loss[:epochs],
            validation_loss=self.validation_loss[:epochs],
            validation_score=self.validation_score[:epochs],
            learning_rate=self.learning_rate[:epochs],
            planned_rates=self.planned_rates,
        )


header_decoder = msgspec.json.Decoder(tuple[int, SegmentOpened])


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
    """The path of a segment."""
    return folder / f"journal.{segment}.jsonl"


def curves_path(folder: Path, segment: int) -> Path:
    """The path of the curves that belong to a segment."""
    return folder / f"curves.{segment}.jsonl"


def predictions_path(folder: Path, segment: int) -> Path:
    """The path of the predictions that belong to a segment."""
    return folder / f"predictions.{segment}.bin"


def read_header(folder: Path, segment: int, opened: Opener = open_regular) -> SegmentOpened | None:
    """A segment's header; None if it is damaged, or the segment no file. Raises OSError where that cannot be known.

    `opened` opens the files: `open_mine` refuses those that others may have written.
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
        return header_decoder.decode(payload)[1]
    except ValueError:  # msgspec's errors are among them
        return None


def holds(folder: Path, seal: Seal, opened: Opener = open_regular) -> bool:
    """Whether a segment begins with exactly the bytes that were sealed."""
    checksum, left = 0, seal.length
    with opened(segment_path(folder, seal.segment)) as file:
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    return not left and checksum == seal.checksum


def unreadable(folder: Path, error: OSError) -> FoldwatchError:
    """The error to raise where a file of a session's record cannot be read."""
    if error.errno in TOO_MANY_OPEN:
        return cannot_work(folder, error)
    kind = SessionNotTrustedError if isinstance(error, NotMineError) else SessionUnreadableError
    return kind(f"{error.filename or folder}: cannot be read: {error.strerror or error}")
