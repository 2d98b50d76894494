"""Five terminals that watch one search: one is killed, one hung up, one stops reading, and the search never notices."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Fault, fake_search, same_results, told
from tests.tui_tests.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.slow
SPACE: dict[str, Any] = {"epochs": [2, 5], "hidden_units": [8, 16]}


def test_followers_come_and_go_and_the_search_ends_as_if_alone(
    surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fake_search(tmp_path / "alone", SPACE)
    list(alone.run())
    gate, marks = tmp_path / "gate", tmp_path / "marks"
    os.mkfifo(gate)
    marks.mkdir()
    for name, value in told(Fault("gate", epoch=3, times=1, marks=str(marks), path=str(gate))).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, name="a")
    search.start()
    command = [sys.executable, "-m", "tui", "attach", "a", "--sessions", str(surroundings)]
    terminals = [PseudoTerminal(command) for _ in range(5)]
    killed, hung_up, stalled, *watching = terminals
    try:
        for terminal in terminals:
            terminal.until(lambda shown=terminal: any("RUNNING" in line for line in shown.display), "the search", 60)  # type: ignore[misc]
        killed.process.send_signal(signal.SIGKILL)
        assert killed.process.wait(20) == -signal.SIGKILL
        os.close(hung_up._parent)
        # A client that nobody can see any more does not go on: it ends in order.
        assert hung_up.process.wait(20) == 0
        with gate.open("wb"):
            pass
        assert search.wait(60) == "completed"
        for terminal in watching:
            terminal.until(lambda shown=terminal: any("COMPLETED" in line for line in shown.display), "its end", 60)  # type: ignore[misc]
        assert stalled.process.poll() is None
    finally:
        for terminal in terminals:
            if terminal is not hung_up:
                terminal.close()
    assert same_results(search.cv_results_, alone.cv_results_)
    assert list((surroundings / "a" / "control").iterdir()) == []
