"""An engine lives if its process is the one that opened the segment; on another host, if its heart beat lately."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from engine.session import liveness as module
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import Heartbeat, liveness, read_heartbeat, this_process
from engine.session.segments import Owner
from tests.fakes import Clock


def _opened(folder: Path, **changes: Any) -> Owner:
    owner = msgspec.structs.replace(this_process(), **changes)
    JournalWriter(folder, owner).close()
    return owner


def _beat(folder: Path, owner: Owner, time: float, **changes: Any) -> None:
    beat = Heartbeat(
        owner=owner,
        time=time,
        segment=1,
        journal_bytes=1,
        status="running",
        fits_finished=0,
        fits_total=1,
        fits_failed=0,
        combinations=1,
        best_score=None,
        best_combination=None,
        seconds=0.0,
    )
    (folder / "heartbeat").write_bytes(msgspec.json.encode(msgspec.structs.replace(beat, **changes)))


def test_nobody_works_on_a_folder_without_segments(tmp_path: Path) -> None:
    assert not liveness(tmp_path).alive
    assert liveness(tmp_path).owner == "nobody"


def test_this_process_lives(tmp_path: Path) -> None:
    _opened(tmp_path)
    now = liveness(tmp_path)
    assert now.alive
    assert now.certain
    assert str(os.getpid()) in now.owner


@pytest.mark.parametrize(
    "changes",
    [{"process_started": 1.0}, {"pid": 2**22 + 1}],
    ids=["its pid is another's by now", "no such process"],
)
def test_a_dead_owner_is_seen_whatever_its_heartbeat_says(tmp_path: Path, changes: dict[str, Any]) -> None:
    owner = _opened(tmp_path, **changes)
    _beat(tmp_path, owner, time=1e12)
    now = liveness(tmp_path)
    assert not now.alive
    assert now.certain


@pytest.mark.parametrize(("age", "alive"), [(0.0, True), (20.0, True), (31.0, False), (-86_400.0, True)])
def test_another_hosts_owner_lives_by_its_heartbeat(tmp_path: Path, age: float, alive: bool) -> None:
    owner = _opened(tmp_path, host="elsewhere")
    clock = Clock()
    _beat(tmp_path, owner, time=clock.now - age)
    now = liveness(tmp_path, clock)
    assert now.alive == alive
    assert not now.certain
    assert not now.same_host
    assert "elsewhere" in now.owner


def test_another_hosts_owner_without_a_heartbeat_lives_by_its_segment(tmp_path: Path) -> None:
    _opened(tmp_path, host="elsewhere")
    (tmp_path / "heartbeat").write_text("rubbish")
    written = module.segment_mtime(tmp_path, 1)
    clock = Clock(written + 5)
    assert liveness(tmp_path, clock).alive
    clock.now = written + 60
    assert not liveness(tmp_path, clock).alive


def test_the_heartbeat_of_an_earlier_engine_says_nothing_of_the_present_one(tmp_path: Path) -> None:
    _beat(tmp_path, _opened(tmp_path, host="elsewhere"), time=0.0)
    _opened(tmp_path, host="elsewhere")
    clock = Clock(module.segment_mtime(tmp_path, 2) + 5)
    assert liveness(tmp_path, clock).alive
    assert liveness(tmp_path, clock).host == "elsewhere"


def test_one_that_said_it_ended_is_not_alive_though_its_process_is(tmp_path: Path) -> None:
    owner = _opened(tmp_path)
    _beat(tmp_path, owner, time=0.0, ended=True)
    assert not liveness(tmp_path).alive
    # That was an engine before the present one.
    _opened(tmp_path)
    assert liveness(tmp_path).alive


@pytest.mark.parametrize("other", [{"boot": "of another machine"}, {"namespace": "pid:[of another container]"}])
def test_a_machine_or_container_of_the_same_name_lives_by_its_heartbeat(tmp_path: Path, other: dict[str, str]) -> None:
    now = time.time()
    owner = _opened(tmp_path, **other)
    _beat(tmp_path, owner, time=now - 5)
    assert liveness(tmp_path, Clock(now)).alive
    assert not liveness(tmp_path, Clock(now)).certain
    # Silent, it is dead; and what beat before this machine's boot was this machine.
    assert not liveness(tmp_path, Clock(now + 60)).alive
    assert liveness(tmp_path, Clock(now + 60)).certain
    earlier = psutil.boot_time() - 5
    _beat(tmp_path, owner, time=earlier)
    assert not liveness(tmp_path, Clock(earlier + 6)).alive


def test_a_heartbeat_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_heartbeat(tmp_path) is None
    (tmp_path / "heartbeat").write_bytes(b"\xff")
    assert read_heartbeat(tmp_path) is None
