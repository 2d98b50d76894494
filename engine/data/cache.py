"""Parsed datasets on disk: written whole under a temporary name and renamed, checked when opened, never half there."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from engine.data.dataset import Dataset
from engine.data.rows import Rows
from engine.errors import TOO_MANY_OPEN, DataError, InputOutputError, cannot_work
from engine.system.array_files import map_array
from engine.system.regular_files import open_mine, read_within
from engine.system.whole_files import remove_leftovers, temporary_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Raise with every change of what the files mean; older entries are then never looked at again.
FORMAT_VERSION = 1
META = "meta.json"
_PARTS = ("training", "test")
_ARRAYS: dict[str, np.dtype[Any]] = {
    "indices": np.dtype(np.int32),
    "indptr": np.dtype(np.int64),
    "labels": np.dtype(np.int32),
}
_LARGEST_META = 1 << 20
_PIECE_BYTES = 1 << 20


def entry_folder(root: Path, name: str, source_sha256: str, num_words: int) -> Path:
    """The folder under `root` for rows made from that source with those parameters."""
    key = hashlib.sha256(f"{FORMAT_VERSION} {name} {source_sha256} {num_words}\n".encode()).hexdigest()
    return root / f"{name}-{num_words}-{key[:24]}"


def store(
    folder: Path,
    build: Callable[[], tuple[Rows, Rows]],
    *,
    name: str,
    label_names: tuple[str, ...],
    num_words: int,
    source_sha256: str,
    synthetic: bool,
) -> Dataset:
    """Build the rows, write them to `folder`, and open them from there.

    Where another process has just written the same, its folder is taken. Raises `InputOutputError` if the disk
    does not take them, and whatever `build` raises.
    """
    parts = dict(zip(_PARTS, build(), strict=True))
    meta: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "name": name,
        "label_names": label_names,
        "num_words": num_words,
        "source_sha256": source_sha256,
        "synthetic": synthetic,
        "digest": hashlib.sha256(b"".join(rows.digest() for rows in parts.values())).hexdigest(),
        "arrays": {},
    }
    try:
        remove_leftovers(folder.parent)
        with temporary_folder(folder.parent) as building:
            for part, rows in parts.items():
                for array in _ARRAYS:
                    path = building / f"{part}_{array}.npy"
                    meta["arrays"][path.name] = _write_array(path, getattr(rows, array))
            write_whole(building / META, json.dumps(meta, indent=1).encode(), mode=0o600)
            _put_in_place(building, folder)
    except OSError as error:
        message = f"{folder}: parsed data cannot be written: {error.strerror or error}"
        raise InputOutputError(message) from error
    return open_cached(folder)


def open_cached(folder: Path, *, thorough: bool = False) -> Dataset:
    """Map the rows in `folder` into memory: nothing is parsed, and read only when used.

    Sizes and types are compared with what was recorded; `thorough` compares checksums as well. Raises `DataError`
    if the folder is not there, not complete, or differs; `InputOutputError` where too many files are open.
    """
    try:
        with open_mine(folder / META) as file:
            meta = json.loads(read_within(file, _LARGEST_META))
        if meta["format"] != FORMAT_VERSION:
            message = f"{folder}: parsed data of another version ({meta['format']})"
            raise DataError(message)
        parts = []
        for part in _PARTS:
            arrays = {
                array: _map_array(folder / f"{part}_{array}.npy", dtype, meta["arrays"], thorough=thorough)
                for array, dtype in _ARRAYS.items()
            }
            rows = Rows(**arrays, width=int(meta["num_words"]), classes=len(meta["label_names"]))
            if len(rows.indptr) != len(rows.labels) + 1 or int(rows.indptr[-1]) != len(rows.indices):
                message = f"{folder}: parsed data do not fit together"
                raise DataError(message)
            parts.append(rows)
        return Dataset(
            name=str(meta["name"]),
            training=parts[0],
            test=parts[1],
            label_names=tuple(meta["label_names"]),
            num_words=int(meta["num_words"]),
            source_sha256=str(meta["source_sha256"]),
            digest=str(meta["digest"]),
            synthetic=bool(meta["synthetic"]),
            folder=folder,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, OSError) and error.errno in TOO_MANY_OPEN:
            raise cannot_work(folder, error) from error  # nothing is wrong with the data
        message = f"{folder}: parsed data cannot be opened: {error}"
        raise DataError(message) from error


def _write_array(path: Path, array: NDArray[Any]) -> dict[str, int]:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    write_whole(path, content.getbuffer(), mode=0o600)
    return {"bytes": len(content.getbuffer()), "crc32": zlib.crc32(content.getbuffer())}


def _map_array(
    path: Path, dtype: np.dtype[Any], recorded: dict[str, dict[str, int]], *, thorough: bool
) -> NDArray[Any]:
    expected = recorded[path.name]
    with open_mine(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != expected["bytes"]:
            message = f"{path}: {size} bytes, not {expected['bytes']}"
            raise DataError(message)
        if thorough and _checksum(file) != expected["crc32"]:
            message = f"{path}: its checksum differs from the recorded one"
            raise DataError(message)
        mapped = map_array(file)
    if mapped.dtype != dtype or mapped.ndim != 1:
        message = f"{path}: {mapped.ndim} dimensions of {mapped.dtype}, not one of {dtype}"
        raise DataError(message)
    return mapped


def _checksum(file: BinaryIO) -> int:
    checksum = 0
    while piece := file.read(_PIECE_BYTES):
        checksum = zlib.crc32(piece, checksum)
    file.seek(0)
    return checksum


def _put_in_place(building: Path, folder: Path) -> None:
    try:
        building.rename(folder)
    except OSError:
        if _is_sound(folder):
            return
        # What lies there is damaged: move it aside (whoever has it mapped keeps it) and try once more.
        with temporary_folder(folder.parent) as aside, contextlib.suppress(FileNotFoundError):
            folder.rename(aside / "damaged")
        try:
            building.rename(folder)
        except OSError:
            # Another process did the same in between.
            if not _is_sound(folder):
                raise


def _is_sound(folder: Path) -> bool:
    try:
        open_cached(folder, thorough=True)
    except DataError:
        return False
    return True
