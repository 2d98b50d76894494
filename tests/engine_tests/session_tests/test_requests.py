"""Requests are taken once, in order, only from the session's owner and only if they are requests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import InputOutputError
from engine.session import requests as control
from engine.session.requests import Pause, Retry, Save, Skip, Stop, take_requests, write_request


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "control").mkdir()
    return tmp_path


def _left(folder: Path) -> list[str]:
    return [entry.name for entry in (folder / "control").iterdir() if not entry.name.startswith(".")]


def _leave(folder: Path, content: bytes, name: str = "1.json") -> Path:
    path = folder / "control" / name
    path.write_bytes(content)
    return path


def test_requests_are_taken_in_order_and_once(folder: Path) -> None:
    requests = [Pause(), Skip(combination=3), Retry(combination=3), Save(path="/a.keras"), Stop(at_once=True)]
    for request in requests:
        write_request(folder, request)
    assert take_requests(folder) == (requests, [])
    assert take_requests(folder) == ([], [])
    assert list((folder / "control").iterdir()) == []


def test_a_request_in_the_making_is_let_be(folder: Path) -> None:
    _leave(folder, b'{"type":"Pau', ".1.tmp")
    _leave(folder, b"notes", "README")
    assert take_requests(folder) == ([], [])
    assert len(list((folder / "control").iterdir())) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"type":"Explode"}', "Invalid value 'Explode'"),
        (b'{"type":"Pause","now":true}', "unknown field"),
        (b'{"type":"Skip","combination":"1"}', "Expected `int`"),
        (b'{"type":"Skip"}', "missing required field"),
        (b"\x80\x04cposix\nsystem\n.", "malformed"),
        (b'{"type":"Save","path":"' + b"a" * (64 << 10) + b'"}', "longer than a request"),
    ],
)
def test_what_is_no_request_is_refused_and_removed(folder: Path, content: bytes, why: str) -> None:
    _leave(folder, content)
    taken, refused = take_requests(folder)
    assert taken == []
    assert len(refused) == 1
    assert refused[0].startswith("control/1.json: ")
    assert why in refused[0]
    assert _left(folder) == []


def test_a_link_is_not_followed_and_its_target_untouched(folder: Path) -> None:
    target = folder / "secret"
    target.write_bytes(b'{"type":"Stop"}')
    (folder / "control" / "1.json").symlink_to(target)
    taken, refused = take_requests(folder)
    assert (taken, len(refused)) == ([], 1)
    assert target.read_bytes() == b'{"type":"Stop"}'
    assert take_requests(folder) == ([], [])


def test_folders_and_pipes_are_refused_once_and_leak_nothing(folder: Path) -> None:
    (folder / "control" / "1.json").mkdir()
    os.mkfifo(folder / "control" / "2.json")
    _leave(folder, b'{"type":"Pause"}', "3.json")
    before = len(os.listdir("/dev/fd"))
    taken, refused = take_requests(folder)
    assert taken == [Pause()]
    assert len(refused) == 2
    assert take_requests(folder) == ([], [])
    assert len(os.listdir("/dev/fd")) == before


def test_another_users_request_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _leave(folder, b'{"type":"Stop"}')
    mine = os.geteuid()
    if mine == 0:
        os.chown(path, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    taken, refused = take_requests(folder)
    assert taken == []
    assert "written by user" in refused[0]
    assert _left(folder) == []


def test_a_request_that_cannot_be_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match="cannot leave a request"):
        control.write_request(tmp_path / "gone", Pause())
