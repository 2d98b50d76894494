"""Whose something is, is told by machine, boot, container, process and user; what cannot be known waits for a day."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.system import process_marks
from engine.system.process_marks import boot_id, is_abandoned, new_mark, process_started


@pytest.fixture
def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _mark(pid: int, machine: str | None = None) -> str:
    return f"{machine or new_mark().partition('.')[0]}.{pid}.ff"


def test_no_two_marks_are_alike_and_none_can_be_guessed() -> None:
    marks = {new_mark() for _ in range(1000)}
    assert len({mark.rpartition(".")[2] for mark in marks}) == 1000
    assert {mark.split(".")[1] for mark in marks} == {str(os.getpid())}
    assert boot_id() == boot_id() != ""


def test_what_a_dead_process_of_this_machine_left_is_abandoned_at_once(tmp_path: Path, ended: int) -> None:
    (place := tmp_path / "left").write_text("")
    assert is_abandoned(place, _mark(ended))
    assert not is_abandoned(place, new_mark())
    assert not is_abandoned(tmp_path / "gone", _mark(ended))


def test_what_others_left_is_abandoned_after_a_day(tmp_path: Path, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (place := tmp_path / "left").write_text("")
    here = _mark(ended)
    for name, value in (("process_namespace", "pid:[1]"), ("boot_id", "another")):
        with monkeypatch.context() as patch:
            patch.setattr(process_marks, name, lambda value=value: value)
            assert not is_abandoned(place, here)
    for mark in (_mark(ended, "0123456789ab"), "", "a", f"{here.partition('.')[0]}.x.ff"):
        assert not is_abandoned(place, mark)
    os.utime(place, (0, 0))
    assert is_abandoned(place, _mark(ended, "0123456789ab"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_what_belongs_to_another_user_is_never_ours_to_remove(tmp_path: Path, ended: int) -> None:
    (place := tmp_path / "left").write_text("")
    os.chown(place, 4711, 4711)
    os.utime(place, (0, 0))
    assert not is_abandoned(place, _mark(ended))


def test_the_start_of_a_process_tells_it_from_the_next_of_its_number() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        started = process_started(process.pid)
        assert started is not None
        assert started == process_started(process.pid)
        assert started >= (process_started(os.getpid()) or 0)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # Not waited for yet, it is a zombie, which does nothing more.
        assert process_started(process.pid) is None
    finally:
        process.kill()
        process.communicate()
    assert process_started(process.pid) is None
