"""The levels of a hyperparameter: each value that was listed, or ranges of numbers that were drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.analysis.trends.complete import CompleteCombinations

MOST_VALUES = 12  # more numbers than this are gathered into ranges
RANGES = 6
ABSENT = "—"


@dataclass(frozen=True, slots=True)
class Level:
    """A value with the rows that have it, or a range of numbers from `low` to `high`, both included.

    `low` and `high` are the value itself where there is one; None for combinations that have no such hyperparameter.
    """

    text: str
    rows: list[int]
    low: Any
    high: Any

    @property
    def is_range(self) -> bool:
        """Whether it holds several values."""
        return bool(self.low != self.high)


def levels_of(complete: CompleteCombinations, name: str, *, with_absent: bool) -> list[Level]:
    """Levels in order: numbers ascending, then words, then, `with_absent`, the combinations that have none.

    More than `MOST_VALUES` numbers are gathered into `RANGES` ranges that hold about as many combinations each.
    """
    column = complete.values[name]
    rows_of: dict[Any, list[int]] = {}
    for row, value in enumerate(column):
        if value is not None or with_absent:
            rows_of.setdefault(_key(value), []).append(row)
    values = [column[rows[0]] for rows in rows_of.values()]
    if len(values) > MOST_VALUES and all(is_number(value) or value is None for value in values):
        absent = [row for row, value in enumerate(column) if value is None]
        levels = ranges_of(column, [row for row, value in enumerate(column) if value is not None])
        return levels + ([Level(ABSENT, absent, None, None)] if absent and with_absent else [])
    levels = []
    for value, rows in sorted(zip(values, rows_of.values(), strict=True), key=lambda pair: _place(pair[0])):
        text = ABSENT if value is None else show_value(value)
        if levels and levels[-1].text == text:  # 1 and 1.0
            levels[-1] = Level(text, sorted(levels[-1].rows + rows), value, value)
        else:
            levels.append(Level(text, rows, value, value))
    return levels


def _key(value: Any) -> Any:
    """What distinguishes values: True is not 1, and a list cannot be looked up."""
    return (type(value), show_value(value) if isinstance(value, list) else value)


def ranges_of(numbers: Sequence[Any], rows: Sequence[int]) -> list[Level]:
    """Numbers gathered into ranges that hold about as many rows each; equal numbers stay together."""
    ordered = sorted(rows, key=lambda row: (numbers[row], row))
    gathered: list[list[int]] = []
    for place, row in enumerate(ordered):
        is_due = place * RANGES >= len(ordered) * len(gathered)
        if not gathered or (is_due and numbers[row] != numbers[gathered[-1][-1]]):
            gathered.append([])
        gathered[-1].append(row)
    return [_range(numbers[members[0]], numbers[members[-1]], members) for members in gathered]


def _range(low: Any, high: Any, rows: list[int]) -> Level:
    return Level(show_value(low) if low == high else f"{low:.3g}..{high:.3g}", sorted(rows), low, high)


def is_number(value: object) -> bool:
    """Whether it can be put on an axis of numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, show_value(value))
