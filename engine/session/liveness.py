"""Whether the engine that owns a session still lives, seen from the same host or from another."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from engine.session.record_limits import (
    LARGEST_HEARTBEAT,
    Checksum,
    Count,
    Duration,
    Moment,
    Number,
    Score,
    Segment,
    Size,
    check_depth,
)
from engine.session.segments import Owner, read_header, segment_numbers
from engine.system.process_marks import boot_id, process_namespace, process_started
from engine.system.regular_files import Opener, open_regular, read_within

if TYPE_CHECKING:
    from collections.abc import Callable

HEARTBEAT_SECONDS = 2.0
_SILENCE_SECONDS = 30.0  # another host's engine is taken for dead after this, clocks and NFS caches allowed for


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine writes about its search every few seconds, so that a list of sessions need not read every record.

    `journal_bytes`, `checksum`: length and CRC-32 of its segment at that moment; a reader that sees others reads the
    record, as it does for a heartbeat of version 0.1, which has no checksum. `damages`: places of the record that were
    damaged when it began, and of which nothing is run again.
    `ended`: it was the last heartbeat; the process may live on. `seconds`: what the search took until then;
    `seconds_recorded`: until the last event in the record, which is what a reader works out after the engine is gone.
    """

    owner: Owner
    time: Moment
    segment: Segment
    journal_bytes: Size
    status: Literal["new", "running", "paused", "stopping", "completed", "stopped", "interrupted", "failed"]
    fits_finished: Count
    fits_total: Count
    fits_failed: Count
    combinations: Count
    best_score: Score | None
    best_combination: Number | None
    seconds: Duration
    ended: bool = False
    checksum: Checksum | None = None
    damages: Count = 0
    seconds_recorded: Duration | None = None


@dataclass(frozen=True)
class Liveness:
    """Whether an engine works on the session, which one, and on what host; `certain` is false across hosts."""

    alive: bool
    owner: str
    certain: bool = True
    same_host: bool = True
    host: str = ""


def this_process() -> Owner:
    """This process, as the owner of a segment."""
    return Owner(
        host=socket.gethostname(),
        boot=boot_id(),
        pid=os.getpid(),
        process_started=process_started(os.getpid()) or 0.0,
        namespace=process_namespace(),
    )


def read_heartbeat(folder: Path, opened: Opener = open_regular) -> Heartbeat | None:
    """The latest heartbeat; None if there is none that can be read."""
    try:
        with opened(folder / "heartbeat") as file:
            content = read_within(file, LARGEST_HEARTBEAT)
        check_depth(content)
        return msgspec.json.decode(content, type=Heartbeat)
    except (OSError, ValueError):
        return None


def liveness(folder: Path, now: Callable[[], float] = time.time, opened: Opener = open_regular) -> Liveness:
    """Whether the owner of the newest segment still lives.

    On its own host it lives if the boot and the container are the same and the process of its pid began at the recorded
    time. Seen from another host, or from another machine or container that has this host's name, it lives if its
    heartbeat is not older than half a minute.
    """
    numbers = segment_numbers(folder)
    header = read_header(folder, numbers[-1], opened) if numbers else None
    if header is None:
        return Liveness(alive=False, owner="nobody")
    owner = header.owner
    name = f"pid {owner.pid} on {owner.host}"
    heartbeat = read_heartbeat(folder, opened)
    if heartbeat is not None and heartbeat.ended and heartbeat.segment == numbers[-1]:
        return Liveness(alive=False, owner=name, same_host=owner.host == socket.gethostname(), host=owner.host)
    if owner.host == socket.gethostname():
        if owner.boot == boot_id() and owner.namespace in ("", process_namespace()):
            alive = process_started(owner.pid) == owner.process_started
            return Liveness(alive=alive, owner=name, host=owner.host)
        # Of this machine's earlier boots there is no heartbeat after the present one began.
        alive = heartbeat is not None and heartbeat.segment == numbers[-1] and _is_fresh(heartbeat, now())
        return Liveness(alive=alive, owner=name, certain=not alive, same_host=False, host=owner.host)
    try:
        # The age by the file server's clock, compared with a file touched there, would be better still; the
        # time written in the heartbeat is what both hosts can read without writing.
        age = now() - (
            heartbeat.time if heartbeat and heartbeat.segment == numbers[-1] else segment_mtime(folder, numbers[-1])
        )
    except OSError:
        age = float("inf")
    return Liveness(alive=age < _SILENCE_SECONDS, owner=name, certain=False, same_host=False, host=owner.host)


def _is_fresh(heartbeat: Heartbeat, now: float) -> bool:
    import psutil

    return now - heartbeat.time < _SILENCE_SECONDS and heartbeat.time > psutil.boot_time()


def segment_mtime(folder: Path, segment: int) -> float:
    """When a segment was last written, by the file server's clock."""
    return (folder / f"journal.{segment}.jsonl").stat().st_mtime
