"""Completion by the shell: commands, their options, and the names of sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def _completed(words: str, at: int) -> list[str]:
    """What bash is offered for the word with that number of a command line."""
    environment = {**os.environ, "_FOLDWATCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tui"],
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "at", "offered"),
    [
        ("foldwatch re", 1, {"resume", "report", "retry"}),
        ("foldwatch run --de", 2, {"--devices", "--detach", "--deadline"}),
        ("foldwatch nothing-such", 1, set()),
    ],
)
def test_commands_and_options_are_completed(words: str, at: int, offered: set[str]) -> None:
    assert set(_completed(words, at)) == offered


def test_sessions_are_completed_of_the_folder_that_is_named(tmp_path: Path) -> None:
    for name in ("reuters-01", "reuters-02", "imdb-01", "no session"):
        (tmp_path / name).mkdir()
    assert set(_completed(f"foldwatch show --sessions {tmp_path} reu", 4)) == {"reuters-01", "reuters-02"}
    assert set(_completed(f"foldwatch attach --sessions {tmp_path} im", 4)) == {"imdb-01"}
    assert _completed(f"foldwatch show --sessions {tmp_path / 'imdb-01'} reu", 4) == []


def test_a_folder_that_cannot_be_listed_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _completed(f"foldwatch show --sessions {tmp_path / 'file'} a", 4) == []


def test_the_shell_gets_the_script_that_completes() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tui", "--show-completion", "bash"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "complete -o default -F _foldwatch_completion foldwatch" in done.stdout
