"""A screen over the live view that is drawn again when the search behind it has changed."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen


class Watching(Screen[Any]):
    """A screen drawn from the state of the live view below it; `search_changed` is called only once it is `ready`."""

    ready = False

    def search_changed(self) -> None:
        """Events, curves or plans came in; for subclasses."""
        raise NotImplementedError
