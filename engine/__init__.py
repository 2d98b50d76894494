"""foldwatch's engine: runs hyperparameter searches of Keras text classifiers, headless.

Importing this package imports nothing heavy; the names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.search.search import Search
    from engine.session.listing import list_sessions
    from engine.session.session import open_session
    from engine.spec.spec import SearchSpec

__all__ = ["Search", "SearchSpec", "list_sessions", "open_session"]
__version__ = "0.2.0"

_HOMES = {
    "Search": "engine.search.search",
    "SearchSpec": "engine.spec.spec",
    "list_sessions": "engine.session.listing",
    "open_session": "engine.session.session",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
