"""What a screen over the live view offers, to be told when the search behind it has changed."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen


class Watching(Screen[Any]):
    """A screen that is drawn from the same state as the live view below it; told only once it is `ready`."""

    ready = False

    def search_changed(self) -> None:
        """Events, curves or plans came in; for subclasses."""
        raise NotImplementedError
