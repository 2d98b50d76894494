"""Work away from the drawing loop: in daemon threads, so that a stalled file server freezes neither screen nor exit."""

from __future__ import annotations

import threading
from collections.abc import Callable

Work = Callable[[], None]
Failed = Callable[[str], object]


def in_background(work: Work, name: str, failed: Failed) -> None:
    """Run something once; it reports by posting messages, which does not block.

    An error that `work` does not expect is an internal error: it goes to `failed`, because nobody sees a thread's own
    traceback.
    """

    def run() -> None:
        try:
            work()
        except Exception as error:
            failed(f"{name}: internal error: {error!r}")

    threading.Thread(target=run, name=name, daemon=True).start()


class Latest:
    """Runs one piece of work at a time; of the requests that come meanwhile only the newest is run after it."""

    def __init__(self, name: str, failed: Failed) -> None:
        self._name = name
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting: Work | None = None
        self._is_running = False

    def ask(self, work: Work) -> None:
        """Run this soon; returns at once."""
        with self._lock:
            self._waiting = work
            if self._is_running:
                return
            self._is_running = True
        in_background(self._run, self._name, self._failed)

    def _run(self) -> None:
        while True:
            with self._lock:
                work, self._waiting = self._waiting, None
                if work is None:
                    self._is_running = False
                    return
            try:
                work()
            except Exception as error:
                self._failed(f"{self._name}: internal error: {error!r}")
