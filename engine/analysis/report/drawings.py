"""The report's pictures, as SVG that stands in the page: coloured by its style sheet, described for who cannot see it.

Every picture has a title and a description, and its numbers stand in a table or in the text as well.
"""

from __future__ import annotations

import html
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.analysis.trends.levels import ABSENT
from engine.analysis.trends.parallel import thinned
from engine.formatting.safe_text import clean
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.analysis.trends.effects import MainEffect
    from engine.analysis.trends.importance import Importance
    from engine.analysis.trends.pairs import HeatMap
    from engine.analysis.trends.parallel import ParallelAxis

WIDTH = 640
_LABEL = 190
_ROW = 24
_LETTER = 7.0  # about the width of a letter at the size of the style sheet
SHADES = 8
MOST_LINES = 400
_ASIDE = 20


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one line; `kind` is its class in the style sheet."""

    x: Sequence[float]
    y: Sequence[float | None]
    kind: str


def escape(text: str) -> str:
    """Text from outside, for a page."""
    return html.escape(clean(text, longest=300))


def importance_bars(importances: Sequence[Importance], numbers: Iterator[int]) -> str:
    """A bar a hyperparameter, with its deviation over the shuffles."""
    room = WIDTH - _LABEL - 110
    scale = max(1.0, *(one.importance + one.deviation for one in importances))
    body = []
    for row, one in enumerate(importances):
        y = row * _ROW
        length = room * max(0.0, one.importance) / scale
        low = _LABEL + room * max(0.0, one.importance - one.deviation) / scale
        high = _LABEL + room * max(0.0, one.importance + one.deviation) / scale
        body += [
            _text(_LABEL - 8, y + 16, one.name, "end"),
            f'<rect class="bar" x="{_LABEL}" y="{y + 4}" width="{max(1.0, length):.1f}" height="16"/>',
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 12}" y2="{y + 12}"/>',
            _text(_LABEL + room + 8, y + 16, f"{one.importance:.2f} ± {one.deviation:.2f}"),
        ]
    description = ", ".join(f"{one.name} {one.importance:.2f}" for one in importances)
    return _svg(len(importances) * _ROW + 4, "Importance of each hyperparameter", description, body, numbers)


def effect_intervals(effect: MainEffect, low: float, high: float, metric: str, numbers: Iterator[int]) -> str:
    """A dot a level on a scale from `low` to `high`, with its interval as far as the scale goes."""
    room = WIDTH - _LABEL - 20

    def place(score: float) -> float:
        share = (score - low) / (high - low) if high > low else 0.5
        return _LABEL + room * min(1.0, max(0.0, share))

    body = []
    for row, one in enumerate(effect.levels):
        y = row * _ROW + 14
        body.append(_text(_LABEL - 12, y + 4, f"{one.level.text} ({one.count}x)", "end"))
        body.append(f'<line class="rule" x1="{_LABEL}" x2="{_LABEL + room}" y1="{y}" y2="{y}"/>')
        if one.interval is not None:
            first, last = place(one.interval[0]), place(one.interval[1])
            body.append(f'<line class="interval" x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}"/>')
        body.append(
            f'<circle class="dot" cx="{place(one.mean):.1f}" cy="{y}" r="5"><title>{escape(one.level.text)}: '
            f"{one.mean:.4f}</title></circle>"
        )
    bottom = len(effect.levels) * _ROW + 22
    body += [_text(_LABEL, bottom, f"{low:.3f}"), _text(_LABEL + room, bottom, f"{high:.3f}", "end")]
    description = ", ".join(f"{one.level.text}: {one.mean:.4f}" for one in effect.levels)
    return _svg(bottom + 6, f"Mean {metric} by {effect.name}", description, body, numbers)


def heat_map_cells(heat_map: HeatMap, metric: str, numbers: Iterator[int]) -> str:
    """A cell a pair of levels: the mean, a shade, and how many combinations it is of."""
    known = [mean for line in heat_map.means for mean in line if mean is not None]
    low, high = min(known), max(known)
    label = 20 + _LETTER * max(_shown_length(text) for text in [*heat_map.down_levels, f"{heat_map.down} ↓"])
    wide = min(110.0, max(64.0, (WIDTH - label) / len(heat_map.across_levels)))
    tall, top = 40, 44
    body = [_text(label, 14, f"{heat_map.across} →"), _text(0, 34, f"{heat_map.down} ↓")]
    for column, text in enumerate(heat_map.across_levels):
        body.append(_text(label + wide * (column + 0.5), 34, text, "middle", most=int(wide / _LETTER)))
    for row, text in enumerate(heat_map.down_levels):
        y = top + row * tall
        body.append(_text(label - 10, y + 25, text, "end"))
        for column, mean in enumerate(heat_map.means[row]):
            x = label + wide * column
            if mean is None:
                body.append(_text(x + wide / 2, y + 25, "·", "middle"))
                continue
            shade = _shade(mean, low, high)
            count = heat_map.counts[row][column]
            body.append(
                f'<g class="shade{shade}"><title>{escape(heat_map.down)} {escape(text)}, {escape(heat_map.across)} '
                f"{escape(heat_map.across_levels[column])}: {mean:.4f}, {count} combinations</title>"
                f'<rect x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{tall - 2}"/>'
                f'<text x="{x + wide / 2:.1f}" y="{y + 25}" text-anchor="middle">'
                f"{'★ ' if mean == high else ''}{mean:.4f}</text></g>"
            )
    title = f"Mean {metric} by {heat_map.down} and {heat_map.across}"
    description = f"From {low:.4f} to {high:.4f}; all numbers are in the cells, the highest is starred."
    width = max(WIDTH, math.ceil(label + wide * len(heat_map.across_levels)))
    return _svg(top + tall * len(heat_map.down_levels) + 4, title, description, body, numbers, width=width)


def parallel_lines(axes: Sequence[ParallelAxis], means: Sequence[float], metric: str, numbers: Iterator[int]) -> str:
    """A line a combination, stronger the better it is; the best are drawn last. Many are thinned evenly by rank."""
    step = max(96, (WIDTH - 110) // max(1, len(axes) - 1))
    width, top, tall = step * (len(axes) - 1) + 130, 52, 260
    order = sorted(range(len(means)), key=lambda row: (-means[row], row))
    shown = thinned(order, MOST_LINES)
    low, high = means[order[-1]], means[order[0]]
    body = []
    for row in reversed(shown):
        # Lines through one listed value would lie on each other: the better ones pass it a little higher.
        aside = 0.5 - (means[row] - low) / (high - low) if high > low else 0.0
        points = " ".join(
            f"{40 + step * number},{top + tall * (1 - axis.places[row]) + _ASIDE * aside * _is_listed(axis):.1f}"
            for number, axis in enumerate(axes)
        )
        kind = "best-line" if row == order[0] else f"line{_shade(means[row], low, high)}"
        body.append(f'<polyline class="{kind}" points="{points}"/>')
    for number, axis in enumerate(axes):
        x = 40 + step * number
        # Long names would run into each other: every other one stands higher.
        body.append(_text(x, 16 if number % 2 else 32, axis.name.rpartition("__")[2], "middle", most=int(step / 3.6)))
        body.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{top}" y2="{top + tall}"/>')
        for text, place in _axis_labels(axis):
            body.append(_text(x + 5, top + tall * (1 - place) + 4, text, halo=True, most=int(step / _LETTER)))
    title = f"Parallel coordinates: every combination from its hyperparameters to its mean {metric}"
    description = (
        f"{len(shown)} lines over the axes {', '.join(axis.name for axis in axes)}; "
        f"means from {low:.4f} to {high:.4f}, the best one strong"
    )
    return _svg(top + tall + 14, title, description, body, numbers, width=width)


def _is_listed(axis: ParallelAxis) -> bool:
    return not any(level.is_range for level in axis.levels)


def _axis_labels(axis: ParallelAxis) -> list[tuple[str, float]]:
    """What is written at an axis: each listed value, the ends of what was drawn."""
    if _is_listed(axis):
        return [(level.text, ends[0]) for level, ends in zip(axis.levels, axis.ends, strict=True)]
    numbers = [(level, ends) for level, ends in zip(axis.levels, axis.ends, strict=True) if level.low is not None]
    labels = [(_end(numbers[0][0].low), numbers[0][1][0]), (_end(numbers[-1][0].high), numbers[-1][1][1])]
    return labels if len(numbers) == len(axis.levels) else [*labels, (ABSENT, axis.ends[-1][0])]


def _end(number: float) -> str:
    return f"{number:.4g}"


def line_chart(
    series: Sequence[Series], title: str, across: str, numbers: Iterator[int], *, logarithmic: bool = False
) -> str:
    """Lines in one frame; `logarithmic`: the vertical scale, of what is above 0. Nothing where there is no point."""
    points = [
        [(x, y) for x, y in zip(one.x, one.y, strict=False) if y is not None and (y > 0 or not logarithmic)]
        for one in series
    ]
    every = [point for line in points for point in line]
    if not every:
        return ""
    wide, tall, left, top = 290, 150, 74, 24
    low, high = min(y for _, y in every), max(y for _, y in every)
    first, last = min(x for x, _ in every), max(x for x, _ in every)

    def place(x: float, y: float) -> str:
        along = (x - first) / (last - first) if last > first else 0.5
        if high <= low:
            up = 0.5
        elif logarithmic:
            up = math.log(y / low) / math.log(high / low)
        else:
            up = (y - low) / (high - low)
        return f"{left + along * wide:.1f},{top + tall * (1 - up):.1f}"

    body = [
        f'<rect class="frame" x="{left}" y="{top}" width="{wide}" height="{tall}"/>',
        _text(0, 14, title),
        _text(left - 6, top + 10, _end(high), "end"),
        _text(left - 6, top + tall, _end(low), "end"),
        _text(left, top + tall + 16, _end(first)),
        _text(left + wide, top + tall + 16, f"{across} {_end(last)}", "end"),
    ]
    for one, line in zip(series, points, strict=True):
        body.append(f'<polyline class="{one.kind}" points="{" ".join(place(x, y) for x, y in line)}"/>')
    description = f"From {show_value(low)} to {show_value(high)} over {across} {_end(first)} to {_end(last)}"
    return _svg(top + tall + 24, title, description, body, numbers, width=left + wide + 10, small=True)


def numbering() -> Iterator[int]:
    """Numbers for the ids of a page's pictures."""
    return itertools.count(1)


def _svg(
    height: float,
    title: str,
    description: str,
    body: Sequence[str],
    numbers: Iterator[int],
    *,
    width: int = WIDTH,
    small: bool = False,
) -> str:
    number = next(numbers)
    kind = "small" if small else "wide"
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height:.0f}" width="{width}" role="img" '
        f'aria-labelledby="title{number} description{number}">'
        f'<title id="title{number}">{escape(title)}</title><desc id="description{number}">{escape(description)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", *, halo: bool = False, most: int = 26) -> str:
    """A line of text, cut where it is too long; `halo`: readable over lines."""
    shown = text if len(text) <= most else f"{text[: max(1, most - 1)]}…"
    style = ' class="halo"' if halo else ""
    whole = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{whole}{escape(shown)}</text>'


def _shown_length(text: str) -> int:
    return min(26, len(text))


def _shade(value: float, low: float, high: float) -> int:
    share = (value - low) / (high - low) if high > low else 1.0
    return min(SHADES - 1, int(share * SHADES))
