"""Making very many objects at once without looking through all of them for garbage, over and over."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Inside, nothing is looked through for garbage: for work that makes objects that are kept.

    Where two threads are inside, the first to leave ends it for both, which costs time and nothing else.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
