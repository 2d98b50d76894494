"""What is read of a checkpoint's file is what was written, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.spec.early_stopping import Patience
from engine.system.checked_lines import frame, unframe
from engine.training import checkpoint_file
from engine.training.checkpoint_file import read_checkpoint, write_checkpoint
from engine.training.interface import Checkpoint
from tests.fakes import kept

ARRAYS: dict[str, Any] = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "odd": np.array([np.nan, -0.0, 1e-42, np.inf], np.float32),
    "iterations": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.float32),
    "turned": np.arange(6, dtype=np.uint32).reshape(2, 3).T,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint of training "this one" after four epochs and 1.25 seconds."""
    patience = Patience(lowest=0.1 + 0.2, waited=2, stopped_at=3, score=0.75)
    write_checkpoint(tmp_path / "checkpoint", kept(Checkpoint(4, dict(ARRAYS)), 1.25, patience), "this one")
    return tmp_path / "checkpoint"


def test_comes_back_to_the_last_bit(path: Path) -> None:
    found = read_checkpoint(path, "this one")
    assert found is not None
    checkpoint = found.checkpoint
    assert (checkpoint.epoch, found.seconds) == (4, 1.25)
    assert found.patience == Patience(lowest=0.1 + 0.2, waited=2, stopped_at=3, score=0.75)
    assert list(checkpoint.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        found_array = checkpoint.arrays[name]
        assert (found_array.dtype, found_array.shape) == (array.dtype, array.shape)
        assert found_array.tobytes() == array.tobytes()
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in path.parent.iterdir()] == ["checkpoint"]


def test_is_nothing_for_another_training_or_without_a_file(path: Path, tmp_path: Path) -> None:
    assert read_checkpoint(path, "another") is None
    assert read_checkpoint(tmp_path / "none", "this one") is None
    assert read_checkpoint(tmp_path, "this one") is None
    os.mkfifo(tmp_path / "pipe")
    assert read_checkpoint(tmp_path / "pipe", "this one") is None


def test_is_nothing_when_any_byte_is_damaged_or_missing(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert read_checkpoint(path, "this one") is None, place
        path.write_bytes(whole[:place])
        assert read_checkpoint(path, "this one") is None, place
    path.write_bytes(whole + b"\0")
    assert read_checkpoint(path, "this one") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"float32"', b'"object"'),
        (b"[2,3]", b"[-2,-3]"),
        (b"[2,3]", b"[99999999999999999999,3]"),
        (b"[2,3]", b"[2147483648,3]"),
        (b"[2,3]", b"[3,3]"),
        (b'"epoch":4', b'"epoch":-4'),
        (b'"type":"Kept"', b'"type":"EpochEnded"'),
    ],
)
def test_is_nothing_when_somebody_made_it_up(path: Path, before: bytes, after: bytes) -> None:
    line, _, body = path.read_bytes().partition(b"\n")
    header = unframe(line)
    assert header is not None
    assert before in header
    path.write_bytes(frame(header) + body)
    assert read_checkpoint(path, "this one") is not None
    path.write_bytes(frame(header.replace(before, after)) + body)
    assert read_checkpoint(path, "this one") is None


def test_is_nothing_when_it_is_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "LARGEST_FILE", 63)
    assert read_checkpoint(path, "this one") is None
    path.write_bytes(b"x" * (2 << 20))
    assert read_checkpoint(path, "this one") is None


def test_is_nothing_when_others_could_have_written_it(path: Path, tmp_path: Path) -> None:
    path.chmod(0o620)
    assert read_checkpoint(path, "this one") is None
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    assert read_checkpoint(tmp_path / "link", "this one") is None
    assert read_checkpoint(path, "this one") is not None


def test_a_write_that_fails_leaves_the_one_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    path.parent.chmod(0o500)
    try:
        if os.geteuid() != 0:
            with pytest.raises(PermissionError):
                write_checkpoint(path, kept(Checkpoint(5, {})), "this one")
    finally:
        path.parent.chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "ROOM", 1 << 60)
        with pytest.raises(OSError, match="would be left on the disk"):
            write_checkpoint(path, kept(Checkpoint(5, {})), "this one")
        patch.setattr(checkpoint_file, "ROOM", 0)
        patch.setattr(checkpoint_file, "LARGEST_FILE", 63)
        with pytest.raises(OSError, match="more than the 63"):
            write_checkpoint(path, kept(Checkpoint(5, dict(ARRAYS))), "this one")
    assert path.read_bytes() == before
