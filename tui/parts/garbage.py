"""What stays is kept out of the garbage collector's sight; what a closed view leaves behind is collected even so."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Whatever is made in here, or was before, is not looked through for garbage: not now, and not later.

    Imports and a long record make hundreds of thousands of objects that stay; each full pass over them would hold up
    keys for a tenth of a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def collect_closed() -> None:
    """Free what a closed view leaves: its widgets refer to each other in circles, and were frozen with all else."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
