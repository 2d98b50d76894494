"""A report for a terminal: bars and intervals drawn with characters, numbers beside them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from engine.analysis.selection.wording import corrected_facts
from engine.analysis.varying import short_name, varying
from engine.formatting.safe_text import clean
from engine.formatting.tables import facts, table, with_room
from engine.session.combination import mean_in_words
from engine.spec.spelling import in_short, show_value
from engine.spec.strategy_options import strategy_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.analysis.report.contents import Report
    from engine.analysis.trends.importance import Importances
    from engine.analysis.trends.pairs import HeatMap

_LONGEST = 24
_LONGEST_ESTIMATOR = 300
_MOST_VALUES = 8  # listed by name; of more only the ends are


def to_text(report: Report, width: int) -> str:
    """All parts of a report but parallel coordinates, schedules and curves, which need a picture."""
    parts = [_head(report), facts(corrected_facts(report.corrected_best)), _remarks(report, width)]
    if len(report.complete):
        parts += [
            importance_text(report.importances, width),
            _effects(report, width),
            _heat_map(report.heat_map, width),
            _top(report, width),
        ]
    return "\n\n".join(part for part in parts if part)


def values_in_words(values: Sequence[object]) -> str:
    """The values of a hyperparameter, all of them or, of many, how many there are and between which two."""
    if len(values) <= _MOST_VALUES:
        return ", ".join(show_value(value) for value in values)
    return f"{len(values)} values from {show_value(values[0])} to {show_value(values[-1])}"


def _head(report: Report) -> str:
    spec, best = report.record.spec, report.state.best
    synthetic = " (synthetic)" if report.record.data.synthetic else ""
    repeats = spec.get("repeats", 1)
    folds = f"{spec.get('folds')} folds{f' x {repeats}' if repeats != 1 else ''}"
    script = report.record.script
    mean, deviation = best.mean(report.metric) if best else (0.0, 0.0)
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    return facts(
        [
            ("session", f"{report.source.id}, {report.status}"),
            ("data", f"{spec.get('dataset')}{synthetic}, {report.record.data.rows} rows, {folds}"),
            ("estimator", clean(script.estimator, longest=_LONGEST_ESTIMATOR) if script else None),
            (
                "searched",
                f"{len(report.state.combinations)} combinations ({counts}), {strategy_in_words(spec.get('strategy'))}",
            ),
            *((f"  {clean(name)}", values_in_words(values)) for name, values in report.searched.items()),
            ("best", f"{report.metric} {mean:.4f} ± {deviation:.4f} over the folds" if best else "none is complete"),
            *(("", f"{clean(metric)} {mean_in_words(best, metric)}") for metric in report.further if best),
            ("", f"#{best.index}: {in_short(best.params)}" if best else None),
        ]
    )


def _remarks(report: Report, width: int) -> str:
    return "\n".join(
        textwrap.fill(clean(remark), max(40, width), initial_indent="- ", subsequent_indent="  ")
        for remark in report.remarks
    )


def importance_text(importances: Importances, width: int) -> str:
    """How much each hyperparameter matters, a bar each."""
    if importances.explained is None:
        return f"IMPORTANCE  cannot be worked out: {importances.warning}"
    what = "half of the R² that shuffling it costs (joint effects count for each)"
    lines = [f"IMPORTANCE  {what}; the forest explains {importances.explained:.0%}"]
    label = max(len(one.name) for one in importances.hyperparameters)
    room = max(10, width - label - 20)
    for one in importances.hyperparameters:
        bar = "█" * round(room * min(1.0, max(0.0, one.importance)))
        within = (
            f"  (among equal {clean(one.within)})" if one.within and len(bar) + len(one.within) + 18 <= room else ""
        )
        lines.append(
            f"  {clean(one.name):<{label}}  {one.importance:5.2f} ± {one.deviation:.2f}  {bar}{within}".rstrip()
        )
    return "\n".join([*lines, f"  warning: {importances.warning}"] if importances.warning else lines)


def _effects(report: Report, width: int) -> str:
    if not report.effects:
        return ""
    lines = [f"MAIN EFFECTS  mean {clean(report.metric)} by value, with its 95 % interval over the combinations"]
    shown = [one for effect in report.effects for one in effect.levels]
    # Intervals of two or three combinations may be absurdly wide: what is drawn is where the means are.
    low, high = min(one.mean for one in shown), max(one.mean for one in shown)
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    label = min(_LONGEST, max(len(one.level.text) for one in shown))
    room = max(16, width - label - 38)
    for effect in report.effects:
        lines.append(f"  {clean(effect.name)}  explains {effect.share:.0%} of the variance, span {effect.span:.4f}")
        for one in effect.levels:
            interval = f"[{one.interval[0]:.4f}, {one.interval[1]:.4f}]" if one.interval else ""
            drawn = interval_line(one.mean, one.interval, low, high, room)
            text = clean(one.level.text)[:label]
            lines.append(f"    {text:<{label}} {one.count:>4}x  {one.mean:.4f} {interval:<17} {drawn}".rstrip())
    return "\n".join(lines)


def interval_line(mean: float, interval: tuple[float, float] | None, low: float, high: float, room: int) -> str:
    """`  ├──●──┤ `: a mean and its interval on a scale from `low` to `high`; what lies beyond is an arrow."""

    def place(value: float) -> int:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(share * (room - 1))

    cells = [" "] * room
    if interval is not None:
        first, last = place(interval[0]), place(interval[1])
        for column in range(max(0, first), min(room - 1, last) + 1):
            cells[column] = "─"
        cells[max(0, first)] = "├" if first >= 0 else "◂"
        cells[min(room - 1, last)] = "┤" if last < room else "▸"
    cells[max(0, min(room - 1, place(mean)))] = "●"
    return "".join(cells)


def _heat_map(heat_map: HeatMap | None, width: int) -> str:
    if heat_map is None:
        return ""
    title = f"HEAT MAP  mean score, {clean(heat_map.down)} down, {clean(heat_map.across)} across"
    if heat_map.is_empty:
        return f"{title}: no complete combination has both"
    known = [mean for line in heat_map.means for mean in line if mean is not None]
    low, high = min(known), max(known)
    label = min(_LONGEST, max(map(len, heat_map.down_levels)))
    room = (width - 2 - label) // len(heat_map.across_levels) - 2
    wide = max(8, min(room, max(map(len, heat_map.across_levels))))
    lines = [title, "  " + " " * label + "".join(f"  {clean(text)[:wide]:>{wide}}" for text in heat_map.across_levels)]
    for text, means in zip(heat_map.down_levels, heat_map.means, strict=True):
        cells = "".join(f"  {_cell(mean, low, high):>{wide}}" for mean in means)
        lines.append(f"  {clean(text)[:label]:<{label}}{cells}")
    return "\n".join(lines)


def _cell(mean: float | None, low: float, high: float) -> str:
    """A mean with a shade; the highest is marked."""
    if mean is None:
        return "·"
    share = (mean - low) / (high - low) if high > low else 1.0
    return f"{'★' if mean == high else ' '}{'░▒▓█'[min(3, int(share * 4))]} {mean:.4f}"


def _top(report: Report, width: int) -> str:
    names = varying(report.state.combinations)
    head = ["rank", "", "#", f"{clean(report.metric)} ± std"]
    further = [f"{clean(metric)} ± std" for metric in report.further]
    head += [*further, *(clean(short_name(name)) for name in names)]
    rows, ends = list[list[str]](), list[list[str]]()
    for one in report.top:
        combination = report.state.combinations[one.index]
        params = combination.params
        values = [mean_in_words(combination, metric) for metric in report.further]
        values += [clean(show_value(params[name])) if name in params else "" for name in names]
        rows.append([str(one.rank), one.mark, str(one.index), f"{one.mean:.4f} ± {one.deviation:.4f}", *values])
        ends.append([f"{min(one.scores):.4f}", f"{max(one.scores):.4f}"])
    head, rows = with_room(head, rows, ["lowest fold", "highest"], ends, width)
    return f"TOP COMBINATIONS  {report.marks}\n{table(head, rows, width, right=[True] * len(head))}"
