"""The report of a whole search from a helper process: importance and ties need libraries that the app never imports."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.analysis.trends.importance import Importance, Importances
from engine.errors import InputOutputError
from tui.parts.safe_text import clean
from tui.processes.engine_command import shown_command

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Findings:
    """Over so many complete `combinations`; `tied`: those tied with the best, itself first; None if not known.

    `dropped`: how many dropped ones, or left behind, are tied with the best or cannot be judged.
    """

    combinations: int
    importances: Importances
    tied: tuple[int, ...] | None
    dropped: int = 0


class ReportProcess:
    """`foldwatch report ID --json`, run once; `findings` waits for it, so that it belongs in a thread."""

    def __init__(self, folder: Path) -> None:
        self._arguments = ["report", folder.name, "--json", "--sessions", str(folder.parent)]
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def findings(self) -> Findings:
        """Wait for the report. Raises InputOutputError if there is none."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            if self._is_stopped:
                self.stop()
            out, err = self._process.communicate()
        except OSError as error:
            raise self._failure(str(error)) from error
        if self._process.returncode:
            lines = err.decode(errors="replace").strip().splitlines()
            raise self._failure(clean(lines[-1]) if lines else f"it ended with {self._process.returncode}")
        try:
            report = json.loads(out)
            importance = report["importance"]
            listed = [Importance(**one) for one in importance["hyperparameters"]]
            importances = Importances(importance["explained"], listed, importance["warning"])
            honest, complete = report["honest"], set(report["complete"])
            if "unavailable" in honest:
                return Findings(len(complete), importances, None)
            tied = tuple(map(int, honest["tied"]))
            dropped = len(set(tied) - complete) + honest["dropped_early"] + honest["chosen_before"]
            return Findings(len(complete), importances, tied, dropped)
        except (ValueError, KeyError, TypeError) as error:
            raise self._failure(repr(error)) from error

    def _failure(self, why: str) -> InputOutputError:
        return InputOutputError(f"{shown_command(self._arguments)}: {why}")

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._is_stopped = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
