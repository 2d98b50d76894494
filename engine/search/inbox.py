"""Requests that wait for the loop of a search, left by other threads: taken in order, or refused once it has ended."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.session.requests import AnyRequest


class Inbox:
    """Takes requests from any thread until it is closed; `put` returns whether a request was taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[AnyRequest] = deque()
        self._is_closed = False

    def put(self, request: AnyRequest) -> bool:
        """Leave a request; False if it is closed."""
        with self._lock:
            if not self._is_closed:
                self._waiting.append(request)
            return not self._is_closed

    def take(self) -> list[AnyRequest]:
        """All that wait, in order."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    def close_if_empty(self) -> bool:
        """Take nothing in any more, unless something waits; whether it is closed."""
        with self._lock:
            self._is_closed = self._is_closed or not self._waiting
            return self._is_closed

    def close(self) -> None:
        """Take nothing in any more."""
        with self._lock:
            self._is_closed = True
