"""Trends as text: bars by value, a heat map, the top with the spread of its folds; drawn to a width."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from engine.narration import show_value
from tui import numbers
from tui.safe_text import clean
from tui.trend_numbers import pair_means, parameter_trends, top_combinations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.results_model import ResultsModel

    Colour = Callable[[str], str]  # a theme's variable to a Rich style

_SHADES = "░▒▓█"
_LONGEST = 18


def values_text(model: ResultsModel, width: int, colour: Colour) -> Text:
    """The mean by value of each hyperparameter, the one that explains most first."""
    trends = parameter_trends(model)
    means = [value.mean for trend in trends for value in trend.values]
    text = Text(no_wrap=True)
    if not means:
        return text
    low, high = min(means), max(means)
    label = min(18, max(len(value.text) for trend in trends for value in trend.values))
    room = max(6, width - label - 25)
    for trend in trends:
        name = clean(trend.name.replace("__", " "), longest=60)
        text.append(name.removeprefix("learning_rate "), style="bold underline")
        text.append(f"   effect {trend.effect:.4f}, explains {trend.share:.0%} of the spread\n", style="dim")
        best = max((value.mean for value in trend.values), default=0.0)
        for value in trend.values:
            share = (value.mean - low) / (high - low) if high > low else 1.0
            done, _ = numbers.bar(max(0.5 / room, share), room)
            strong = "bold" if value.mean == best and len(trend.values) > 1 else ""
            text.append(f"  {value.text[:label]:<{label}} ", style=strong)
            text.append(f"{numbers.with_deviation(value.mean, value.deviation)}", style=strong)
            text.append(f"{value.count:>4}× ", style="dim")
            text.append(f"{done}\n", style=colour("success" if strong else "primary"))
    fixed = ", ".join(f"{name}={show_value(value)}" for name, value in model.fixed.items())
    if fixed:
        text.append("\n".join(textwrap.wrap(f"the same for all: {clean(fixed)}", max(20, width))), style="dim")
    return text


def heat_text(model: ResultsModel, down: str, across: str, colour: Colour) -> Text:
    """The mean over two hyperparameters; shades as well as numbers, so that it is read without colours."""
    down_values, across_values, table = pair_means(model, down, across)
    known = [cell for line in table for cell in line if cell is not None]
    text = Text(no_wrap=True)
    if not known:
        return text
    low, high = min(known), max(known)
    corner = f"{clean(down, longest=40)} ↓   {clean(across, longest=40)} →"
    label = min(16, max(map(len, down_values)))
    text.append(f"{corner}\n", style="dim").append(" " * label)
    for name in across_values:
        text.append(f"  {name[:10]:>10}", style="bold")
    text.append("\n")
    for name, line in zip(down_values, table, strict=True):
        text.append(f"{name[:label]:<{label}}", style="bold")
        for cell in line:
            if cell is None:
                text.append(f"{'·':>12}", style="dim")
                continue
            share = (cell - low) / (high - low) if high > low else 1.0
            shade = _SHADES[min(3, int(share * 4))] * 4
            text.append(f" {shade}", style=colour("warning" if cell == high else "primary"))
            text.append(f" {numbers.score(cell)}", style="bold" if cell == high else "")
        text.append("\n")
    return text


def top_text(model: ResultsModel, count: int, width: int) -> Text:
    """The best combinations: every fold's score as a dot, the mean as a bar, and which cannot be told apart."""
    top = top_combinations(model, count)
    text = Text(no_wrap=True)
    if not top:
        return text
    scores = [score for combination in top for score in combination.scores]
    low, high = min(scores), max(scores)
    columns = [column for column in model.columns if column.kind == "param"]
    titles = {column.key: column.title for column in columns}
    widths = {
        key: min(_LONGEST, max(len(title), *(len(model.texts[key][combination.row]) for combination in top)))
        for key, title in titles.items()
    }
    number = max(len(str(combination.row)) for combination in top) + 1
    room = max(12, min(30, width - 24 - number - sum(widths.values()) - 2 * len(widths)))
    about = "".join(f"  {titles[name][:wide]:>{wide}}" for name, wide in widths.items())
    text.append(f"{'mean ± std':>20} {'folds •  mean ┃':<{room}} {'#':>{number}}{about}\n", style="dim")
    for combination in top:
        tie = "≈" if combination.ties_best and combination.rank > 1 else ("★" if combination.rank == 1 else " ")
        text.append(f"{combination.rank:>3} {tie} ", style="bold" if combination.ties_best else "")
        text.append(f"{numbers.with_deviation(combination.mean, combination.deviation)} ")
        line = ["─"] * room
        for score in combination.scores:
            line[_column(score, low, high, room)] = "•"
        mean = _column(combination.mean, low, high, room)
        text.append("".join(line[:mean]), style="dim").append("┃", style="bold")
        text.append("".join(line[mean + 1 :]), style="dim")
        text.append(f" {f'#{combination.row}':>{number}}", style="dim")
        for name, wide in widths.items():
            text.append(f"  {model.texts[name][combination.row][:wide] or '—':>{wide}}")
        text.append("\n")
    ties = sum(combination.ties_best for combination in top)
    if ties > 1:
        text.append(f"\n{ties} of these {len(top)} cannot be told apart from the best on these folds\n", style="italic")
    elif len(top) > 1:
        text.append("\nthe best one stands out on these folds\n", style="italic")
    return text


def _column(score: float, low: float, high: float, width: int) -> int:
    return round((score - low) / (high - low) * (width - 1)) if high > low else width // 2
