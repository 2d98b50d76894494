"""Two sessions side by side: what was asked of each, which combinations they share, and how their scores differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.varying import varying
from engine.session.combination import CombinationStatus
from engine.session.session import open_session
from engine.spec.spelling import in_short, show_value
from engine.spec.strategy_options import strategy_in_words
from tui.home.notes import read_note
from tui.results.model import in_few_words, short_titles
from tui.spec_text.form import form_of

if TYPE_CHECKING:
    from engine.session.combination import CombinationState
    from engine.session.listing import SessionSummary
    from engine.session.record import SearchRecord
    from engine.session.state import SearchState

_MOST_LISTED = 8  # values of a hyperparameter


@dataclass(frozen=True, slots=True)
class Shared:
    """A combination that both searches finished: its indices, means and deviations in each, and second less first."""

    params: str
    first_index: int
    second_index: int
    first: tuple[float, float]
    second: tuple[float, float]

    @property
    def difference(self) -> float:
        """Positive where the second session is better."""
        return self.second[0] - self.first[0]


@dataclass(frozen=True)
class Side:
    """One session; text from outside."""

    id: str
    summary: SessionSummary
    facts: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str], ...]  # of each hyperparameter that varies in or between them, the same ones on both
    best: str
    best_values: str
    note: str
    combinations: int
    only_here: int


@dataclass(frozen=True)
class Comparison:
    """Both sides; `metric` is the one compared, None where they have none in common; `caveats` in whole sentences."""

    sides: tuple[Side, Side]
    metric: str | None
    shared: tuple[Shared, ...]
    unfinished: int
    caveats: tuple[str, ...]
    is_running: bool = False  # an engine works on one of them


def compare(first: SessionSummary, second: SessionSummary) -> Comparison:
    """Read both sessions. Raises FoldwatchError and OSError if one cannot be read."""
    sessions = [open_session(summary.id, summary.folder.parent) for summary in (first, second)]
    states = [session.state() for session in sessions]
    records = [session.record for session in sessions]
    metric = next((name for name in states[0].scoring if name in states[1].scoring), None)
    by_params = [{_key(c.params): c for c in state.combinations} for state in states]
    both = [key for key in by_params[0] if key in by_params[1]]
    pairs = [(by_params[0][key], by_params[1][key]) for key in both]
    finished = [pair for pair in pairs if all(c.status is CombinationStatus.COMPLETE for c in pair)]
    names = varying([a for a, _ in finished])
    everywhere = varying([combination for state in states for combination in state.combinations])
    shared = (
        []
        if metric is None
        else [
            Shared(
                in_few_words(a.params, names) or in_short(a.params),
                a.index,
                b.index,
                a.mean(metric),
                b.mean(metric),
            )
            for a, b in finished
        ]
    )
    damaged = [
        f"the record of {session.id} is damaged: scores may be missing; to run them again, {session.going_on()}"
        for session, state in zip(sessions, states, strict=True)
        if state.damages
    ]
    sides = [
        Side(
            id=summary.id,
            summary=summary,
            facts=_facts(record, state),
            values=_values(state, everywhere),
            best=_best(state),
            best_values=in_few_words(state.best.params, everywhere) if state.best is not None else "",
            note=read_note(summary.folder),
            combinations=len(state.combinations),
            only_here=len(state.combinations) - len(both),
        )
        for summary, record, state in zip((first, second), records, states, strict=True)
    ]
    return Comparison(
        sides=(sides[0], sides[1]),
        metric=metric,
        shared=tuple(shared),
        unfinished=len(pairs) - len(finished),
        caveats=(*_caveats(records, metric), *damaged),
        is_running=any(session.liveness().alive for session in sessions),
    )


def ordered(shared: Sequence[Shared], *, by_difference: bool) -> list[Shared]:
    """The largest difference first, or the best of either session first."""
    if by_difference:
        return sorted(shared, key=lambda one: (-abs(one.difference), one.first_index))
    return sorted(shared, key=lambda one: (-max(one.first[0], one.second[0]), one.first_index))


def _key(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)


def _best(state: SearchState) -> str:
    best: CombinationState | None = state.best
    if best is None:
        return ""
    mean, deviation = best.mean(state.scoring[0])
    return f"{mean:.4f} ± {deviation:.4f}  #{best.index}"


def _values(state: SearchState, names: list[str]) -> tuple[tuple[str, str], ...]:
    """What each of the hyperparameters was tried with; the ends where that is much."""
    titles, rows = short_titles(names), []
    for name in names:
        tried = {json.dumps(c.params[name]): c.params[name] for c in state.combinations if name in c.params}
        numbers = [value for value in tried.values() if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) == len(tried) > _MOST_LISTED:
            words = f"{show_value(min(numbers))} to {show_value(max(numbers))}, {len(numbers)} values"
        else:
            values = sorted(numbers) if len(numbers) == len(tried) else list(tried.values())
            words = ", ".join(show_value(value) for value in values)
        rows.append((titles[name], words or "none"))
    return tuple(rows)


def _facts(record: SearchRecord, state: SearchState) -> tuple[tuple[str, str], ...]:
    spec = record.spec
    repeats = spec.get("repeats", 1)
    trainers = sorted({combination.trainer for combination in state.combinations})
    return (
        ("data", f"{spec.get('dataset')}{' (synthetic)' if record.data.synthetic else ''}"),
        ("rows", f"{record.data.rows:,}"),
        ("words", "" if record.script else show_value(spec.get("num_words"))),
        ("folds", f"{spec.get('folds')}{f' x {repeats}' if repeats != 1 else ''}"),
        ("scoring", ", ".join(state.scoring)),
        ("strategy", strategy_in_words(spec.get("strategy", "grid"))),
        ("early stopping", "" if record.script else form_of(spec).text("early_stopping")),
        ("seed", show_value(spec.get("seed"))),
        ("trainer", ", ".join(trainers) if record.script is None else record.script.estimator),
        ("host", record.host),
        ("versions", _versions(record)),
    )


def _versions(record: SearchRecord) -> str:
    names = ("foldwatch", "keras", "tensorflow")
    return ", ".join(f"{name} {record.versions[name]}" for name in names if name in record.versions)


def _caveats(records: list[SearchRecord], metric: str | None) -> list[str]:
    """What makes a difference of scores mean less than it seems."""
    a, b = records
    caveats = []
    if metric is None:
        caveats.append("they have no metric in common, so no scores can be compared")
    if a.script is not None or b.script is not None:
        caveats.append("a script's data and splits are not recorded: they may differ")
    elif a.data.digest != b.data.digest:
        caveats.append("they were trained on different data")
    elif a.data.folds_sha256 != b.data.folds_sha256:
        caveats.append("their folds differ: part of every difference comes from the split")
    if a.spec.get("seed") != b.spec.get("seed"):
        caveats.append("their seeds differ: part of every difference comes from chance")
    changed = sorted(name for name in {*a.versions, *b.versions} if a.versions.get(name) != b.versions.get(name))
    if changed:
        caveats.append(f"versions differ: {', '.join(changed)}")
    return caveats
