"""Checkpoints in files: what was written is read back to the last bit, and any other file counts as none.

A file is one checksummed line of JSON, which names the training, the arrays and the checksum of their bytes, and then
those bytes as they lie in memory: nothing is packed or pickled, so that a file costs no more time than its bytes do.
"""

from __future__ import annotations

import errno
import math
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from engine.spec.early_stopping import Patience
from engine.system.checked_lines import frame, unframe
from engine.system.regular_files import open_mine
from engine.system.whole_files import write_whole
from engine.training.interface import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LARGEST_FILE = 2 << 30
ROOM = 2 << 30  # bytes that stay free for scores; without a checkpoint a training only starts again
CURVE_COLUMNS = 4
_LONGEST_HEADER = 1 << 20
_CURVE = "curve of the training"  # no trainer has an array of this name

_Kind = Literal["bool", "float32", "float64", "int32", "int64", "uint32", "uint64"]
_Size = Annotated[int, msgspec.Meta(ge=0)]


class _Array(msgspec.Struct, frozen=True, array_like=True):
    name: str
    kind: _Kind
    shape: tuple[_Size, ...]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.kind).itemsize


class _Header(msgspec.Struct, frozen=True, kw_only=True, tag="Kept"):
    key: str
    epoch: _Size
    step: _Size
    seconds: float
    patience: Patience
    checksum: int
    arrays: list[_Array]


_decode_header = msgspec.json.Decoder(_Header).decode


@dataclass(frozen=True, eq=False)
class KeptTraining:
    """A checkpoint with what the worker knew of the training: the seconds that it took, and the patience left.

    `curve` (epochs, 4) float64: of each of its epochs the loss, the validation loss, the first metric on the validation
    rows and the learning rate; NaN where a number was not finite.
    """

    checkpoint: Checkpoint
    seconds: float
    patience: Patience
    curve: NDArray[np.float64]


def write_checkpoint(path: Path, kept: KeptTraining, key: str) -> None:
    """Write a file whole, or leave the path as it was; its folder is created where it is missing.

    `key` spells out everything that decides the training except how long it is. The file need not outlast a loss of
    power: without it the training starts from the beginning.
    Raises `OSError` if it cannot be written, would leave less than `ROOM` free, or would be too large to be read.
    """
    checkpoint = kept.checkpoint
    arrays = {**checkpoint.arrays, _CURVE: np.asarray(kept.curve, np.float64)}
    parts = [_bytes_of(array) for array in arrays.values()]
    header = _Header(
        key=key,
        epoch=checkpoint.epoch,
        step=checkpoint.step,
        seconds=kept.seconds,
        patience=kept.patience,
        checksum=_checksum(parts),
        arrays=[_Array(name, str(array.dtype), array.shape) for name, array in arrays.items()],  # type: ignore[arg-type]
    )
    size = sum(part.nbytes for part in parts)
    if size > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"its {size} bytes are more than the {LARGEST_FILE} that a checkpoint may have")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if shutil.disk_usage(path.parent).free - size < ROOM:
        raise OSError(errno.ENOSPC, f"less than {ROOM >> 30} GiB would be left on the disk")
    write_whole(path, frame(msgspec.json.encode(header)), *parts, lasting=False)


def read_checkpoint(path: Path, key: str) -> KeptTraining | None:
    """Read the training that was written with this key.

    None if there is no such file, or if it cannot be read, is damaged, was not written by this code, may be another
    user's, belongs to a training with another key, or holds more than `LARGEST_FILE` bytes.
    """
    try:
        with open_mine(path) as file:
            header = _header(file.readline(_LONGEST_HEADER))
            if header is None or header.key != key:
                return None
            size = sum(array.bytes for array in header.arrays)
            body = file.read(size + 1) if size <= LARGEST_FILE else b""
    except OSError:
        return None
    if len(body) != size or _checksum([memoryview(body)]) != header.checksum:
        return None
    arrays = _arrays(header, body)
    curve = arrays.pop(_CURVE, None)
    if curve is None or curve.shape != (header.epoch, CURVE_COLUMNS):
        return None
    return KeptTraining(Checkpoint(header.epoch, arrays, header.step), header.seconds, header.patience, curve)


def _header(line: bytes) -> _Header | None:
    payload = unframe(line.rstrip(b"\n"))
    if payload is None:
        return None
    try:
        return _decode_header(payload)
    except msgspec.MsgspecError:
        return None


def _arrays(header: _Header, body: bytes) -> dict[str, NDArray[Any]]:
    arrays = {}
    begin = 0
    for array in header.arrays:
        flat: NDArray[Any] = np.frombuffer(body, array.kind, math.prod(array.shape), begin)
        arrays[array.name] = flat.reshape(array.shape)
        begin += array.bytes
    return arrays


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(parts: list[memoryview]) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum
