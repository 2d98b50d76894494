"""Arrays in `.npy` files that somebody else may have written: nothing is unpickled or larger than its file."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from engine.system.regular_files import TooLargeError, read_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST_HEADER = 10_000


def map_array(file: BinaryIO) -> NDArray[Any]:
    """An opened file's array on the file itself, read when it is used; it stays usable when the file is closed.

    Only for files that nobody shortens meanwhile: that would end this process. Raises as `read_array` does.
    """
    shape, in_columns, kind, size = _header(file)
    if size == 0:
        return np.empty(shape, kind)  # nothing can be mapped
    mapped = np.memmap(file, kind, "r", file.tell(), shape, "F" if in_columns else "C")
    # A plain array on the same mapping, so that results computed from it are plain arrays as well.
    return np.asarray(mapped)


def read_array(file: BinaryIO, largest: int) -> NDArray[Any]:
    """An opened file's array in memory, of at most `largest` bytes.

    Raises ValueError for a file that holds no array of plain values, or more or fewer bytes than its header declares;
    OSError, TooLargeError among them.
    """
    shape, in_columns, kind, size = _header(file)
    if size > largest:
        raise TooLargeError(file.name, size, largest)
    flat = np.frombuffer(read_at(file, file.tell(), size), kind)
    return flat.reshape(shape, order="F" if in_columns else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, type, and bytes behind the header."""
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(file))
    if read_header is None:
        message = "is an array in a format of its own"
        raise ValueError(message)
    shape, in_columns, kind = read_header(file, max_header_size=_LONGEST_HEADER)
    size = os.fstat(file.fileno()).st_size - file.tell()
    if kind.hasobject or math.prod(shape) * kind.itemsize != size:
        message = f"holds {size} bytes where its header declares {kind} of {shape}"
        raise ValueError(message)
    return shape, in_columns, kind, size
