"""The fits of a script's search: calls of scikit-learn's `_fit_and_score`, each with its combination and split."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.search.sklearn.digest import UndigestibleError
from engine.search.sklearn.scores import has_known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.search.sklearn.digest import Digester

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST_VALUE = 200  # characters of a parameter's value as the session shows it
_LONGEST_LIST = 20
# Who asks, and what is only printed, decides nothing of the result.
_NOT_OF_THE_RESULT = ("caller", "callback_ctx", "verbose", "split_progress", "candidate_progress", "config")
_SHARED = ("train", "test", "scorer")
_FOR_CALLBACKS = ("caller", "callback_ctx")


@dataclass(frozen=True)
class Outcome:
    """What became of a fit: a result, or an error to raise in the script."""

    result: Any = None
    error: BaseException | None = None


@dataclass(eq=False)
class ScriptFit:
    """One call of `_fit_and_score`, as joblib hands it over.

    `nested`: the backend and the number of jobs of what the call runs in parallel itself. `deliver` gives the script
    its outcome. `combination`, `split`, `params` (as the session shows them) and `digest` are set when it joins a
    search; the digest stays empty where the fit cannot be known again.
    """

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    nested: tuple[Any, int | None]
    deliver: Callable[[ScriptFit, Outcome], None]
    combination: int = -1
    split: int = -1
    params: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    attempts: int = 0

    @property
    def call(self) -> tuple[Any, ...]:
        """What a worker is to call, and how."""
        keywords = self.keywords
        if not self._has_callbacks:
            # The context knows all the fits of the search: with each of them it would send all the others. And the
            # search object, which only callbacks see, may hold what cannot be sent, such as splits from a generator.
            keywords = {key: value for key, value in keywords.items() if key not in _FOR_CALLBACKS}
        return self.function, self.arguments, keywords, *self.nested

    @property
    def _has_callbacks(self) -> bool:
        context = self.keywords.get("callback_ctx")
        return context is not None and bool(getattr(context, "_callbacks", True))

    @property
    def caller(self) -> Any:
        """The search object that asks; None where a function of scikit-learn does."""
        return self.keywords.get("caller")

    @property
    def rows(self) -> int:
        """Rows of the data, training and validation together."""
        data = self.arguments[1]
        shape = getattr(data, "shape", None)
        return int(shape[0]) if shape else len(data)

    @property
    def raises_errors(self) -> bool:
        """Whether the script wants an error to be raised instead of a score for it."""
        return isinstance(self.keywords.get("error_score"), str)

    @property
    def shared_values(self) -> Iterator[Any]:
        """What it has in common with other fits: the function, data, rows of the split, scorer, arrays for the fit.

        Another fit parameter travels with the fit, so that it stays the object that the estimator may refer to as well.
        """
        yield self.function
        yield from self.arguments[1:]
        yield from map(self.keywords.get, (*_SHARED, "caller") if self._has_callbacks else _SHARED)
        for name in ("fit_params", "score_params"):
            yield from (value for value in (self.keywords.get(name) or {}).values() if hasattr(value, "shape"))

    def set_digest(self, digester: Digester) -> str:
        """Know it by what decides its result; why that cannot be, if so."""
        if self.keywords.get("return_estimator"):
            return "a fitted estimator is part of its result (return_estimator)"
        if not has_known_names(self.keywords["scorer"]) and self.keywords.get("return_train_score"):
            return "its scoring is a function whose scores have no known names (return_train_score)"
        try:
            deciding = {key: value for key, value in self.keywords.items() if key not in _NOT_OF_THE_RESULT}
            self.digest = digester.of(self.arguments, deciding)
        except UndigestibleError as error:
            return str(error)
        return ""


def arrange(fits: Sequence[ScriptFit], first: int) -> int:
    """Give the fits of one parallel call their combinations, from `first` on, and splits; the next free combination.

    Where scikit-learn says which candidate and which split a fit is, that counts. Elsewhere a split is known by its
    validation rows, and fits that share them are as many combinations, as in a learning curve.
    """
    split_of: dict[bytes, int] = {}
    seen: dict[int, int] = {}
    end = first
    for fit in fits:
        candidate, split = fit.keywords.get("candidate_progress"), fit.keywords.get("split_progress")
        if candidate is not None and split is not None:
            fit.combination, fit.split = first + candidate[0], split[0]
        else:
            fit.split = split_of.setdefault(_bytes_of(fit.keywords["test"]), len(split_of))
            fit.combination = first + seen.get(fit.split, 0)
            seen[fit.split] = seen.get(fit.split, 0) + 1
        fit.params = _params_of(fit)
        end = max(end, fit.combination + 1)
    return end


def unite_functions(fits: Sequence[ScriptFit]) -> None:
    """Have fits share one function where scikit-learn made a wrapper of the same settings for each of them.

    The settings hold every warning filter of the script: more to send than all the rest of a short fit.
    """
    first = fits[0].function
    for fit in fits:
        ours, theirs = getattr(first, "__dict__", {}), getattr(fit.function, "__dict__", {})
        is_alike = type(fit.function) is type(first) and ours.keys() == theirs.keys()
        if is_alike and all(theirs[name] is ours[name] for name in ours):
            fit.function = first


def _bytes_of(rows: Any) -> bytes:
    import numpy as np

    return np.ascontiguousarray(rows).tobytes()


def _params_of(fit: ScriptFit) -> dict[str, Any]:
    params = {str(name): shown_value(value) for name, value in (fit.keywords.get("parameters") or {}).items()}
    if fit.keywords.get("parameters") is None:  # a learning curve's fits differ in nothing else
        params["training_rows"] = len(fit.keywords["train"])
    elif getattr(fit.caller, "resource", None) == "n_samples":
        params["n_resources"] = len(fit.keywords["train"]) + len(fit.keywords["test"])
    return params


def shown_value(value: Any) -> Any:
    """A parameter's value as a session can hold it: a plain value as it is, any other as its short text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:_LONGEST_VALUE]
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) < 1 << 53 else str(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple) and len(value) <= _LONGEST_LIST and all(map(_is_plain, value)):
        return [shown_value(item) for item in value]
    name = getattr(value, "__qualname__", None)
    return str(name if name is not None else text_of(value))[:_LONGEST_VALUE]


def text_of(value: Any) -> str:
    """Its text in one line, without addresses in memory, which are others in each run."""
    return _ADDRESS.sub("", " ".join(repr(value).split()))


def _is_plain(value: Any) -> bool:
    return isinstance(value, numbers.Real | str)


def identity(fits: Sequence[ScriptFit]) -> str:
    """What tells one search of a script from another: its first combinations and splits."""
    import hashlib

    digest = hashlib.sha256()
    for fit in fits:
        digest.update(repr((fit.combination, fit.split, sorted(fit.params.items(), key=str))).encode())
    return digest.hexdigest()
