"""A report as one page: style and pictures stand in it, it runs no scripts and fetches nothing, and says so itself."""

from __future__ import annotations

import time
from importlib import resources
from typing import TYPE_CHECKING

from engine.analysis.report import drawings
from engine.analysis.report.drawings import Series, escape
from engine.analysis.report.text import values_in_words
from engine.analysis.selection.wording import corrected_facts
from engine.analysis.trends.importance import METHOD
from engine.analysis.varying import short_name, varying
from engine.formatting.times import in_words
from engine.session.combination import mean_in_words
from engine.spec.spelling import in_short, show_value
from engine.spec.strategy_options import strategy_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.analysis.report.contents import Report, Trace
    from engine.analysis.trends.effects import MainEffect


def to_html(report: Report) -> str:
    """The whole page. Text from outside is escaped; the page's own policy forbids scripts and any connection."""
    numbers = drawings.numbering()
    parts = [_header(report), _best(report)]
    if len(report.complete):
        parts += [
            _top(report),
            _importance(report, numbers),
            _effects(report, numbers),
            _heat_map(report, numbers),
            _parallel(report, numbers),
            _traces(report, numbers),
        ]
    style = resources.files("engine.analysis.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.source.id)} · foldwatch</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _header(report: Report) -> str:
    record, spec = report.record, report.record.spec
    synthetic = ", synthetic" if record.data.synthetic else ""
    repeats = spec.get("repeats", 1)
    script = record.script
    classes, kind = ("", "") if script else (f", {record.data.classes} classes", "stratified ")
    pairs = [
        ("state", report.status),
        ("data", f"{spec.get('dataset')}{synthetic}: {record.data.rows:,} rows{classes}"),
        *([("script", script.path), ("estimator", script.estimator)] if script else []),
        ("validation", f"{spec.get('folds')} {kind}folds{f', {repeats} times' if repeats != 1 else ''}"),
        ("metrics", f"{', '.join(report.state.scoring)}; {report.metric} ranks"),
        ("strategy", f"{strategy_in_words(spec.get('strategy'))}, seed {spec.get('seed')}"),
        ("combinations", ", ".join(f"{count} {name}" for name, count in report.counts.items())),
        ("time", f"{in_words(report.state.elapsed())} on {record.host}"),
        ("begun", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.created))),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items()))),
    ]
    searched = [(name, values_in_words(values)) for name, values in report.searched.items()]
    return (
        f"<h1>{escape(report.source.id)}</h1>\n{_facts(pairs)}\n<h2>What was searched</h2>\n"
        f"{_facts(searched) if searched else '<p>Nothing is planned yet.</p>'}"
    )


def _best(report: Report) -> str:
    best = report.state.best
    if best is None:
        shown = "<p>No combination is complete on every fold, so none can be called best.</p>"
    else:
        mean, deviation = best.mean(report.metric)
        further = "".join(f"{escape(metric)} {mean_in_words(best, metric)}<br>" for metric in report.further)
        folds = ", ".join(f"{score:.4f}" for score in best.scores_of(report.metric) if score is not None)
        shown = (
            f'<div class="best"><strong>{mean:.4f} ± {deviation:.4f}</strong> {escape(report.metric)}, '
            f"combination #{best.index}<br>{escape(in_short(best.params))}<br>{further}"
            f'<span class="note">by fold: {folds}</span></div>'
        )
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in report.remarks)
    rows = corrected_facts(report.corrected_best)
    believed = _facts(rows) if rows else ""
    return f"<h2>Best</h2>\n{shown}{believed}{f'<ul>{remarks}</ul>' if remarks else ''}"


def _top(report: Report) -> str:
    names = varying(report.state.combinations)
    head = ["rank", "#", f"{report.metric} ± std", "lowest", "highest"]
    head += [*(f"{metric} ± std" for metric in report.further), *(short_name(name) for name in names)]
    rows = []
    for one in report.top:
        combination = report.state.combinations[one.index]
        params = combination.params
        numbers = [f"{one.mean:.4f} ± {one.deviation:.4f}", f"{min(one.scores):.4f}", f"{max(one.scores):.4f}"]
        numbers += [mean_in_words(combination, metric) for metric in report.further]
        values = [show_value(params[name]) if name in params else "" for name in names]
        rows.append([f"{one.rank} {one.mark}".strip(), str(one.index), *numbers, *values])
    note = f"Lowest and highest are over the folds, of {report.metric}; {report.marks}."
    shown = f"the best {len(rows)} of {len(report.complete)}" if len(rows) < len(report.complete) else "all of them"
    return f'<h2>Top combinations</h2>\n<p class="note">{escape(note)}</p>\n{_table(head, rows, shown)}'


def _importance(report: Report, numbers: Iterator[int]) -> str:
    importances = report.importances
    title = "<h2>What matters</h2>\n"
    if importances.explained is None:
        return f'{title}<p class="warning">Importance cannot be worked out: {escape(importances.warning)}.</p>'
    rows = [
        [one.name, f"{one.importance:.3f}", f"{one.deviation:.3f}", one.within] for one in importances.hyperparameters
    ]
    warning = f'<p class="warning">Warning: {escape(importances.warning)}.</p>' if importances.warning else ""
    picture = drawings.importance_bars(importances.hyperparameters, numbers)
    return (
        f"{title}<p>Half of the R² that is lost when the values of a hyperparameter are shuffled. What several do only "
        f"together counts for each of them: these are no parts of a whole, and one may be above 1. The forest that "
        f"they are read from explains {importances.explained:.0%} of the variance out of bag (R²).</p>{warning}"
        f'<div class="scroll">{picture}</div>'
        f"{_numbers(['hyperparameter', 'importance', 'deviation', 'among equal'], rows)}"
        f'<p class="note">Method: {escape(METHOD)}. An optimizer or schedule counts with its arguments; an argument '
        "only among combinations with the same optimizer or schedule.</p>"
    )


def _effects(report: Report, numbers: Iterator[int]) -> str:
    if not report.effects:
        return ""
    means = [one.mean for effect in report.effects for one in effect.levels]
    margin = 0.25 * (max(means) - min(means))
    low, high = min(means) - margin, max(means) + margin
    parts = [_effect(effect, low, high, report.metric, numbers) for effect in report.effects]
    return (
        "<h2>Main effects</h2>\n<p>The mean score of all complete combinations with a value, and the 95 % confidence "
        "interval (Student's t) of that mean over these combinations. It is wide where other hyperparameters matter; "
        "it says nothing of the spread over the folds. All are drawn to the same scale, which cuts very wide intervals."
        f"</p>\n{''.join(parts)}"
    )


def _effect(effect: MainEffect, low: float, high: float, metric: str, numbers: Iterator[int]) -> str:
    rows = [
        [
            one.level.text,
            str(one.count),
            f"{one.mean:.4f}",
            f"{one.interval[0]:.4f} to {one.interval[1]:.4f}" if one.interval else "",
            f"{one.best:.4f}",
        ]
        for one in effect.levels
    ]
    return (
        f'<h3>{escape(effect.name)}</h3><p class="note">explains {effect.share:.0%} of the variance alone, span '
        f'{effect.span:.4f}</p><div class="scroll">'
        f"{drawings.effect_intervals(effect, low, high, metric, numbers)}</div>"
        f"{_numbers(['value', 'combinations', 'mean', '95 % interval', 'best'], rows)}"
    )


def _heat_map(report: Report, numbers: Iterator[int]) -> str:
    heat_map = report.heat_map
    if heat_map is None:
        return ""
    title = f"<h2>{escape(heat_map.down)} and {escape(heat_map.across)}</h2>\n"
    if heat_map.is_empty:
        return f"{title}<p>No complete combination has both.</p>"
    return (
        f"{title}<p>The mean {escape(report.metric)} of the complete combinations with both values; the highest is "
        f'starred.</p><div class="scroll">{drawings.heat_map_cells(heat_map, report.metric, numbers)}</div>'
    )


def _parallel(report: Report, numbers: Iterator[int]) -> str:
    if len(report.axes) < 3:
        return ""
    thinned = len(report.complete) > drawings.MOST_LINES
    note = f" Of {len(report.complete)} lines {drawings.MOST_LINES} are drawn, evenly by rank." if thinned else ""
    picture = drawings.parallel_lines(report.axes, report.complete.means, report.metric, numbers)
    return (
        "<h2>Parallel coordinates</h2>\n<p>Every complete combination is a line from its values to its score, stronger "
        f'the better it is; the best is orange and thick.{note}</p><div class="scroll">{picture}</div>'
    )


def _traces(report: Report, numbers: Iterator[int]) -> str:
    # A script's estimator need not be one that trains by epochs.
    traces = [trace for trace in report.traces if trace.curves or trace.rates is not None]
    if not traces:
        return ""
    parts = [_trace(trace, report.metric, numbers) for trace in traces]
    return (
        "<h2>Learning rate and curves of the best</h2>\n<p>A line a fold: loss dotted, validation loss and validation "
        f"score solid.</p>\n{''.join(parts)}"
    )


def _trace(trace: Trace, metric: str, numbers: Iterator[int]) -> str:
    index = trace.combination.index
    pictures = []
    if trace.rates is not None:
        epochs = [(step + 1) / trace.rates.steps_per_epoch for step in trace.rates.steps]
        planned = [Series(epochs, trace.rates.rates, "rate")]
        is_steep = min(trace.rates.rates) > 0 and max(trace.rates.rates) / min(trace.rates.rates) > 20
        title = f"#{index}: learning rate{', logarithmic' if is_steep else ''}"
        pictures.append(drawings.line_chart(planned, title, "epochs", numbers, logarithmic=is_steep))
    losses = [Series(_epochs(curve.loss), curve.loss, "loss") for curve in trace.curves]
    losses += [Series(_epochs(curve.validation_loss), curve.validation_loss, "validation") for curve in trace.curves]
    scores = [Series(_epochs(curve.validation_score), curve.validation_score, "score") for curve in trace.curves]
    pictures.append(drawings.line_chart(losses, f"#{index}: loss", "epoch", numbers))
    pictures.append(drawings.line_chart(scores, f"#{index}: {metric}", "epoch", numbers))
    return (
        f'<h3>#{index}: {escape(in_short(trace.combination.params))}</h3><div class="traces">{"".join(pictures)}</div>'
    )


def _epochs(values: Sequence[object]) -> list[float]:
    return [float(epoch) for epoch in range(1, len(values) + 1)]


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def _numbers(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<details><summary>Numbers</summary>{_table(head, rows)}</details>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    heading = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="scroll"><table>{above}<thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table></div>'
