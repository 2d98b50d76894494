"""The one reader of `.npz` files: never runs anything from them, and never needs much more memory than they may hold.

Arrays of whole numbers are taken from their bytes; object arrays of lists of whole numbers go through
`ragged_pickle`. Anything else is refused with one line that names the file, the member and what is wrong.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.data.sources.pickle import RefusedPickleError, rows_of
from engine.data.sources.ragged import Ragged
from engine.errors import DataError, InputOutputError
from engine.system.regular_files import NotRegularError, TooLargeError, read_regular

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import NoReturn

    from numpy.typing import NDArray

# IMDB, the largest file of this kind: 18 MB on disk, members of 14 MB.
LARGEST_FILE = 128 * 2**20
LARGEST_MEMBER = 128 * 2**20
LARGEST_TOTAL = 256 * 2**20
# Text compresses tenfold at most; labels that are sorted do so more, but they are small.
LARGEST_RATIO, RATIO_MATTERS_FROM = 100, 8 * 2**20
LARGEST_RANK = 2**31 - 1_000

_MAGIC = b"\x93NUMPY"
# The header exactly as NumPy writes it for one dimension; NumPy on Python 2 put an L behind the length.
_HEADER = re.compile(
    r"\{'descr': '([<>|]?[A-Za-z]\d{0,3})', 'fortran_order': (?:True|False), 'shape': \((\d{1,12})L?,\),? ?\}\s*"
)


@dataclass(frozen=True)
class SourceFile:
    """A data file's bytes and their SHA-256, read together, so that what is parsed is what was hashed."""

    path: Path
    content: bytes
    sha256: str


def read_source(path: Path) -> SourceFile:
    """The file's bytes. Raises `DataError` if there is no such regular file or it is too large to be one of ours."""
    try:
        content = read_regular(path, LARGEST_FILE, follow_links=True)
    except TooLargeError as error:
        message = f"{path}: larger than {LARGEST_FILE // 2**20} MB, the most that is read"
        raise DataError(message) from error
    except (FileNotFoundError, NotRegularError) as error:
        message = f"{path}: no such file: {error.strerror}"
        raise DataError(message) from error
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise InputOutputError(message) from error
    return SourceFile(path, content, hashlib.sha256(content).hexdigest())


def read_npz(
    source: SourceFile, *, ragged: Collection[str], integers: Collection[str]
) -> tuple[dict[str, Ragged], dict[str, NDArray[np.int64]]]:
    """The named members: sequences of word ranks, and one-dimensional arrays of whole numbers.

    Raises `DataError` if the file is not such an archive, lacks a member, holds something else under its name, or
    would take more memory than the caps above. Other members are not read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            contents = _members(source.path, archive, {f"{name}.npy" for name in (*ragged, *integers)})
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, OSError) as error:
        _refuse(source.path, f"damaged or not a .npz file ({error})")
    except (RuntimeError, NotImplementedError) as error:
        _refuse(source.path, f"packed in a way that is not read ({error})")
    return (
        {name: _ragged(source.path, name, contents[f"{name}.npy"]) for name in ragged},
        {name: _integers(source.path, name, contents[f"{name}.npy"]) for name in integers},
    )


def _refuse(path: Path, reason: str) -> NoReturn:
    message = f"{path}: {reason}"
    raise DataError(message)


def _members(path: Path, archive: zipfile.ZipFile, wanted: set[str]) -> dict[str, bytes]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    missing = sorted(wanted - set(names))
    if missing:
        held = ", ".join(ascii(name) for name in names[:6]) or "nothing"
        _refuse(path, f"has no member {', '.join(missing)}; it holds {held}")
    if len(set(names)) != len(names):
        _refuse(path, "two members have the same name")
    infos = [info for info in infos if info.filename in wanted]
    if sum(info.file_size for info in infos) > LARGEST_TOTAL:
        _refuse(path, f"unpacks to more than {LARGEST_TOTAL // 2**20} MB, the most that is read")
    contents: dict[str, bytes] = {}
    for info in infos:
        if info.file_size > LARGEST_MEMBER:
            _refuse(path, f"{info.filename} unpacks to more than {LARGEST_MEMBER // 2**20} MB, the most that is read")
        if info.file_size > max(RATIO_MATTERS_FROM, LARGEST_RATIO * info.compress_size):
            _refuse(path, f"{info.filename} unpacks to more than {LARGEST_RATIO} times its size, as no data do")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse(path, f"{info.filename} is compressed in a way that NumPy never uses")
        # Never yields more than file_size bytes, and checks the sum at the end.
        contents[info.filename] = archive.read(info)
    return contents


def _header(path: Path, name: str, content: bytes) -> tuple[np.dtype[np.generic], int, memoryview]:
    """Type, number of rows, and what follows the header."""
    if not content.startswith(_MAGIC) or len(content) < 12:
        _refuse(path, f"{name}.npy is not a NumPy array")
    size_bytes = {1: 2, 2: 4, 3: 4}.get(content[6])
    if size_bytes is None:
        _refuse(path, f"{name}.npy is of version {content[6]} of NumPy's format, which is not read")
    begin = 8 + size_bytes
    length = int.from_bytes(content[8:begin], "little")
    if length > 10_000:
        _refuse(path, f"{name}.npy has a header longer than any array's")
    header = content[begin : begin + length].decode("latin-1")
    match = _HEADER.fullmatch(header)
    if not match:
        shown = header.strip()[:90]
        _refuse(path, f"{name}.npy is not a one-dimensional array; its header is {shown!a}")
    try:
        dtype = np.dtype(match[1])
    except TypeError:
        _refuse(path, f"{name}.npy is of an unknown type {match[1]!r}")
    return dtype, int(match[2]), memoryview(content)[begin + length :]


def _integers(path: Path, name: str, content: bytes) -> NDArray[np.int64]:
    dtype, rows, body = _header(path, name, content)
    if dtype.kind not in "iu":
        _refuse(path, f"{name}.npy holds {dtype} values, not whole numbers")
    if len(body) != rows * dtype.itemsize:
        _refuse(path, f"{name}.npy is cut short: {len(body)} bytes for {rows} values of {dtype}")
    return np.frombuffer(body, dtype).astype(np.int64)


def _ragged(path: Path, name: str, content: bytes) -> Ragged:
    dtype, rows, body = _header(path, name, content)
    if dtype.kind != "O":
        _refuse(path, f"{name}.npy holds {dtype} values, not lists of word ranks")
    try:
        lists = rows_of(body, rows)
    except RefusedPickleError as error:
        _refuse(path, f"{name}.npy is refused: {error}")
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum([len(row) for row in lists], out=indptr[1:])
    values = np.frombuffer(b"".join(lists), np.int64)
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) <= LARGEST_RANK:
        wrong = int(np.flatnonzero((values < 0) | (values > LARGEST_RANK))[0])
        row = int(np.searchsorted(indptr, wrong, side="right")) - 1
        _refuse(path, f"{name}.npy has {values[wrong]} in row {row}, which is no word rank")
    return Ragged(values, indptr)
