"""Importance and ties of the search, requested from a helper process in a thread; it calls back with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputOutputError
from tui.processes.background import in_background
from tui.trends.report_process import ReportProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.message_pump import MessagePump

    from engine.analysis.trends.complete import CompleteCombinations
    from tui.trends.report_process import Findings


class ReportRequest:
    """`findings` once they are there, or `refused` with the reason; `answered` is called in the thread of `screen`."""

    def __init__(self, screen: MessagePump, folder: Path, answered: Callable[[], None]) -> None:
        self.findings: Findings | None = None
        self.refused = ""
        self._screen = screen
        self._folder = folder
        self._answered = answered
        self._process: ReportProcess | None = None

    @property
    def was_sent(self) -> bool:
        """Whether a helper process was ever started."""
        return self._process is not None

    def send(self) -> None:
        """Ask, or ask anew; not while a helper process is at work."""
        if self.was_sent and self.findings is None and not self.refused:
            return
        self.findings, self.refused = None, ""
        process = self._process = ReportProcess(self._folder)

        def work() -> None:
            try:
                self._screen.call_later(self.take, process.findings())
            except InputOutputError as error:
                self._screen.call_later(self.refuse, str(error))

        in_background(work, "importance", lambda why: self._screen.call_later(self.refuse, why))

    def take(self, findings: Findings) -> None:
        """The helper process has answered."""
        self.findings = findings
        self._answered()

    def refuse(self, reason: str) -> None:
        """The helper process could not answer."""
        self.refused = reason
        self._answered()

    def tied(self, complete: int, chosen: CompleteCombinations) -> tuple[int, ...] | None:
        """The combinations tied with the best, itself first.

        None unless the findings are about the combinations that are `complete` now, and the best is among `chosen`.
        """
        findings = self.findings
        if findings is None or findings.tied is None or findings.combinations != complete:
            return None
        return findings.tied if findings.tied[0] in chosen.indices else None

    def stop(self) -> None:
        """Nobody waits for the answer any more."""
        if self._process is not None:
            self._process.stop()
