"""What commands print where the encoding has no symbols, the terminal is dumb, or a stream is closed or full."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.formatting.characters import plain_cells
from engine.session.events import FitFailed
from engine.session.follower import replay
from engine.session.session import open_session
from tests.tui_tests.pseudo_terminal import PseudoTerminal
from tests.tui_tests.scripted_search import Script
from tests.tui_tests.small_sessions import make_session
from tui.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).parents[3]
SPEC = 'dataset = "sample"\nsubsample = 200\n[space]\nepochs = [1, 2]\nhidden_units = [8, 16]\n'
READERS = (
    ["report", "half"],
    ["show", "half"],
    ["list"],
    ["logs", "half"],
    ["export", "half"],
    ["report", "half", "--format", "html"],
    ["plan", "spec.toml"],
)


@pytest.fixture
def sessions(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a session that has everything: failed and diverged fits, letters of other scripts in an error."""
    events = [
        msgspec.structs.replace(event, error="zu groß: 数") if isinstance(event, FitFailed) else event
        for event in Script().half_way()
    ]
    make_session(surroundings, "half", events)
    Path("spec.toml").write_text(SPEC)
    monkeypatch.setenv("FOLDWATCH_SESSIONS", str(surroundings))
    return surroundings


def _done(arguments: Sequence[str], encoding: str) -> tuple[int, bytes, bytes]:
    """Run a command with streams of an encoding, as PYTHONIOENCODING makes them; code, output, narration."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", io.TextIOWrapper(out, encoding, "strict"))
        patch.setattr("sys.stderr", io.TextIOWrapper(err, encoding, "backslashreplace"))
        code = main(list(arguments))
        return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_command_fits_the_encoding(arguments: list[str], encoding: str, sessions: Path) -> None:
    code, out, err = _done(arguments, "utf-8")
    fitting_code, fitting_out, fitting_err = _done(arguments, encoding)
    assert fitting_code == code
    if "export" in arguments or "html" in arguments:
        assert fitting_out == out  # data are the same everywhere
        return
    text = fitting_out.decode(encoding) + fitting_err.decode(encoding)
    # Letters that the encoding lacks are shown by their numbers, symbols never.
    assert r"\u" not in text.replace(r"\u6570", "")
    assert len(text.splitlines()) == len((out + err).decode().splitlines())


@pytest.mark.parametrize("by", ["option", "option before", "environment"])
def test_plain_characters_can_be_asked_for(by: str, sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _done(["report", "half"], "utf-8")[1].isascii()
    if by == "environment":
        monkeypatch.setenv("FOLDWATCH_PLAIN", "1")
    words = {"option": ["report", "half", "--plain"], "option before": ["--plain", "report", "half"]}
    code, out, _ = _done(words.get(by, ["report", "half"]), "utf-8")
    assert code == 0
    assert out.decode().translate(str.maketrans("", "", "öß数")).isascii()
    monkeypatch.delenv("FOLDWATCH_PLAIN", raising=False)
    assert not _done(["report", "half"], "utf-8")[1].isascii()  # what was asked for once does not last


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_process_with_such_streams_ends_well(encoding: str, sessions: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-P", "-m", "tui", "show", "half", "--sessions", str(sessions)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" +-." in done.stdout or b" +-0." in done.stdout


def test_plain_cells_stand_where_the_others_did() -> None:
    drawn = "┌─┐│ ━━╸── ⠁⠒⡀⣿⠸ ▁▃█ ▲▼★ 0.5 ± .1 · x…"
    plain = plain_cells(drawn)
    assert plain.isascii()
    assert len(plain) == len(drawn)
    assert plain.startswith("+-+| ===-- ")
    assert "0.5 +-.1" in plain


def test_a_dumb_terminal_gets_plain_lines(sessions: Path) -> None:
    command = [sys.executable, "-P", "tests/fake_command.py", "run", str(Path("spec.toml").absolute())]
    environment = {"TERM": "dumb", "PYTHONPATH": str(REPOSITORY)}
    with PseudoTerminal(command, columns=100, environment=environment) as terminal:
        assert terminal.wait() == 0
        assert b"\x1b" not in terminal.tail
        assert b"\r\x1b" not in terminal.tail
        assert b"search completed" in terminal.tail


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_are_no_reason_not_to_run(closed: tuple[int, ...], sessions: Path) -> None:
    command = [sys.executable, "-P", str(REPOSITORY / "tests" / "fake_command.py"), "run", "spec.toml", "--name", "a"]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=False,
        preexec_fn=functools.partial(_close, closed),
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    if 1 not in closed:
        assert done.stdout.startswith(b"rank")
    # Nothing that was meant for a closed stream has gone into a file that took its number.
    follower = open_session("a", sessions).follow()
    assert replay(follower).status == "completed"
    assert follower.damages == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("asked", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_that_cannot_be_written_ends_in_a_line(stream: str, asked: list[str], sessions: Path) -> None:
    command = [sys.executable, "-P", str(REPOSITORY / "tests" / "fake_command.py"), "run", "spec.toml", *asked]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            check=False,
            stdout=full if stream == "stdout" else subprocess.PIPE,
            stderr=full if stream == "stderr" else subprocess.PIPE,
        )
    assert b"Traceback" not in (done.stderr or b"")
    if stream == "stdout":
        assert done.returncode == 74
        assert b"standard output cannot be written: No space left on device\n" in done.stderr
    else:
        assert done.returncode == 0
