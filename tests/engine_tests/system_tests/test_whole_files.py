"""A file is written whole under a name that nobody can plant, or not at all; and what a kill leaves is removed."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import CannotCreateError
from engine.system.permissions import create_file
from engine.system.process_marks import new_mark
from engine.system.regular_files import NotRegularError
from engine.system.whole_files import (
    remove_leftovers,
    temporary_folder,
    temporary_path,
    write_all,
    write_for_user,
    write_whole,
)

LONGEST_NAME = 255


def _full(*arguments: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    assert path.stat().st_mode & 0o777 == 0o600
    for call in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, _full)
            with pytest.raises(OSError, match="No space"):
                write_whole(path, b"new")
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    write_whole(path, b"n", b"ew", mode=0o640)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_the_longest_name_that_a_folder_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * LONGEST_NAME)
    write_for_user(path, "content", "report")
    assert path.read_text() == "content"
    for name in ("n" * (LONGEST_NAME + 1), "nul\0", "half \ud800", "no/folder"):
        with pytest.raises(CannotCreateError, match="the report cannot be written there"):
            write_for_user(tmp_path / name, "content", "report")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_links_of_all_names_that_could_be_guessed_lead_nowhere(tmp_path: Path) -> None:
    """As many processes as a machine has by default, and names of 0.1."""
    canary = tmp_path / "canary"
    canary.write_text("alive")
    folder = tmp_path / "folder"
    folder.mkdir()
    for pid in range(1, 1 << 15):
        (folder / f".r.html.{pid}.tmp").symlink_to(canary)
    (folder / "r.html").symlink_to(canary)
    write_for_user(folder / "r.html", "content", "report")
    assert (folder / "r.html").read_text() == "content"
    assert not (folder / "r.html").is_symlink()
    assert canary.read_text() == "alive"


def test_a_name_that_somebody_guessed_all_the_same_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.system.whole_files.new_mark", lambda: "a.1.f")
    canary = tmp_path / "canary"
    canary.write_text("alive")
    for is_link in (True, False):
        planted = temporary_path(tmp_path)
        if is_link:
            planted.symlink_to(canary)
        else:
            planted.write_text("theirs")
        for mode in (None, 0o666):
            with pytest.raises(FileExistsError):
                write_whole(tmp_path / "file", b"ours", mode=mode)
        planted.unlink()
    assert canary.read_text() == "alive"


@pytest.mark.parametrize("kind", ["FIFO", "socket", "link to a device"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    with socket.socket(socket.AF_UNIX) as listening:
        match kind:
            case "FIFO":
                os.mkfifo(place)
            case "socket":
                with pytest.MonkeyPatch.context() as patch:
                    patch.chdir(tmp_path)  # a socket's path is short
                    listening.bind(place.name)
            case _:
                place.symlink_to(os.devnull)
        before = place.lstat()
        with pytest.raises(CannotCreateError, match=r"is a (FIFO|socket|device), not a regular file"):
            write_for_user(place, "content", "report")
    assert os.path.samestat(before, place.lstat())
    assert [entry.name for entry in tmp_path.iterdir()] == ["place"]


def test_a_log_is_appended_to_regular_files_only(tmp_path: Path) -> None:
    """No end waits here for the other of a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("fifo", "link"):
        with pytest.raises(OSError, match=r"No such device|Too many levels"):
            create_file(tmp_path / name, os.O_WRONLY | os.O_APPEND)
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(NotRegularError, match="a FIFO"):
        create_file(tmp_path / "fifo", os.O_WRONLY | os.O_APPEND)
    os.close(reading)
    assert not (tmp_path / "elsewhere").exists()


def test_what_the_system_takes_in_pieces_is_written_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    write_all(descriptor, b"0123456789")
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_temporary_folder_is_private_and_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in the middle"), temporary_folder(tmp_path) as folder:  # noqa: PT012
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "model.keras").write_text("half")
        message = "in the middle"
        raise ValueError(message)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from engine.system.whole_files import temporary_folder, temporary_path
temporary_path(Path(sys.argv[1])).write_text("half")
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "model.keras").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    machine = new_mark().partition(".")[0]
    stays = [f".foldwatch-{machine}.1.ff", f".a.{machine}.1.ff.tmp", "best.keras", temporary_path(tmp_path).name]
    stays.append(f".foldwatch-0123456789ab.{os.getpid()}.ff.tmp")
    for name in stays:
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(stays)
    remove_leftovers(tmp_path / "nowhere")
