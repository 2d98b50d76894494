"""Ranges brushed on the axes of parallel coordinates, as a filter of the results table: the one selection there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING, Any

from engine.analysis.trends.levels import is_number

if TYPE_CHECKING:
    from engine.analysis.trends.parallel import ParallelAxis

SCORE = "mean"  # the column of the results table behind the score's axis


@dataclass(frozen=True, slots=True)
class Brush:
    """Neighbouring levels of an axis, `first` to `last`, both included, from the bottom."""

    first: int
    last: int

    def moved(self, step: int, count: int) -> Brush:
        """By levels, as far as the axis' `count` levels go."""
        step = max(-self.first, min(step, count - 1 - self.last))
        return Brush(self.first + step, self.last + step)

    def widened(self, step: int, count: int) -> Brush:
        """One level more or fewer: at the top, or at the bottom where the top is reached."""
        if step > 0:
            is_at_top = self.last == count - 1
            return Brush(max(0, self.first - is_at_top), min(count - 1, self.last + 1))
        return Brush(self.first, max(self.first, self.last - 1))


@dataclass
class Brushes:
    """`base` is what somebody typed as a filter; each brushed axis adds a term to it."""

    base: str = ""
    terms: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, Brush] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The filter, as somebody could have typed it."""
        return " ".join(part for part in (self.base, *self.terms.values()) if part)

    def take_over(self, filter_text: str) -> None:
        """The filter is another one than was left here: then that is what brushes add to."""
        if filter_text != self.text:
            self.base = filter_text
            self.terms.clear()
            self.ranges.clear()

    def put(self, axis: ParallelAxis, brush: Brush, column: str) -> None:
        """Brush a range of an axis, in place of the one it had; `column`: the results table's name for it."""
        last = len(axis.levels) - 1
        brush = Brush(min(brush.first, last), min(brush.last, last))
        self.ranges[axis.name] = brush
        self.terms[axis.name] = f"{column}={','.join(_alternatives(axis, brush))}"

    def clear(self, axis: str | None = None) -> None:
        """Clear the brush of one axis; without a name, all brushes and the filter that was typed."""
        if axis is None:
            self.take_over("")
        else:
            self.terms.pop(axis, None)
            self.ranges.pop(axis, None)


def _alternatives(axis: ParallelAxis, brush: Brush) -> list[str]:
    """Values as they are filtered by; neighbouring ranges as one."""
    chosen = axis.levels[brush.first : brush.last + 1]
    if any(level.is_range for level in axis.levels):
        numbers = [level for level in chosen if level.low is not None]
        ranges = [f"{_bound(numbers[0].low, -1)}..{_bound(numbers[-1].high, 1)}"] if numbers else []
        return [*ranges, '""'] if len(numbers) < len(chosen) else ranges
    return [_option(level.low) for level in chosen]


def _bound(number: float, side: int) -> str:
    """A bound in six digits, rounded outwards."""
    digits = Context(prec=6, rounding=ROUND_CEILING if side > 0 else ROUND_FLOOR)
    return f"{digits.create_decimal(repr(number)).normalize():f}"


def _option(value: Any) -> str:
    if value is None:
        return '""'
    if is_number(value):
        return repr(value).replace("e+", "e")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if text.isidentifier() else f'"{text}"'
