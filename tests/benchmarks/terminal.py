"""The app on a real pseudo-terminal: how soon it paints, how soon it answers, and what it costs to watch.

python -m tests.benchmarks.terminal [--seconds 8] [--keys 150] [--runs 5]

A session of 10,000 combinations x 5 folds is written to disk; an engine that trains nothing goes on with it at a
given pace in a process of its own; `foldwatch` runs on a terminal of 120 x 40, which pyte interprets. Times end when
the bytes arrive, with what pyte needed for those before them.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks import long_session
from tests.benchmarks.measuring import report
from tests.tui_tests.pseudo_terminal import REPOSITORY, PseudoTerminal
from tests.tui_tests.small_sessions import some_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIRST_ROW = re.compile(r"│\s+1 ★.*\d\.\d{4}")
_PROGRESS = re.compile(r"(\d+)/(\d+) ")
_SETTLE_SECONDS = 2.0
_QUIET_SECONDS = 8.0  # an idle search: nothing has come for a while
_TABLE_COLUMN = 4  # a place inside the table, by whose background the cursor is found
_HEADING = 3


def app(sessions: Path, *arguments: str) -> PseudoTerminal:
    """`foldwatch` on a terminal."""
    return PseudoTerminal([sys.executable, "-P", "-m", "tui", "--sessions", str(sessions), *arguments])


def shows(terminal: PseudoTerminal, text: str) -> bool:
    """Whether it stands anywhere on the screen."""
    return any(text in line for line in terminal.display)


def opened(sessions: Path, *arguments: str) -> PseudoTerminal:
    """The long session's live view, with its table on the screen."""
    terminal = app(sessions, "attach", long_session.IDENTIFIER, *arguments)
    terminal.until(lambda: any(_FIRST_ROW.search(line) for line in terminal.display), "a row with scores")
    return terminal


class Engine:
    """Goes on with the long session in its own process; knows when how many fits were finished."""

    def __init__(self, sessions: Path, rate: float) -> None:
        self.finished: collections.deque[tuple[int, float]] = collections.deque()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.benchmarks.long_session",
                str(sessions / long_session.IDENTIFIER),
                str(rate),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def stop(self) -> None:
        """Let it end."""
        self._process.communicate()
        self._listener.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            finished, at = line.split()
            self.finished.append((int(finished), float(at)))


@contextlib.contextmanager
def engine_at(sessions: Path, rate: float) -> Iterator[Engine]:
    """An engine at work on the long session, at so many events a second."""
    engine = Engine(sessions, rate)
    try:
        yield engine
    finally:
        engine.stop()


def spent(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def share_of_a_core(terminal: PseudoTerminal, seconds: float, seen: Any = lambda: None) -> tuple[float, float]:
    """Percent of a core, and kilobytes a second to the terminal, over a window."""
    process = psutil.Process(terminal.process.pid)
    before, bytes_before, began = spent(process), terminal.received, time.monotonic()
    terminal.watch(seconds, seen)
    took = time.monotonic() - began
    return 100 * (spent(process) - before) / took, (terminal.received - bytes_before) / took / 1000


def seconds_to_home(sessions: Path, text: str) -> float:
    """From the command to some text on the home screen."""
    with app(sessions) as terminal:
        return terminal.until(lambda: shows(terminal, text), text) - terminal.started_at


def seconds_to_open(sessions: Path) -> float:
    """From the command to the first row with its scores."""
    with opened(sessions) as terminal:
        return terminal.heard_at - terminal.started_at


def cursor_line(terminal: PseudoTerminal) -> int | None:
    """The line of the table that has a background of its own."""
    shades = [terminal.screen.buffer[y][_TABLE_COLUMN].bg for y in range(terminal.screen.lines)]
    common = collections.Counter(shades).most_common(1)[0][0]
    return next((y for y, shade in enumerate(shades) if shade != common and y > _HEADING), None)


def key_delays(terminal: PseudoTerminal, presses: int) -> list[float]:
    """Seconds from each press of j or k to the cursor on another line."""
    chance = random.Random(0)
    for _ in range(8):
        terminal.press("j")
        terminal.watch(0.1)
    delays = []
    for number in range(presses):
        key, step = ("j", 1) if number // 4 % 2 == 0 else ("k", -1)
        # At no fixed distance from the app's own repaints.
        terminal.watch(0.05 + 0.1 * chance.random())
        before = cursor_line(terminal)
        assert before is not None, "\n".join(terminal.display)
        wanted = before + step
        pressed = terminal.press(key)
        seen = terminal.until(lambda wanted=wanted: cursor_line(terminal) == wanted, f"the cursor on line {wanted}")  # type: ignore[misc]
        delays.append(seen - pressed)
    return delays


class Arrivals:
    """How long after its fit was recorded a count of finished fits stands in the header."""

    def __init__(self, terminal: PseudoTerminal, engine: Engine) -> None:
        self._terminal, self._engine = terminal, engine
        self.delays: list[float] = []

    def look(self) -> None:
        """Note every count that the header has reached."""
        found = _PROGRESS.search(self._terminal.display[0])
        shown = int(found[1]) if found else 0
        recorded = self._engine.finished
        while recorded and recorded[0][0] <= shown:
            self.delays.append(self._terminal.heard_at - recorded.popleft()[1])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def milliseconds(seconds: float) -> str:
    """Without decimals."""
    return f"{1000 * seconds:.0f} ms"


def watching(sessions: Path, rate: float, seconds: float, *arguments: str) -> tuple[float, float, list[float]]:
    """Percent of a core, kilobytes a second and delays of scores while an engine goes on."""
    with engine_at(sessions, rate) as engine, opened(sessions, *arguments) as terminal:
        arrivals = Arrivals(terminal, engine)
        terminal.watch(_SETTLE_SECONDS, arrivals.look)
        arrivals.delays.clear()
        share, kilobytes = share_of_a_core(terminal, seconds, arrivals.look)
        return share, kilobytes, arrivals.delays


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each window of watching")
    parser.add_argument("--keys", type=int, default=150)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        sessions = Path(folder) / "sessions"
        some_sessions(sessions)
        long_session.make(sessions)

        seconds_to_home(sessions, "long-01")
        painted = [seconds_to_home(sessions, "foldwatch") for _ in range(options.runs)]
        listed = [seconds_to_home(sessions, "long-01") for _ in range(options.runs)]
        rows.append(["foldwatch to first paint, warm", f"{statistics.median(painted):.2f} s", "0.6 s"])
        rows.append(["foldwatch to the list of sessions", f"{statistics.median(listed):.2f} s", ""])

        openings = [seconds_to_open(sessions) for _ in range(options.runs)]
        rows.append(["opening 10,000 x 5 to its first row", f"{statistics.median(openings):.2f} s", "1.5 s"])

        with engine_at(sessions, 200), opened(sessions) as terminal:
            terminal.watch(_SETTLE_SECONDS)
            delays = key_delays(terminal, options.keys)
            memory = psutil.Process(terminal.process.pid).memory_info().rss / 1e6
        rows.append(["key to screen, 200 events/s, median", milliseconds(statistics.median(delays)), ""])
        rows.append(["key to screen, 200 events/s, 95th percentile", milliseconds(percentile(delays, 0.95)), "60 ms"])

        share, kilobytes, arrived = watching(sessions, 50, options.seconds)
        slow_share, slow_kilobytes, _ = watching(sessions, 50, 2 * options.seconds, "--low-bandwidth")
        with engine_at(sessions, 0), opened(sessions) as terminal:
            terminal.watch(_QUIET_SECONDS)
            waiting_share, _ = share_of_a_core(terminal, options.seconds)
        with opened(sessions) as terminal:
            terminal.watch(_SETTLE_SECONDS)
            idle_share, _ = share_of_a_core(terminal, options.seconds)
        rows += [
            ["processor at 50 events/s", f"{share:.1f} %", "10 %"],
            ["processor at 50 events/s, --low-bandwidth", f"{slow_share:.1f} %", "10 %"],
            ["processor, engine at work, nothing comes", f"{waiting_share:.1f} %", "1 %"],
            ["processor, no engine", f"{idle_share:.1f} %", "1 %"],
            ["memory (RSS) after watching", f"{memory:.0f} MB", "150 MB"],
            ["to the terminal at 50 events/s", f"{kilobytes:.1f} KB/s", "10 KB/s"],
            ["to the terminal, --low-bandwidth", f"{slow_kilobytes:.1f} KB/s", "2 KB/s"],
            ["score recorded to on screen, median", milliseconds(statistics.median(arrived)), ""],
            ["score recorded to on screen, 95th percentile", milliseconds(percentile(arrived, 0.95)), "500 ms"],
        ]
    facts = {"combinations": 10_000, "folds": long_session.FOLDS, "keys": options.keys, "seconds": options.seconds}
    report("the app on a terminal of 120 x 40", ["measure", "found", "goal"], rows, facts)


if __name__ == "__main__":
    main()
