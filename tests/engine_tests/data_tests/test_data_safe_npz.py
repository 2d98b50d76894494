"""Files that are damaged, hostile or something else are refused in one line, and nothing in them is run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import resource
import struct
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.data.sources.npz import read_npz, read_source
from engine.errors import DataError, InputOutputError
from tests.marks import first_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.data.sources.ragged import Ragged

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNK\x00K\x00K?tb"


def pickled(rows: bytes, count: int = 1) -> bytes:
    """The pickle of an object array as Python 2 wrote it, with `rows` as the instructions of its list."""
    array = RECONSTRUCT + b"(cnumpy\nndarray\n(K\x00tU\x01btR"
    return b"\x80\x02" + array + b"(K\x01(K" + bytes([count]) + b"t" + DTYPE + b"\x89" + rows + b"tb."


def npy(body: bytes, descr: str = "|O", shape: str = "(1,)") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("latin-1") + body


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read(path: Path) -> tuple[Ragged, np.ndarray[Any, Any]]:
    ragged, integers = read_npz(read_source(path), ragged=("x",), integers=("y",))
    return ragged["x"], integers["y"]


def objects(*rows: Any) -> np.ndarray[Any, Any]:
    array = np.empty(len(rows), object)
    for position, row in enumerate(rows):
        array[position] = row
    return array


LABEL = npy(b"\x03" + b"\x00" * 7, "<i8")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_rows_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    rows = [[1, 255, 256, 65_535, 65_536, 2**31 - 1_000], [], list(range(5000)), [7]]
    body = pickle.dumps(objects(*rows), protocol=protocol)
    path = zipped(tmp_path / "a.npz", {"x.npy": npy(body, shape="(4,)"), "y.npy": LABEL})
    ragged, labels = read(path)
    assert ragged.to_lists() == rows
    assert labels.tolist() == [3]


def test_layout_of_python_2(tmp_path: Path) -> None:
    content = pickled(b"]q\x01(]q\x02(K\x05M\x01\x02J\x00\x00\x01\x00e]q\x03K\x09ae", 2)
    path = zipped(tmp_path / "a.npz", {"x.npy": npy(content, shape="(2L,)"), "y.npy": LABEL})
    assert read(path)[0].to_lists() == [[5, 513, 65_536], [9]]


def test_what_numpy_saves(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=objects([1, 2], [3]), y=np.array([0, 1], np.uint8), other=np.zeros((3, 3)))
    ragged, labels = read(tmp_path / "a.npz")
    assert ragged.to_lists() == [[1, 2], [3]]
    assert labels.tolist() == [0, 1]


class Gadget:
    """Runs a command when an ordinary unpickler meets it."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"echo run > {self.canary}",)


@pytest.mark.parametrize("place", ["row", "inside a row", "instead of the array"])
def test_a_pickle_that_would_run_code(tmp_path: Path, place: str) -> None:
    canary = tmp_path / "canary"
    gadget = Gadget(canary)
    value: Any = {"row": objects(gadget), "inside a row": objects([1, gadget])}.get(place, gadget)
    path = zipped(tmp_path / "a.npz", {"x.npy": npy(pickle.dumps(value)), "y.npy": LABEL})
    with pytest.raises(
        DataError, match=r"a\.npz: x\.npy is refused: .*'(posix|nt)\.system'; nothing was run"
    ) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert not canary.exists()
    # The trap is real: an ordinary unpickler springs it.
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("x.npy")[-len(pickle.dumps(value)) :])  # noqa: S301
    assert canary.exists()


GLOBALS = {
    b"cbuiltins\neval\n": "builtins.eval",
    b"cnumpy\nload\n": "numpy.load",
    b"cnumpy.core.multiarray\nscalar\n": "numpy.core.multiarray.scalar",
    b"\x8c\x05numpy\x8c\x0endarray.tofile\x93": "numpy.ndarray.tofile",
    b"cnumpy._core.multiarray\nfromfile\n": "numpy._core.multiarray.fromfile",
}


@pytest.mark.parametrize(("instructions", "name"), GLOBALS.items(), ids=GLOBALS.values())
def test_names_beyond_the_allow_list(tmp_path: Path, instructions: bytes, name: str) -> None:
    content = npy(pickled(b"](" + instructions + b"e"))
    with pytest.raises(DataError, match=name):
        read(zipped(tmp_path / "a.npz", {"x.npy": content, "y.npy": LABEL}))


JUNK: dict[str, tuple[bytes, str]] = {
    "a row of fractions": (pickle.dumps(objects([1.5, 2.5])), "it holds a fraction"),
    "a row of text": (pickle.dumps(objects(["a"])), "it holds 'a'"),
    "a row of flags": (pickle.dumps(objects([True])), "it holds True"),
    "a row of lists": (pickle.dumps(objects([[1], [2]])), "row 0 is a list of other things"),
    "lists after numbers": (pickled(b"](](K\x01](K\x02eee"), "it holds a list"),
    "numbers after lists": (pickled(b"](](](K\x02eK\x01ee"), "row 0 is a list of other things"),
    "a row that is a number": (pickle.dumps(objects(5)), "rows are single numbers"),
    "a row that is text": (pickle.dumps(objects("words")), "it holds 'words' where"),
    "a row that is None": (pickle.dumps(objects(None)), "it holds None where"),
    "a row that is a tuple": (pickle.dumps(objects((1, 2))), "it holds a tuple where"),
    "a row that is an array": (pickle.dumps(objects(np.arange(3))), "is refused"),
    "a row that is a dictionary": (pickle.dumps(objects({1: 2})), "instruction"),
    "no array": (pickle.dumps([[1], [2]]), "holds a list, not an object array"),
    "more rows than the header says": (pickle.dumps(objects([1], [2])), "header says 1 rows, its pickle holds 2"),
    "negative rank": (pickle.dumps(objects([4, -1])), "has -1 in row 0"),
    "rank beyond 32 bits": (pickle.dumps(objects([2**33])), "has 8589934592 in row 0"),
    "rank beyond 64 bits": (pickle.dumps(objects([2**70])), "larger than any word rank"),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", "one list stands in two places"),
    "one list twice": (pickled(b"](]q\x05(K\x01eh\x05e", 2), "one list stands in two places"),
    "empty": (b"", "damaged or cut short"),
    "only a stop": (b".", "damaged or cut short"),
    "a mark that is not there": (b"\x80\x02]e.", "damaged or cut short"),
    "recalls what was not remembered": (b"\x80\x02h\x07.", "damaged or cut short"),
    "a length beyond the end": (b"\x80\x04\x8a\xff\x01.", "damaged or cut short"),
    "long text": (b"\x80\x04X\xff\xff\xff\x7fabc.", "long text"),
    "a name without an end": (b"cnumpy", "damaged or cut short"),
    "a name that is no text": (b"c\xff\n\xfe\n.", "damaged or cut short"),
    "calls a number": (b"\x80\x02K\x01)R.", "calls a number"),
    "calls a class": (b"\x80\x02cnumpy\nndarray\n)R.", "calls numpy.ndarray"),
    "state of a list": (b"\x80\x02]K\x01b.", "sets the state of a list"),
    "an extension": (b"\x80\x02\x82\x01.", "instruction"),
    "a persistent object": (b"\x80\x02K\x01Q.", "instruction"),
    "an object built the old way": (b"(ios\nsystem\n.", "instruction"),
    "items into a name": (b"\x80\x02cnumpy\nndarray\n(K\x01e.", "puts items into numpy.ndarray"),
    "a strange state": (b"\x80\x02" + RECONSTRUCT + b")R)b.", "a state that an object array never has"),
}


@pytest.mark.parametrize(("body", "message"), JUNK.values(), ids=JUNK)
def test_pickles_of_other_things(tmp_path: Path, body: bytes, message: str) -> None:
    path = zipped(tmp_path / "a.npz", {"x.npy": npy(body), "y.npy": LABEL})
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: x.npy")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


GOOD = npy(pickle.dumps(objects([1, 2, 3])))
MEMBERS: dict[str, tuple[dict[str, bytes], str]] = {
    "labels are missing": ({"x.npy": GOOD}, "has no member y.npy; it holds 'x.npy'"),
    "both are missing": ({}, "has no member x.npy, y.npy; it holds nothing"),
    "other names": ({"X.npy": GOOD, "labels\n.npy": LABEL}, "it holds 'X.npy', 'labels\\n.npy'"),
    "labels are fractions": ({"x.npy": GOOD, "y.npy": npy(b"\x00" * 8, "<f8")}, "y.npy holds float64 values"),
    "labels are objects": ({"x.npy": GOOD, "y.npy": GOOD}, "y.npy holds object values"),
    "labels are cut short": ({"x.npy": GOOD, "y.npy": npy(b"\x00" * 7, "<i8")}, "y.npy is cut short: 7 bytes"),
    "labels claim to be many": ({"x.npy": GOOD, "y.npy": npy(b"", "<i8", "(99999999999,)")}, "cut short: 0 bytes"),
    "labels are a matrix": ({"x.npy": GOOD, "y.npy": npy(b"\x00" * 8, "<i8", "(1, 1)")}, "not a one-dimensional"),
    "labels are a record": (
        {"x.npy": GOOD, "y.npy": npy(b"").replace(b"'|O'", b"[('a', '<i8')]")},
        "not a one-dimensional array",
    ),
    "an unknown type": ({"x.npy": GOOD, "y.npy": npy(b"", "<q99")}, "y.npy is of an unknown type '<q99'"),
    "a header with code": ({"x.npy": GOOD, "y.npy": npy(b"", shape="__import__('os')")}, "not a one-dimensional"),
    "rows are numbers": ({"x.npy": LABEL, "y.npy": LABEL}, "x.npy holds int64 values, not lists"),
    "rows are a dense matrix": ({"x.npy": npy(b"\x00" * 8, "<f4", "(1, 2)"), "y.npy": LABEL}, "one-dimensional"),
    "no array at all": ({"x.npy": b"hello, world, hello", "y.npy": LABEL}, "x.npy is not a NumPy array"),
    "an empty member": ({"x.npy": b"", "y.npy": LABEL}, "x.npy is not a NumPy array"),
    "a version to come": ({"x.npy": b"\x93NUMPY\x09\x00" + b" " * 20, "y.npy": LABEL}, "version 9"),
    "an endless header": ({"x.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "y.npy": LABEL}, "longer than any"),
    "more rows in the header": ({"x.npy": GOOD.replace(b"(1,)", b"(9,)"), "y.npy": LABEL}, "header says 9 rows"),
}


@pytest.mark.parametrize(("members", "message"), MEMBERS.values(), ids=MEMBERS)
def test_archives_of_other_things(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = zipped(tmp_path / "a.npz", members)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.npz", {"x.npy": GOOD, "y.npy": LABEL}).read_bytes()
    path = tmp_path / "a.npz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.npz: damaged or not a \.npz file"):
            read(path)


@pytest.mark.slow
def test_every_truncated_pickle_is_refused(tmp_path: Path) -> None:
    body = pickle.dumps(objects([1, 300, 70_000], [5] * 2000))
    for length in range(len(body)):
        content = {"x.npy": npy(body[:length], shape="(2,)"), "y.npy": LABEL}
        with pytest.raises(DataError, match=r"x\.npy is refused"):
            read(zipped(tmp_path / "a.npz", content, zipfile.ZIP_STORED))


def test_no_changed_byte_does_more_than_change_numbers(tmp_path: Path) -> None:
    body = pickle.dumps(objects([1, 300, 70_000], [5, 6]))
    chance = np.random.default_rng(0)
    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= int(chance.integers(1, 256))
        content = {"x.npy": npy(bytes(changed), shape="(2,)"), "y.npy": LABEL}
        path = zipped(tmp_path / "a.npz", content, zipfile.ZIP_STORED)
        with contextlib.suppress(DataError):
            assert len(read(path)[0]) == 2


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all" * 100, b"\x93NUMPY\x01\x00"])
def test_not_an_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: damaged or not a \.npz file"):
        read(path)


def test_a_damaged_byte_is_found(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", {"x.npy": GOOD, "y.npy": LABEL}, zipfile.ZIP_STORED)
    content = path.read_bytes().replace(b"K\x02K\x03", b"K\x02K\x04")
    path.write_bytes(content)
    with pytest.raises(DataError, match="Bad CRC-32"):
        read(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_source(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", {})
    path.chmod(0)
    with pytest.raises(InputOutputError, match=r"a\.npz: cannot be read"):
        read_source(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_never_uses(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "a.npz", {"x.npy": GOOD, "y.npy": LABEL}, method)
    with pytest.raises(DataError, match="compressed in a way that NumPy never uses"):
        read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x.npy", "y.npy", "x.npy"):
            archive.writestr(name, GOOD)
    with pytest.raises(DataError, match="two members have the same name"):
        read(path)


BOMBS: dict[str, tuple[bytes, str]] = {
    "zeros": (b"\x00" * (40 * 2**20), "times its size, as no data do"),
    "a member beyond the cap": (b"\x00" * (129 * 2**20), "more than 128 MB"),
    "a memo of thirty gigabytes": (npy(b"\x80\x02]r\xff\xff\xff\x7f."), "holds a list, not an object array"),
    "a million empty lists": (npy(pickled(b"](" + b"]" * 1_200_000 + b"e")), "more instructions than"),
    "one row without end": (npy(pickled(b"](](" + b"K\x05" * 3_000_000 + b"ee")), "more memory than"),
    "doubling": (npy(b"\x80\x02)" + b"q\x00h\x00\x86" * 400_000 + b"."), "more instructions than"),
}


@pytest.mark.parametrize(("content", "message"), first_of(BOMBS.values(), 3), ids=BOMBS)
def test_bombs(tmp_path: Path, content: bytes, message: str) -> None:
    chance = np.random.default_rng(0).bytes(len(content) // 50)
    # Random bytes behind the end keep the pickles' ratio ordinary; they are never reached.
    padded = content if content[:1] == b"\x00" else content + chance
    path = zipped(tmp_path / "a.npz", {"x.npy": padded, "y.npy": LABEL})
    source = read_source(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=message):
        read_npz(source, ragged=("x",), integers=("y",))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 700 * 2**20


def test_a_size_that_lies(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "whole.npz", {"x.npy": b"\x00" * 2**20, "y.npy": LABEL}).read_bytes())
    # The uncompressed size in the central directory says 200 bytes.
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 200)
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(path)


def test_an_encrypted_member(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "whole.npz", {"x.npy": GOOD, "y.npy": LABEL}).read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(signature) + offset] |= 1
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="packed in a way that is not read"):
        read(path)


def test_the_same_as_numpy_reads(real_data: Path) -> None:
    with np.load(io.BytesIO((real_data / "reuters.npz").read_bytes()), allow_pickle=True) as archive:
        ragged, labels = read(real_data / "reuters.npz")
        assert ragged.to_lists() == archive["x"].tolist()
        assert labels.tolist() == archive["y"].tolist()
