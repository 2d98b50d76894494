"""foldwatch's engine: runs hyperparameter searches of Keras text classifiers, headless.

Importing this package imports nothing heavy; the names of `__all__` are loaded when they are first used. `errors` is
the module of everything that foldwatch raises on purpose, `events` that of what a search tells while it runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine import errors
    from engine.search.search import Search
    from engine.search.sklearn.search_classes import GridSearchCV, RandomizedSearchCV
    from engine.search.sklearn.watch import watch
    from engine.session import events
    from engine.session.listing import list_sessions
    from engine.session.session import open_session
    from engine.spec.spec import SearchSpec
    from engine.training.classifier import FoldwatchClassifier

__all__ = [
    "FoldwatchClassifier",
    "GridSearchCV",
    "RandomizedSearchCV",
    "Search",
    "SearchSpec",
    "errors",
    "events",
    "list_sessions",
    "open_session",
    "watch",
]
# The one place that says it: the build reads it from here, and so does a checkout that was never installed.
__version__ = "0.2.0"

_MODULES = {"errors": "engine.errors", "events": "engine.session.events"}
_HOMES = {
    "FoldwatchClassifier": "engine.training.classifier",
    "GridSearchCV": "engine.search.sklearn.search_classes",
    "RandomizedSearchCV": "engine.search.sklearn.search_classes",
    "Search": "engine.search.search",
    "SearchSpec": "engine.spec.spec",
    "list_sessions": "engine.session.listing",
    "open_session": "engine.session.session",
    "watch": "engine.search.sklearn.watch",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
