"""Values of Python programs as a spec writes them: arrays and tables as lists, SciPy's distributions as tables."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from engine.errors import SpecError

_DISTRIBUTIONS = "scipy.stats.uniform, loguniform or randint"
_PLAIN = (str, int, float, datetime.date, datetime.time, type(None))  # TOML's own, dates among them


def plain(value: Any, place: str) -> Any:
    """The value as TOML or JSON would have it. Raises SpecError for an object of another kind.

    Arrays, series and indexes of NumPy and pandas are lists; a frozen distribution of SciPy is a table of `low`, `high`
    and so on, if it is one that a spec can write down.
    """
    if isinstance(value, Mapping):
        return {key: plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item, f"{place}[{i}]") for i, item in enumerate(value)]
    package = type(value).__module__.partition(".")[0]
    if package in ("numpy", "pandas") and hasattr(value, "tolist"):
        listed = value.tolist()
        return listed if isinstance(listed, _PLAIN) else plain(listed, place)
    if hasattr(value, "rvs"):
        return _distribution(value, place)
    if not isinstance(value, _PLAIN):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise SpecError(place, kind, "text, numbers, true or false, lists, tables, arrays, or a distribution")
    return value


def _distribution(value: Any, place: str) -> dict[str, Any] | int:
    """A frozen distribution as the table that draws the same numbers; the number where there is only one."""
    family = getattr(value, "dist", None)
    name = getattr(family, "name", None)
    if family is not None and type(family).__module__.startswith("scipy.stats"):
        low, high = (float(end) for end in value.support())
        if name == "uniform":
            return {"low": low, "high": high}
        if name == "randint":
            return {"low": int(low), "high": int(high), "int": True} if low < high else int(low)
        # Shifted by `loc`, it is no uniform distribution of logarithms any more.
        if name in ("loguniform", "reciprocal") and math.isclose(value.median(), math.sqrt(low * high), rel_tol=1e-9):
            return {"low": low, "high": high, "log": True}
    shown = f"scipy.stats.{name}" if isinstance(name, str) else type(value).__qualname__
    accepted = f"{_DISTRIBUTIONS} (without loc), or a table: {{ low, high, log, int }}"
    raise SpecError(place, shown, accepted)
