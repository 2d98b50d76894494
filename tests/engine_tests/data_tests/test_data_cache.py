"""Parsed rows are kept privately, opened at once, and made again where they are damaged; races do no harm."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import data
from engine.data import cache_folder
from engine.errors import DataError, InputOutputError

if TYPE_CHECKING:
    pass

REPOSITORY = Path(__file__).parents[3]


def equal(first: data.Dataset, second: data.Dataset) -> bool:
    return first.digest == second.digest and all(
        np.array_equal(getattr(getattr(first, part), array), getattr(getattr(second, part), array))
        for part in ("training", "test")
        for array in ("indices", "indptr", "labels")
    )


def test_the_second_opening_parses_nothing(data_folder: Path, parses: list[Path]) -> None:
    first = data.load("imdb", num_words=100, data_dir=data_folder)
    second = data.load("imdb", num_words=100, data_dir=data_folder)
    assert equal(first, second)
    assert len(parses) == 1
    third = data.load("imdb", num_words=101, data_dir=data_folder)
    assert len(parses) == 2
    assert third.digest != first.digest
    assert third.folder != first.folder


def test_a_worker_maps_the_same_rows(data_folder: Path) -> None:
    loaded = data.load("imdb", num_words=100, data_dir=data_folder)
    opened = data.open_cached(loaded.folder)
    assert equal(loaded, opened)
    assert replace(opened, training=None, test=None) != opened  # type: ignore[arg-type]
    assert (opened.name, opened.label_names, opened.num_words) == ("imdb", ("negative", "positive"), 100)
    assert not opened.training.indices.flags.writeable
    assert not opened.training.indices.flags.owndata
    np.testing.assert_array_equal(opened.training.take(np.array([3, 1])).dense(), loaded.training.dense()[[3, 1]])


def test_another_file_under_the_same_name(data_folder: Path, parses: list[Path]) -> None:
    before = data.load("imdb", num_words=100, data_dir=data_folder)
    path = data_folder / "imdb.npz"
    with np.load(path, allow_pickle=True) as archive:
        members = dict(archive)
    members["y_train"] = 1 - members["y_train"]
    status = path.stat()
    np.savez(path, **members)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = data.load("imdb", num_words=100, data_dir=data_folder)
    assert len(parses) == 2
    assert before.digest != after.digest


def test_the_cache_is_private(data_folder: Path, tmp_path: Path) -> None:
    loaded = data.load("imdb", num_words=100, data_dir=data_folder)
    assert loaded.folder.parent == tmp_path / "cache" / "data"
    for folder in (loaded.folder, loaded.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(loaded.folder.iterdir())
    assert len(files) == 7
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert sorted(loaded.folder.parent.iterdir()) == [loaded.folder]


def damage_cut(folder: Path) -> None:
    path = folder / "training_indices.npy"
    path.write_bytes(path.read_bytes()[:-4])


def damage_flip(folder: Path) -> None:
    path = folder / "test_labels.npy"
    content = bytearray(path.read_bytes())
    content[-4] ^= 1
    path.write_bytes(content)


def damage_missing(folder: Path) -> None:
    (folder / "test_indptr.npy").unlink()


def damage_meta(folder: Path) -> None:
    (folder / "meta.json").write_text("{")


def damage_other_meta(folder: Path) -> None:
    (folder / "meta.json").write_text('["format"]')


def damage_version(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"format": 0}))


def damage_to_pickle(folder: Path) -> None:
    path = folder / "test_labels.npy"
    np.save(path, np.array([None, [1]], object), allow_pickle=True)
    meta = json.loads((folder / "meta.json").read_text())
    meta["arrays"][path.name]["bytes"] = path.stat().st_size
    (folder / "meta.json").write_text(json.dumps(meta))


def damage_not_a_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("a file")


DAMAGES = [
    damage_cut,
    damage_flip,
    damage_missing,
    damage_meta,
    damage_other_meta,
    damage_version,
    damage_to_pickle,
    damage_not_a_folder,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(damage: Any, data_folder: Path, parses: list[Path]) -> None:
    before = data.load("reuters", num_words=100, data_dir=data_folder)
    expected = before.digest
    dense = before.training.dense()
    damage(before.folder)
    if damage is not damage_flip:
        with pytest.raises(DataError, match=str(before.folder)):
            data.open_cached(before.folder)
    lines: list[str] = []
    after = data.load("reuters", num_words=100, data_dir=data_folder, progress=lines.append)
    assert len(parses) == 2
    assert after.digest == expected
    assert "made again" in lines[0]
    np.testing.assert_array_equal(after.training.dense(), dense)
    assert [path.name for path in after.folder.parent.iterdir()] == [after.folder.name]


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: parsed data cannot be opened"):
        data.open_cached(tmp_path / "none")


def test_processes_that_race(data_folder: Path) -> None:
    script = (
        "import sys, pathlib, engine.data as data; sys.stdin.readline();"
        "print(data.load('imdb', num_words=100, data_dir=pathlib.Path(sys.argv[1])).digest)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(data_folder)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(outputs)) == 1
    loaded = data.load("imdb", num_words=100, data_dir=data_folder)
    assert [path.name for path in loaded.folder.parent.iterdir()] == [loaded.folder.name]


def test_what_a_killed_process_left_is_removed_later(data_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache" / "data"
    old, young = root / ".foldwatch-0123456789ab.1.ff.tmp", root / ".foldwatch-0123456789ab.2.ff.tmp"
    for folder in (old, young):
        folder.mkdir(parents=True, mode=0o700)
        (folder / "x.npy").write_bytes(b"")
    root.chmod(0o700)
    day_before = time.time() - 2 * 24 * 3600
    os.utime(old, (day_before, day_before))
    data.load("imdb", num_words=100, data_dir=data_folder)
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_others_can_write_is_not_trusted(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = tmp_path / "cache" / "data"
    root.mkdir(parents=True)
    root.chmod(0o777)
    lines: list[str] = []
    loaded = data.load("imdb", num_words=100, data_dir=data_folder, progress=lines.append)
    assert loaded.folder.parent == tmp_path / f"foldwatch-{os.geteuid()}" / "data"
    assert "cannot be used" in lines[0]
    assert list(root.iterdir()) == []
    # The next process finds the same folder.
    assert data.load("imdb", num_words=100, data_dir=data_folder).folder == loaded.folder


def test_a_cache_that_cannot_be_made(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").write_text("")
    planted = tmp_path / f"foldwatch-{os.geteuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    loaded = data.load("imdb", num_words=100, data_dir=data_folder, cache_dir=tmp_path / "file")
    assert loaded.folder.parent.parent == tmp_path
    assert loaded.folder.parent.name.startswith(".foldwatch-")
    assert loaded.folder.parent.stat().st_mode & 0o777 == 0o700
    assert cache_folder.private_folder(tmp_path / "file") == loaded.folder.parent  # one for the whole process
    assert list(planted.iterdir()) == []


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)", "os.fork() or os.kill(os.getpid(), 15)"])
def test_what_is_kept_where_no_cache_can_be_made_goes_with_its_process(tmp_path: Path, end: str) -> None:
    """A killed one's goes with the next process."""
    temporary = tmp_path / "temporary"
    planted = temporary / f"foldwatch-{os.geteuid()}"
    planted.mkdir(parents=True)
    planted.chmod(0o777)
    code = f"""
import os, signal, sys
from engine import data
from engine.data.cache_folder import private_folder
dataset = data.load("sample", num_words=100)
print(len(os.listdir(private_folder(None))), len(os.listdir(os.environ["TMPDIR"])))
sys.stdout.flush()
{end}
"""
    environment = {**os.environ, "HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "TMPDIR": str(temporary)}
    environment.pop("FOLDWATCH_CACHE", None)
    for last in (code, code.replace(end, "") if end else code):
        done = subprocess.run(
            [sys.executable, "-c", last], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.stdout.splitlines()[0] == "1 2", done.stderr
    assert os.listdir(temporary) == [planted.name]


def test_a_cache_through_a_link_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "data").symlink_to(tmp_path / "elsewhere")
    assert cache_folder.private_folder(None) != tmp_path / "cache" / "data"


def test_a_full_disk(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(InputOutputError, match=r"cannot be written: No space left on device") as caught:
        data.load("imdb", num_words=100, data_dir=data_folder)
    assert caught.value.exit_code == 74
    assert list(cache_folder.private_folder(None).iterdir()) == []
