"""A report as plain values, for JSON: numbers as they are, nothing rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.analysis.results import metric_values
from engine.analysis.selection.wording import corrected_values
from engine.analysis.trends.importance import METHOD

if TYPE_CHECKING:
    from engine.analysis.report.contents import Report, Trace
    from engine.analysis.trends.effects import MainEffect
    from engine.analysis.trends.parallel import ParallelAxis
    from engine.analysis.trends.top import TopCombination


def as_values(report: Report) -> dict[str, Any]:
    """Everything `report --json` prints. Lists by combination are in the order of `complete`."""
    spec = report.record.spec
    heat_map = report.heat_map
    return {
        "session": report.source.id,
        "state": report.status,
        "dataset": spec.get("dataset"),
        "synthetic": report.record.data.synthetic,
        "rows": report.record.data.rows,
        "folds": spec.get("folds"),
        "repeats": spec.get("repeats"),
        "seed": spec.get("seed"),
        "strategy": spec.get("strategy"),
        "metric": report.metric,
        "metrics": report.state.scoring,
        "searched": report.searched,
        "combinations": len(report.state.combinations),
        "by_status": report.counts,
        "complete": report.complete.indices,
        "means": report.complete.means,
        "remarks": report.remarks,
        "damages": report.state.damages,
        "honest": corrected_values(report.corrected_best),
        "top": [_top(one, report) for one in report.top],
        "importance": {
            "method": METHOD,
            "explained": report.importances.explained,
            "warning": report.importances.warning,
            "hyperparameters": [
                {"name": one.name, "importance": one.importance, "deviation": one.deviation, "within": one.within}
                for one in report.importances.hyperparameters
            ],
        },
        "main_effects": [_effect(effect) for effect in report.effects],
        "heat_map": heat_map
        and {
            "down": heat_map.down,
            "across": heat_map.across,
            "down_levels": heat_map.down_levels,
            "across_levels": heat_map.across_levels,
            "means": heat_map.means,
            "counts": heat_map.counts,
        },
        "parallel_coordinates": [_axis(axis) for axis in report.axes],
        "traces": [_trace(trace) for trace in report.traces],
    }


def _top(one: TopCombination, report: Report) -> dict[str, Any]:
    return {
        "index": one.index,
        "rank": one.rank,
        "mean": one.mean,
        "std": one.deviation,
        "scores": one.scores,
        "metrics": metric_values(report.state.combinations[one.index]),
        "tied": one.is_tied,
        "near": one.is_near,
        "params": report.state.combinations[one.index].params,
    }


def _effect(effect: MainEffect) -> dict[str, Any]:
    return {
        "name": effect.name,
        "span": effect.span,
        "share": effect.share,
        "levels": [
            {
                "level": one.level.text,
                "low": one.level.low,
                "high": one.level.high,
                "count": one.count,
                "mean": one.mean,
                "std": one.deviation,
                "interval": one.interval,
                "best": one.best,
            }
            for one in effect.levels
        ],
    }


def _axis(axis: ParallelAxis) -> dict[str, Any]:
    return {
        "name": axis.name,
        "levels": [level.text for level in axis.levels],
        "level_ends": axis.ends,
        "places": axis.places,
    }


def _trace(trace: Trace) -> dict[str, Any]:
    rates = trace.rates
    return {
        "index": trace.combination.index,
        "learning_rate": rates
        and {"steps": rates.steps, "rates": rates.rates, "steps_per_epoch": rates.steps_per_epoch},
        "curves": [
            {
                "loss": curve.loss,
                "validation_loss": curve.validation_loss,
                "validation_score": curve.validation_score,
                "learning_rate": curve.learning_rate,
            }
            for curve in trace.curves
        ],
    }
