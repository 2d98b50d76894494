"""Leaves cleanly when the terminal goes away or somebody asks by signal, whatever the terminal does meanwhile.

Without a handler SIGHUP kills the app, and with it ignored the app spins on the closed terminal. A terminal that
stopped reading blocks the loop in a write: an exit that waits for the loop alone would wait for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 1.5
_SIGNALS = (signal.SIGHUP, signal.SIGTERM)


class Leaving:
    """Calls `leave` in the running loop on SIGHUP or SIGTERM, and ends the process if that does not within a moment."""

    def __init__(self, leave: Callable[[], Any]) -> None:
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, Any] = {}
        self._is_asked = False
        # Outside a main thread (tests, textual-serve) signals are somebody else's.
        with contextlib.suppress(ValueError):
            for number in _SIGNALS:
                # Not the loop's own handlers: those wait for a loop that may be blocked in a write.
                self._before[number] = signal.signal(number, self._when_asked)

    def forget(self) -> None:
        """Put back what was there, unless the app is ending because it was asked to."""
        if not self._is_asked:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _when_asked(self, number: int, frame: object) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        last = threading.Timer(PATIENCE_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the app has left already
            self._loop.call_soon_threadsafe(self._leave)
