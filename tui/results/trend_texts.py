"""Trends as text: importance, means by value with intervals, a heat map, the top; drawn to a width."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rich.text import Text

from engine.analysis.report.text import interval_line
from engine.analysis.trends.levels import ABSENT
from engine.analysis.trends.pairs import heat_map
from engine.analysis.trends.top import count_near
from engine.spec.spelling import show_value
from tui.parts import numbers
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from engine.analysis.trends.complete import CompleteCombinations
    from engine.analysis.trends.effects import MainEffect
    from engine.analysis.trends.importance import Importances
    from engine.analysis.trends.top import TopCombination
    from tui.results.model import Column, ResultsModel

    Colour = Callable[[str], str]  # a theme's variable to a Rich style

_SHADES = "░▒▓█"
_LONGEST = 18
_SHORT_TITLE = 8  # values need their room, titles are known from the table
_BESIDE = 22  # columns of rank, mark and mean, and the gap before the number
_LEAST_LINE = 8  # of dots and bar


def shown_name(name: str) -> str:
    """A hyperparameter as a heading: `decay_rate` of a schedule, `optimizer momentum`."""
    return clean(name.replace("__", " "), longest=60).removeprefix("learning_rate ")


def importance_text(importances: Importances, width: int, colour: Colour) -> Text:
    """A bar a hyperparameter: half of the R² that shuffling it costs."""
    text = Text(no_wrap=True)
    if importances.explained is None:
        return text.append(f"importance: {importances.warning}", style="dim")
    label = min(22, max(len(shown_name(one.name)) for one in importances.hyperparameters))
    room = max(4, width - label - 14)
    for one in importances.hyperparameters:
        done, _ = numbers.bar(one.importance, room)
        text.append(f"{shown_name(one.name)[:label]:<{label}} ")
        text.append(f"{one.importance:5.2f} ± {one.deviation:.2f} "[:13], style="bold")
        text.append(f"{done}\n", style=colour("primary"))
    if importances.warning:
        text.append("\n".join(textwrap.wrap(f"▲ {importances.warning}", max(20, width))), style=colour("warning"))
    return text


def values_text(effects: list[MainEffect], fixed: dict[str, Any], width: int, colour: Colour) -> Text:
    """The mean by value of each hyperparameter with its 95 % interval; `fixed`: those that do not vary."""
    means = [one.mean for effect in effects for one in effect.levels]
    text = Text(no_wrap=True)
    if not means:
        return text.append("no hyperparameter has two values among these combinations", style="dim")
    margin = 0.25 * (max(means) - min(means))
    low, high = min(means) - margin, max(means) + margin
    label = min(_LONGEST, max(len(one.level.text) for effect in effects for one in effect.levels))
    has_room = width >= label + 45
    room = max(8, width - label - (32 if has_room else 16))
    for effect in effects:
        name, explains = shown_name(effect.name), f"  explains {effect.share:.0%}"
        span = f", span {effect.span:.4f}"
        text.append(name, style="bold underline").append(explains, style="dim")
        text.append(f"{span if len(name + explains + span) <= width else ''}\n", style="dim")
        best = max(one.mean for one in effect.levels)
        for one in effect.levels:
            strong = "bold" if one.mean == best else ""
            text.append(f"  {one.level.text[:label]:<{label}} ", style=strong)
            text.append(numbers.score(one.mean), style=strong)
            if has_room:
                half = (one.interval[1] - one.mean) if one.interval else None
                text.append(f" ± {numbers.score(half).removeprefix('0'):<6}" if half is not None else " " * 9)
            text.append(f"{one.count:>4}× ", style="dim")
            drawn = interval_line(one.mean, one.interval, low, high, room)
            text.append(f"{drawn}\n", style=colour("success" if strong else "primary"))
    if fixed:
        same = ", ".join(f"{name}={show_value(value)}" for name, value in fixed.items())
        text.append("\n".join(textwrap.wrap(f"equal for all: {clean(same)}", max(20, width))), style="dim")
    return text


def heat_text(complete: CompleteCombinations, down: str, across: str, colour: Colour) -> Text:
    """The mean over two hyperparameters; shades as well as numbers, so that it is read without colours."""
    heat = heat_map(complete, down, across)
    known = [mean for line in heat.means for mean in line if mean is not None]
    text = Text(no_wrap=True)
    if not known:
        return text.append("no complete combination has both", style="dim")
    low, high = min(known), max(known)
    corner = f"{clean(down, longest=40)} ↓   {clean(across, longest=40)} →"
    label = min(16, max(map(len, heat.down_levels)))
    text.append(f"{corner}\n", style="dim").append(" " * label)
    for name in heat.across_levels:
        text.append(f"  {name[:10]:>10}", style="bold")
    text.append("\n")
    for name, line in zip(heat.down_levels, heat.means, strict=True):
        text.append(f"{name[:label]:<{label}}", style="bold")
        for mean in line:
            if mean is None:
                text.append(f"{'·':>12}", style="dim")
                continue
            share = (mean - low) / (high - low) if high > low else 1.0
            shade = _SHADES[min(3, int(share * 4))] * 4
            text.append(f" {shade}", style=colour("warning" if mean == high else "primary"))
            text.append(f" {numbers.score(mean)}", style="bold" if mean == high else "")
        text.append("\n")
    return text


def fitting_columns(
    model: ResultsModel, top: list[TopCombination], names: list[str], width: int
) -> tuple[list[Column], int]:
    """The results table's columns of hyperparameters that fit whole beside the scores, and how many do not.

    `names`: hyperparameters, those that matter most first; what all of the top have in common comes after them.
    Columns stay in the table's order.
    """
    place = {name: number for number, name in enumerate(names)}

    def telling(column: Column) -> tuple[bool, int]:
        texts = model.texts[column.key]
        is_shared = len({texts[one.index] for one in top}) == 1
        head = column.key.removesuffix(" …")
        mine = [place[name] for name in names if name == head or (head != column.key and name.startswith(f"{head}__"))]
        return is_shared, min(mine, default=len(names))

    columns = [column for column in model.columns if column.kind == "param"]
    room, fitting = width - _BESIDE - _LEAST_LINE - _number_width(top), set[str]()
    for column in sorted(columns, key=telling):
        needed = _width(column, model, top) + 2
        if needed <= room:
            room -= needed
            fitting.add(column.key)
    shown = [column for column in columns if column.key in fitting]
    return shown, len(columns) - len(shown)


def _width(column: Column, model: ResultsModel, top: list[TopCombination]) -> int:
    longest = max((len(model.texts[column.key][one.index]) for one in top), default=0)
    return max(min(len(column.title), _SHORT_TITLE), min(_LONGEST, longest))


def _number_width(top: list[TopCombination]) -> int:
    return max((len(str(one.index)) for one in top), default=1) + 1


def top_text(
    complete: CompleteCombinations,
    top: list[TopCombination],
    tied: Collection[int] | None,
    dropped: int,
    columns: list[Column],
    model: ResultsModel,
    width: int,
) -> Text:
    """The best combinations: every fold's score as a dot, the mean as a bar, and which are as good as the best.

    `columns`: those that fit (see `fitting_columns`); `tied`: as for `top_combinations`; `dropped`: how many dropped
    ones may be as good.
    """
    text = Text(no_wrap=True)
    scores = [score for combination in top for score in combination.scores]
    low, high = min(scores), max(scores)
    widths = [_width(column, model, top) for column in columns]
    number = _number_width(top)
    room = max(_LEAST_LINE, min(30, width - _BESIDE - number - sum(widths) - 2 * len(widths)))
    about = "".join(f"  {_cut(column.title, wide):>{wide}}" for column, wide in zip(columns, widths, strict=True))
    key = "folds •  mean ┃" if room >= len("folds •  mean ┃") else "• fold ┃"
    text.append(f"{'mean ± std':>20} {key:<{room}} {'#':>{number}}{about}\n", style="dim")
    for combination in top:
        text.append(f"{combination.rank:>3} {combination.mark or ' '} ", style="bold" if combination.mark else "")
        text.append(f"{numbers.with_deviation(combination.mean, combination.deviation)} ")
        line = ["─"] * room
        for score in combination.scores:
            line[_column(score, low, high, room)] = "•"
        mean = _column(combination.mean, low, high, room)
        text.append("".join(line[:mean]), style="dim").append("┃", style="bold")
        text.append("".join(line[mean + 1 :]), style="dim")
        text.append(f" {f'#{combination.index}':>{number}}", style="dim")
        for column, wide in zip(columns, widths, strict=True):
            text.append(f"  {_cut(model.texts[column.key][combination.index] or ABSENT, wide):>{wide}}")
        text.append("\n")
    remarks = [_as_good(complete, tied)] if len(complete) > 1 else []
    if dropped:
        remarks.append(f"{dropped} that {'were' if dropped > 1 else 'was'} dropped may be as good")
    if remarks:
        text.append(f"\n{'; '.join(remarks)}\n", style="italic")
    return text


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _as_good(complete: CompleteCombinations, tied: Collection[int] | None) -> str:
    """How many of these are as good as the best, or near it, in the words of the marks."""
    if tied is None:
        count, claim = count_near(complete), "within one standard error of the best"
    else:
        count, claim = sum(index in tied for index in complete.indices), "tied with the best"
    others = count - 1
    return f"{others or 'none'} of the other {len(complete) - 1} {'are' if others > 1 else 'is'} {claim}"


def _column(score: float, low: float, high: float, width: int) -> int:
    return round((score - low) / (high - low) * (width - 1)) if high > low else width // 2
