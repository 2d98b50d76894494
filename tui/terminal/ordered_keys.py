"""An app for which any burst of keys means the same as the keys typed slowly, however they arrive.

Textual gives a key to the widget that has the focus when the key arrives. What the key before did to the focus or to
the screens may still be on its way then, several messages away; so a key waits here until nothing is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from textual import events
from textual.app import App

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.message_pump import MessagePump

_MOST_SECONDS = 1.0  # a screen that never comes to rest must not swallow keys


class OrderedKeysApp(App[None]):
    """Handles every key and paste to its end, the focus and the screens that it moves included, before the next one."""

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[events.Key | events.Paste] = deque()
        self._handed_on_at = 0.0

    async def on_event(self, event: events.Event) -> None:
        """Hold what is typed; all else goes its way."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._held.append(event)
        if len(self._held) == 1:
            self._handed_on_at = time.monotonic()
            await self._hand_on()

    async def _hand_on(self) -> None:
        """The first key that is held, if all is at rest; for the others, look again after what waits now."""
        if not self._is_busy or time.monotonic() - self._handed_on_at > _MOST_SECONDS:
            self._handed_on_at = time.monotonic()
            await super().on_event(self._held.popleft())
        if self._held:
            await asyncio.sleep(0)  # the turn of those whose messages wait
            self.call_later(self._hand_on)

    @property
    def _is_busy(self) -> bool:
        """Whether a message waits that may move the focus or a screen, or a word is being completed."""
        if any(pump.message_queue_size or pump._pending_message is not None for pump in self._pumps()):
            return True
        return any(worker.node is self.focused and not worker.is_finished for worker in self.workers)

    def _pumps(self) -> Iterator[MessagePump]:
        """The app, its screens (what a dialog answers is handled below it), and all of the one on top."""
        yield self
        yield from self.screen_stack
        yield from self.screen.walk_children()
