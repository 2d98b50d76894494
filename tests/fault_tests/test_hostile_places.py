"""Paths that hold something else than a file, or that no file can have: one line in good time, and nothing touched."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main
from tests.fakes import SMALL, fake_search

if TYPE_CHECKING:
    from collections.abc import Callable

# Whatever waits here waits for ever, or eats all memory.
pytestmark = pytest.mark.timeout(100)

TOO_LONG = "n" * 300
RECORD = ["search.json", "heartbeat", "journal.1.jsonl", "curves.1.jsonl", "predictions.1.bin", "folds.npy"]


def _socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.parent)  # a socket's path is short
        listening.bind(place.name)


def _sparse(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 40)


def _link(place: Path) -> None:
    place.symlink_to("/dev/zero")


KINDS: dict[str, Callable[[Path], None]] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "socket": _socket,
    "link": _link,
}


@pytest.fixture(scope="module")
def recorded(parsed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sessions folder with a small complete session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        sessions = tmp_path_factory.mktemp("recorded") / "sessions"
        list(fake_search(sessions, {"epochs": [1, 2, 3], "hidden_units": [8, 16]}, name="good").run())
    return sessions


@pytest.fixture
def sessions(surroundings: Path, recorded: Path) -> Path:
    """It, and a copy called bad."""
    for name in ("good", "bad"):
        shutil.copytree(recorded / "good", surroundings / name)
        (surroundings / name).chmod(0o700)
    return surroundings


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    told = capsys.readouterr()
    return code, told.out, told.err


def _one_line(told: tuple[int, str, str], *codes: int) -> str:
    code, out, err = told
    assert code in codes, err
    assert out == ""
    assert err.startswith("foldwatch: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, kind) for name in RECORD for kind in KINDS), ("search.json", "sparse")]
)
def test_what_is_no_file_in_a_session_is_named_and_hides_no_other(
    sessions: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    place = sessions / "bad" / name
    place.unlink()
    {**KINDS, "sparse": _sparse}[kind](place)
    code, out, _ = _run(capsys, "list", "--sessions", str(sessions))
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("good") and "completed" in line]
    assert [line for line in out.splitlines() if line.startswith("bad") and "unreadable" in line]
    for command in ("show", "logs", "export", "report", "resume", "stop"):
        assert name in _one_line(_run(capsys, command, "bad", "--sessions", str(sessions)), 65)


def test_a_heartbeat_without_an_end_is_none(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _sparse(sessions / "bad" / "heartbeat")
    code, out, _ = _run(capsys, "list", "--sessions", str(sessions))
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["completed", "completed"]


def test_folds_that_are_larger_than_their_file_are_refused(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shape, size in (((1, 10**12), 0), ((1, 10**12), 1 << 20), ((1, 3), 1 << 40), ((1, 1 << 39), 1 << 40)):
        header = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        with (sessions / "bad" / "folds.npy").open("wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
            file.truncate(file.tell() + size)
        assert "folds.npy" in _one_line(_run(capsys, "errors", "bad", "--sessions", str(sessions)), 65)


def test_logs_that_are_no_files_are_named_and_long_ones_cut(
    sessions: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = sessions / "bad"
    os.mkfifo(folder / "worker.7.log")
    (tmp_path / "secret").write_text("of another")
    (folder / "worker.8.log").symlink_to(tmp_path / "secret")
    _sparse(folder / "worker.9.log")
    with (folder / "worker.9.log").open("ab") as file:
        file.write(b"\nthe end\n")
    code, out, _ = _run(capsys, "logs", "bad", "--sessions", str(sessions))
    assert code == 0
    assert "worker.7.log: cannot be read: is a FIFO, not a regular file" in out
    assert "worker.8.log: cannot be read: is a link" in out
    assert "of another" not in out
    assert "the end" in out


def test_a_note_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    from engine.errors import InputOutputError
    from tui.home.notes import read_note

    os.mkfifo(tmp_path / "note.txt")
    with pytest.raises(InputOutputError, match="a FIFO"):
        read_note(tmp_path)


@pytest.mark.parametrize("kind", [*KINDS, "sparse", "device", "too long", "line end"])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_spec_that_is_no_file_is_one_line(
    surroundings: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    place = Path("spec.toml")
    match kind:
        case "device":
            place = Path("/dev/zero")
        case "too long":
            place = Path(TOO_LONG)
        case "line end":
            place = Path("two\nlines")
        case "sparse":
            _sparse(place)
        case _:
            KINDS[kind](place)
    _one_line(_run(capsys, command, str(place)), 2)
    assert not surroundings.exists()


@pytest.mark.parametrize("kind", [*KINDS, "sparse"])
def test_data_that_are_no_file_are_one_line(
    surroundings: Path, capsys: pytest.CaptureFixture[str], kind: str, tmp_path: Path
) -> None:
    Path("spec.toml").write_text('dataset = "reuters"\n[space]\n')
    folder = tmp_path / "data"
    folder.mkdir()
    {**KINDS, "sparse": _sparse}[kind](folder / "reuters.npz")
    assert "reuters.npz" in _one_line(_run(capsys, "run", "spec.toml", "--data-dir", str(folder)), 2)


def test_a_word_index_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    from engine.data.words import word_names
    from engine.errors import DataError

    place = tmp_path / "reuters_word_index.json"
    os.mkfifo(place)
    assert word_names("reuters", tmp_path)(7) == "word 7"
    place.unlink()
    _sparse(place)
    with pytest.raises(DataError, match="more than the"):
        word_names("reuters", tmp_path)


@pytest.mark.parametrize(
    "name",
    [TOO_LONG, "n/" * 2500 + "n", "no/such/folder", "spec.toml/file"],
    ids=["long", "deep", "no folder", "beyond a file"],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("save", "good", "--to", "{}.keras"),
        ("report", "good", "--to", "{}.html"),
        ("zoom", "good", "--to", "{}.toml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_that_cannot_be_written_is_one_line(
    sessions: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], name: str
) -> None:
    Path("spec.toml").write_text("")
    command = [part.format(name) for part in arguments]
    _one_line(_run(capsys, *command, "--sessions", str(sessions)), 73)
    assert os.listdir() == ["spec.toml"]


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
@pytest.mark.parametrize("command", ["save", "report", "zoom"])
def test_what_is_no_file_is_not_replaced(
    sessions: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    ending = {"save": "keras", "report": "html", "zoom": "toml"}[command]
    place = Path(f"place.{ending}")
    if kind == "device":
        place.symlink_to("/dev/null")
    else:
        KINDS[kind](place)
    before = place.lstat()
    force = ["--force"] if command == "zoom" else []
    told = _run(capsys, command, "good", "--to", str(place), *force, "--sessions", str(sessions))
    assert "not a regular file" in _one_line(told, 73)
    assert os.path.samestat(before, place.lstat())


@pytest.mark.parametrize(
    "name",
    [TOO_LONG, "n/" * 2500 + "n", "two\nlines/spec.toml", "spec.toml/file"],
    ids=["long", "deep", "line end", "beyond a file"],
)
def test_folders_that_cannot_be_are_one_line(surroundings: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    Path("spec.toml").write_text('dataset = "reuters"\n[space]\n')
    Path("sample.toml").write_text(f'dataset = "sample"\nnum_words = {SMALL["num_words"]}\n[space]\nepochs = 1\n')
    for arguments in (["show", "a"], ["resume", "a"], ["export", "a"]):
        _one_line(_run(capsys, *arguments, "--sessions", name), 2, 73, 74)
    _one_line(_run(capsys, "run", "spec.toml", "--data-dir", name), 2)
    if "\n" not in name:  # that one can be made
        _one_line(_run(capsys, "run", "sample.toml", "--sessions", name), 2, 73, 74)
        _one_line(_run(capsys, "run", "sample.toml", "--sessions", name, "--name", "a"), 2, 73, 74)
        _one_line(_run(capsys, "run", "sample.toml", "--sessions", name, "--detach"), 2, 73, 74)
    for name_of_session in (TOO_LONG, "two\nlines", "../up", ""):
        _one_line(_run(capsys, "show", name_of_session, "--sessions", str(surroundings)), 2)
        _one_line(_run(capsys, "run", "sample.toml", "--name", name_of_session), 2)


def test_half_a_name_is_refused_by_the_python_interface(surroundings: Path, tmp_path: Path) -> None:
    """What no command line can pass, a script or a request can."""
    from engine.errors import CannotCreateError, DataError, UsageError
    from engine.spec.spec import SearchSpec
    from engine.training.model_path import check_model_place

    with pytest.raises(CannotCreateError):
        check_model_place(tmp_path / "nul\0.keras")
    with pytest.raises(CannotCreateError):
        check_model_place(tmp_path / "half \ud800.keras")
    with pytest.raises(UsageError, match="cannot be read"):
        SearchSpec.read(Path("nul\0"))
    with pytest.raises(DataError, match="no such file"):
        list(fake_search(surroundings, {}, dataset="reuters", data_dir="nul\0").run())
