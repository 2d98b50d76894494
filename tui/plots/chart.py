"""Lines over numbers, drawn by plotext into a Rich text of a given size: no widget, no data of its own.

The background stays the terminal's. Lines are told apart by shape as well as by colour: faint ones are dotted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_SMALLEST = (14, 4)


@dataclass(frozen=True, slots=True)
class Line:
    """Points in order of x; `colour` an (r, g, b) or a number of the terminal's palette; `right`: on the right axis."""

    x: Sequence[float]
    y: Sequence[float]
    colour: tuple[int, int, int] | int
    dotted: bool = False
    right: bool = False


def draw(
    lines: Sequence[Line],
    width: int,
    height: int,
    *,
    axis_colour: tuple[int, int, int] | int,
    x_limits: tuple[float, float] | None = None,
    logarithmic: bool = False,
) -> Text:
    """All lines in one frame, left axis, right axis where a line asks for it; empty text where nothing fits."""
    lines = [thinned for line in lines if (thinned := _drawable(line, width, logarithmic and not line.right)).x]
    if not lines or width < _SMALLEST[0] or height < _SMALLEST[1]:
        return Text()
    # textual-plotext's own widget paints the theme's background behind the plot; its figure alone does not.
    from textual_plotext.plot import Plot

    plot: Any = Plot()
    # plotext cuts plots down to COLUMNS or to the size of a terminal that it finds itself; in a browser there is none.
    plot._limit_size(False, False)
    plot._set_size(width, height)
    plot.plotsize(width, height)
    for set_colour in (plot.canvas_color, plot.axes_color):
        set_colour("default")
    plot.ticks_color(axis_colour)
    plot.grid(False, False)
    has_right = any(line.right for line in lines)
    plot.xaxes(True, False)
    plot.yaxes(True, has_right)
    for line in lines:
        draw_line = plot.scatter if line.dotted else plot.plot
        draw_line(
            list(line.x),
            # plotext's own logarithmic scale mixes units between limits, ticks and points.
            [math.log10(y) for y in line.y] if logarithmic and not line.right else list(line.y),
            marker="braille",
            color=line.colour,
            yside="right" if line.right else "left",
        )
    low, high = x_limits or (min(line.x[0] for line in lines), max(line.x[-1] for line in lines))
    if high <= low:
        high = low + 1
    plot.xlim(low, high)
    x_ticks = _whole_ticks(low, high, max(2, width // 12))
    plot.xticks(x_ticks, [f"{tick:g}" for tick in x_ticks])
    for side, is_right in (("left", False), ("right", True)):
        values = [value for line in lines if line.right == is_right for value in line.y]
        if not values:
            continue
        bottom, top = _limits(values, logarithmic=logarithmic and not is_right)
        if logarithmic and not is_right:
            plot.ylim(math.log10(bottom), math.log10(top), side)
            ticks = _log_ticks(bottom, top)
            plot.yticks([math.log10(tick) for tick in ticks], [f"{tick:.3g}" for tick in ticks], side)
        else:
            plot.ylim(bottom, top, side)
            ticks = _round_ticks(bottom, top, max(2, height // 4))
            plot.yticks(ticks, _tick_texts(ticks), side)
    return Text.from_ansi(plot.build().rstrip("\n"), no_wrap=True, overflow="crop", end="")


def _drawable(line: Line, width: int, logarithmic: bool) -> Line:
    """Finite points only, thinned to twice the width; a dotted line to half the width, so that dots stay dots."""
    points = [
        (x, y)
        for x, y in zip(line.x, line.y, strict=False)
        if y is not None and math.isfinite(y) and (y > 0 or not logarithmic)
    ]
    most = max(2, width // 2 if line.dotted else width * 2)
    if line.dotted and 1 < len(points) < most:
        points = _filled_in(points, most)
    if len(points) > most:
        stride = len(points) / most
        points = [points[int(number * stride)] for number in range(most)] + [points[-1]]
    return Line([x for x, _ in points], [y for _, y in points], line.colour, line.dotted, line.right)


def _filled_in(points: list[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """Points between the points: a dotted line is drawn point by point."""
    between = max(1, count // (len(points) - 1))
    filled: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in pairwise(points):
        filled += [(x + (next_x - x) * step / between, y + (next_y - y) * step / between) for step in range(between)]
    return [*filled, points[-1]]


def _limits(values: list[float], *, logarithmic: bool) -> tuple[float, float]:
    bottom, top = min(values), max(values)
    if top - bottom <= 1e-5 * max(abs(top), abs(bottom)):
        # A constant stands in the middle, not on the frame.
        return (
            (bottom / 3, top * 3) if logarithmic else (bottom - abs(bottom) * 0.5 - 1e-9, top + abs(top) * 0.5 + 1e-9)
        )
    if logarithmic and top / bottom < 3:
        return bottom / 1.5, top * 1.5
    return bottom, top


def _round_ticks(bottom: float, top: float, count: int) -> list[float]:
    """About `count` round numbers between two."""
    rough = (top - bottom) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(bottom / step - 1e-9)
    ticks = [number * step for number in range(first, math.floor(top / step + 1e-9) + 1)]
    return ticks or [bottom, top]


def _whole_ticks(low: float, high: float, count: int) -> list[float]:
    ticks = [tick for tick in _round_ticks(low, high, count) if tick == round(tick)]
    return ticks if len(ticks) > 1 else [low, high]


def _log_ticks(bottom: float, top: float) -> list[float]:
    """Powers of ten; where there are fewer than two, also their doubles and fives; else the ends."""
    for factors in ((1,), (1, 3), (1, 2, 5)):
        low, high = math.floor(math.log10(bottom)), math.ceil(math.log10(top))
        ticks = [
            factor * 10.0**power
            for power in range(low, high + 1)
            for factor in factors
            if bottom * 0.999 <= factor * 10.0**power <= top * 1.001
        ]
        if len(ticks) >= 2:
            return ticks[:: max(1, len(ticks) // 6)]
    return [bottom, top]


def _tick_texts(ticks: list[float]) -> list[str]:
    """As few digits after the point as tell each of them exactly."""
    for places in range(7):
        texts = [f"{tick:.{places}f}" for tick in ticks]
        if all(abs(float(text) - tick) <= 1e-6 * abs(tick) for text, tick in zip(texts, ticks, strict=True)):
            return texts
    return [f"{tick:.2g}".replace("e-0", "e-") for tick in ticks]
