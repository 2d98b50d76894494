"""The stages of a search: first looks on a subsample, then the best few on more rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import SpecError
from engine.spec.catalogue import Number

if TYPE_CHECKING:
    from engine.data import DataSource
    from engine.spec.strategy_options import Choice

_KEEP = Number(1, integer=True)


@dataclass(frozen=True)
class Stage:
    """How much of the training rows is used, and how many of the best combinations go on; None: it is the last."""

    subsample: float | int
    keep: int | None


def parse_stages(raw: list[Any], source: DataSource) -> list[Stage]:
    """Stages as a spec lists them, each on more rows than the one before. Raises SpecError."""
    stages: list[Stage] = []
    for number, table in enumerate(raw):
        place, is_last = f"stage[{number}]", number == len(raw) - 1
        if not isinstance(table, dict):
            raise SpecError(place, table, "a table: { subsample = 0.2, keep = 5 }")
        for key, value in table.items():
            if key not in ("subsample", "keep"):
                raise SpecError(f"{place}.{key}", value, "subsample, keep")
        if "subsample" not in table and not is_last:
            raise SpecError(f"{place}.subsample", None, "a fraction of the rows, or how many")
        if is_last and "keep" in table:
            raise SpecError(f"{place}.keep", table["keep"], "nothing: from the last stage none goes on")
        if not is_last and not _KEEP.accepts(table.get("keep")):
            raise SpecError(f"{place}.keep", table.get("keep"), f"{_KEEP}, the best that go on")
        subsample = table.get("subsample", 1.0)
        if not Number(0, low_open=True).accepts(subsample):
            raise SpecError(f"{place}.subsample", subsample, "a fraction of the rows, or how many")
        if stages and source.rows_in(subsample) <= source.rows_in(stages[-1].subsample):
            raise SpecError(f"{place}.subsample", subsample, "more rows than the stage before")
        stages.append(Stage(subsample, table.get("keep")))
    return stages


def stages_of_halving(
    choice: Choice, candidates: int, source: DataSource, subsample: float | int, folds: int
) -> list[Stage]:
    """Successive halving over rows: each stage has `factor` times the rows, and 1/`factor` of the combinations, of the
    one before; the last has all rows that `subsample` allows.

    The first has at least `least` rows, by default two for each class and fold, as scikit-learn's halving searches.
    """
    factor = choice.options["factor"]
    most = source.rows_in(subsample)
    least = choice.options["least"] or 2 * folds * source.classes
    if least > most:
        raise SpecError("strategy.least", least, f"at most {most}, the rows in use")
    steps = math.floor(math.log(min(candidates, most / least), factor) + 1e-9) if candidates > 1 else 0
    first: list[Stage] = [
        Stage(max(2, round(most / factor ** (steps - step))), math.ceil(candidates / factor ** (step + 1)))
        for step in range(steps)
    ]
    return [*first, Stage(subsample, None)]
