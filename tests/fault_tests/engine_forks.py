"""Engines by the dozen: a process that has everything imported forks one for each order, so that each takes no time.

Run as a script it is that process: an order a line on standard input, events and what became of the engine as lines on
standard output. `EngineForks` is its other side.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.session.events import AnyEvent

ROOT = Path(__file__).parents[2]
WORKERS_GONE_SECONDS = 2.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@dataclass
class Ended:
    """An engine's end: what it acknowledged before, its file operations, and processes that outlived it for long."""

    status: int = 0
    acknowledged: list[AnyEvent] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    @property
    def was_killed(self) -> bool:
        """By SIGKILL."""
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL


class EngineForks:
    """Runs one engine after another; `space` and `options` are those of `fake_search`."""

    def __init__(self, space: dict[str, Any], **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, json.dumps([space, options])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._buffer = b""

    def run(
        self,
        sessions: Path,
        *,
        workers: int = 1,
        fatal: int | str | None = None,
        kill_after: tuple[int, float] | None = None,
    ) -> Ended:
        """Begin the session "a", or go on with it where it is there, to the end or to an operation that is `fatal`.

        `kill_after`: kill it so many events, and then so many seconds, after its beginning.
        """
        from engine.session.events import from_json

        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(sessions), workers, fatal]).encode() + b"\n")
        self._process.stdin.flush()
        ended = Ended()
        pid = json.loads(self._line() or b"")["pid"]
        deadline = None
        while True:
            if kill_after is not None and len(ended.acknowledged) >= kill_after[0]:
                deadline, kill_after = time.monotonic() + kill_after[1], None
            line = self._line(deadline)
            if line is None:
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself, and is about to be told
                    os.kill(pid, signal.SIGKILL)
                deadline = None
                continue
            said = json.loads(line)
            if "status" in said:
                ended.status, ended.left = said["status"], said["left"]
                return ended
            if "operation" in said:
                ended.operations.append(said["operation"])
            else:
                ended.acknowledged.append(from_json(line))

    def _line(self, deadline: float | None = None) -> bytes | None:
        """What it says next; None if that does not come in time."""
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], patience)[0]:
                return None
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            assert chunk, "the process that forks engines has ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def _adopt_orphans() -> None:
    """Become the parent of every process whose own is killed, so that none goes unseen."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    # Blocked, the signal waits to be asked for.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})


def _orphans_left() -> list[int]:
    """Those that have not ended in time; they are killed."""
    import psutil

    deadline = time.monotonic() + WORKERS_GONE_SECONDS
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return []
        if time.monotonic() > deadline:
            left = psutil.Process().children()
            for process in left:
                process.kill()
            return [process.pid for process in left]
        signal.sigtimedwait({signal.SIGCHLD}, max(0.0, deadline - time.monotonic()))


def _be_an_engine(sessions: Path, fatal: int | str | None, space: dict[str, Any], options: dict[str, Any]) -> None:
    from engine.search.search import Search
    from engine.session.events import to_json
    from tests.fakes import FAKE_WORKER, fake_search
    from tests.fault_tests.file_operations import FileOperations

    say = os.write  # before it is listened to

    def heard(operation: str) -> None:
        say(1, json.dumps({"operation": operation}).encode() + b"\n")

    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    FileOperations(sessions.parent, heard, fatal).install()
    if (sessions / "a").is_dir():
        search = Search.of_session("a", sessions=sessions, workers=options["workers"], worker_command=FAKE_WORKER)
    else:
        search = fake_search(sessions, space, name="a", **options)
    for event in search.run():
        say(1, to_json(event) + b"\n")


def main() -> None:
    """Fork an engine for every order."""
    import sklearn.model_selection  # noqa: F401 - imported here once for all

    import tests.fakes
    import tests.fault_tests.file_operations  # noqa: F401

    space, options = json.loads(sys.argv[1])
    if sys.platform == "linux":
        _adopt_orphans()
    for line in sys.stdin:
        sessions, workers, fatal = json.loads(line)
        engine_pid = os.fork()
        if not engine_pid:
            try:
                # Said by itself: its parent might come to it only after the first event.
                os.write(1, json.dumps({"pid": os.getpid()}).encode() + b"\n")
                _be_an_engine(Path(sessions), fatal, space, {**options, "workers": workers})
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(engine_pid, 0)
        left = _orphans_left() if sys.platform == "linux" else []
        os.write(1, json.dumps({"status": status, "left": left}).encode() + b"\n")


if __name__ == "__main__":
    main()
