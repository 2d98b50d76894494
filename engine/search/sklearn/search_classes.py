"""scikit-learn's searches with a session of their own: the classes themselves, and one argument more."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn import model_selection

from engine.search.sklearn.watch import watch


class _Watched:
    """Runs `fit` inside a `watch` of the name that `session` gives; before a class of scikit-learn among the bases."""

    session: str | None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """As scikit-learn's; raises `errors.SearchStopped` where somebody stops the search."""
        with watch(self.session):
            return super().fit(X, y, **params)  # type: ignore[misc]


def _with_session(parent: type) -> Any:
    """A constructor as the parent's, with `session` behind its arguments, whatever they are in this version."""

    def __init__(self: Any, *arguments: Any, session: str | None = None, **keywords: Any) -> None:  # noqa: N807
        parent.__init__(self, *arguments, **keywords)  # type: ignore[misc]
        self.session = session

    signature = inspect.signature(parent)
    argument = inspect.Parameter("session", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | None)
    receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[receiver, *signature.parameters.values(), argument]
    )
    return __init__


class GridSearchCV(_Watched, model_selection.GridSearchCV):  # type: ignore[misc]
    """scikit-learn's `GridSearchCV`, whose fits run in foldwatch's workers and are recorded.

    Arguments and results are scikit-learn's, and `session`: the name of the session (None: that of the script).

    Example: `GridSearchCV(KerasClassifier(build), grid, cv=3, session="reuters-01").fit(X, y)`.
    """

    __init__ = _with_session(model_selection.GridSearchCV)


class RandomizedSearchCV(_Watched, model_selection.RandomizedSearchCV):  # type: ignore[misc]
    """scikit-learn's `RandomizedSearchCV`, whose fits run in foldwatch's workers and are recorded.

    Arguments and results are scikit-learn's, and `session`: the name of the session (None: that of the script).
    """

    __init__ = _with_session(model_selection.RandomizedSearchCV)
