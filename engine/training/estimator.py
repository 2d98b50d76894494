"""Where version 0.1 had `FoldwatchClassifier`; deprecated: `from engine import FoldwatchClassifier`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.training.classifier import FoldwatchClassifier

__all__ = ["FoldwatchClassifier"]


def __getattr__(name: str) -> Any:
    """The class under its old name, which a classifier that was pickled by version 0.1 needs too."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from engine.training.classifier import FoldwatchClassifier

    message = f"{__name__}.FoldwatchClassifier is called engine.FoldwatchClassifier now"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return FoldwatchClassifier


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
