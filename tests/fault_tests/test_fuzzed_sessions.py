"""Whatever stands in a session's folder, every command that reads it ends in an answer or in one line, soon.

A small sound session is broken in some ways at once: bits flipped, bytes cut out, lines in another order or twice with
checksums that fit, fields of events and of the record replaced, files replaced by what is none. Each test tries a fixed
number of them. A command may take five seconds of the processor, and on Linux a gigabyte of memory more than there was.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.cli.main import main
from engine.errors import SessionUnreadableError
from engine.session.listing import list_sessions
from engine.system.checked_lines import frame
from tests.broken_sessions import lines_of, sound_session, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Break = Callable[[Path], object]

pytestmark = pytest.mark.slow
fuzz = settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # making a failure smaller takes minutes: each has twenty commands
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_SECONDS = 5.0
_BYTES = 1 << 30
# An answer, a session that does not have what was asked for, and one that cannot be read.
_CODES = (0, 2, SessionUnreadableError.exit_code)
READING = [
    ["show"],
    ["show", "--json"],
    ["logs"],
    ["export", "--format", "csv"],
    ["export", "--format", "json"],
    ["export", "--to", "table.csv"],
    ["report"],
    ["report", "--json"],
    ["report", "--to", "report.html"],
    ["errors"],
    ["zoom"],
    # What is to be run again needs data that are not where these say, or is refused before.
    ["resume", "--data-dir", "/nowhere", "--workers", "1"],
    ["skip", "--combination", "0"],
    ["retry", "--combination", "0"],
]
FILES = ("search.json", "journal.1.jsonl", "folds.npy", "heartbeat", "worker.0.log", "control", "spec.toml")

extremes = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1, 2, 2**31, 2**53, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e-300, 1e308, -1e308]
    ),
    st.sampled_from(["", "a", "\x1b[31m", "\u202e", "../../x", "/dev/zero", "x" * 200_000, "\ud800", "grid"]),
    st.sampled_from([[], {}, [[]], [None], [0] * 3_000, {"a": {}}, {"": None}, ["accuracy"] * 2]),
    st.builds(lambda depth: json.loads("[" * depth + "]" * depth), st.sampled_from([5, 40, 900])),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
places = st.lists(st.integers(0, 2**20), min_size=1, max_size=6)
sizes = st.integers(0, 2**20)


def _paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value within a JSON value, itself last."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from _paths_of(child, (*path, name))
    if path:
        yield path


def _replaced(value: Any, place: int, by: Any) -> Any:
    paths = list(_paths_of(value))
    if not paths:
        return by
    *outer, last = paths[place % len(paths)]
    inside = value
    for name in outer:
        inside = inside[name]
    if by == "remove it":
        del inside[last]
    else:
        inside[last] = by
    return value


def _fields_of_an_event(line: int, place: int, by: Any) -> Break:
    def break_it(folder: Path) -> None:
        lines = _lines(folder)
        number = line % max(1, len(lines))
        with contextlib.suppress(ValueError, IndexError):  # what was broken before holds no fields
            value = _replaced(json.loads(lines[number][9:]), place, by)
            lines[number] = frame(_json(value))
            write_lines(folder, lines)

    return break_it


def _fields_of_the_record(place: int, by: Any) -> Break:
    def change(content: bytes) -> bytes:
        try:
            return _json(_replaced(json.loads(content), place, by))
        except ValueError:  # what was broken before holds no fields
            return content

    return _bytes_of("search.json", change)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _lines(folder: Path) -> list[bytes]:
    path = folder / "journal.1.jsonl"
    return lines_of(folder) if path.is_file() and path.stat().st_size <= 1 << 20 else []


def _other_order(order: list[int]) -> Break:
    """Some lines, in another order or more than once; numbered as they stand, or as they were."""

    def break_it(folder: Path) -> None:
        lines = _lines(folder)
        if not lines:
            return
        header, rest = lines[0], lines[1:] or lines
        taken = [rest[place % len(rest)] for place in order] + rest[len(order) :]
        if order[0] % 2:
            with contextlib.suppress(ValueError, IndexError, TypeError):
                taken = [frame(_json([n, json.loads(line[9:])[1]])) for n, line in enumerate(taken, start=1)]
        write_lines(folder, [header, *taken])

    return break_it


def _bytes_of(name: str, change: Callable[[bytes], bytes]) -> Break:
    def break_it(folder: Path) -> None:
        path = folder / name
        if path.is_file() and path.stat().st_size <= 1 << 20:
            path.write_bytes(change(path.read_bytes()))

    return break_it


def _flipped(content: bytes, at: list[int]) -> bytes:
    flipped = bytearray(content)
    for place in at:
        if flipped:
            flipped[place % len(flipped)] ^= 1 << place % 8
    return bytes(flipped)


def _cut(content: bytes, start: int, length: int) -> bytes:
    start %= len(content) + 1
    return content[:start] + content[start + length % 300 :]


def _no_file(name: str, kind: str) -> Break:
    def break_it(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        match kind:
            case "a FIFO":
                os.mkfifo(path)
            case "a folder":
                path.mkdir()
            case "a sparse file":
                with path.open("wb") as file:
                    file.truncate(10 << 30)
            case "a link":
                path.symlink_to("/dev/zero")
            case "empty":
                path.touch()

    return break_it


files = st.sampled_from(FILES)
breaks = st.one_of(
    st.builds(_fields_of_an_event, sizes, sizes, st.one_of(extremes, st.just("remove it"))),
    st.builds(_fields_of_an_event, sizes, sizes, extremes),
    st.builds(_fields_of_the_record, sizes, st.one_of(extremes, st.just("remove it"))),
    st.builds(_other_order, places),
    st.builds(lambda name, at: _bytes_of(name, lambda content: _flipped(content, at)), files, places),
    st.builds(lambda name, at, many: _bytes_of(name, lambda content: _cut(content, at, many)), files, sizes, sizes),
    st.builds(_no_file, files, st.sampled_from(["nothing", "a FIFO", "a folder", "a sparse file", "a link", "empty"])),
)


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """A gigabyte more than there is; only Linux says how much that is."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (there + _BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _command(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and narration of a command that ends soon; an exception fails the test."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    begun = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert time.process_time() - begun < _SECONDS, arguments
    out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()


def _contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@fuzz
@given(st.lists(breaks, min_size=1, max_size=3))
def test_whatever_stands_in_a_session(surroundings: Path, some: list[Break]) -> None:
    shutil.rmtree(surroundings, ignore_errors=True)
    for name in ("bad", "good"):
        sound_session(surroundings, name)
    for break_it in some:
        break_it(surroundings / "bad")
    before, here = _contents(surroundings), Path.cwd()
    where = ["--sessions", str(surroundings)]
    assert {one.id: one.problem for one in list_sessions(surroundings)}["good"] == ""
    for command in (["list"], ["list", "--json"]):
        code, out, err = _command(*command, *where)
        assert (code, err) == (0, "")
        assert "good" in out
    for word, *options in READING:
        code, out, err = _command(word, "bad", *options, *where)
        assert code in _CODES, (word, code, err)
        assert err.count("\n") <= 3, (word, err)
        if code:
            assert err.splitlines()[-1].startswith("foldwatch: "), (word, err)
        if code == 0 and "--json" in options:
            json.loads(out)
        for made in ("table.csv", "report.html"):
            (here / made).unlink(missing_ok=True)
        assert not list(here.iterdir()), word
        assert _contents(surroundings) == before, word
