"""The results table's numbers: one list a column, one entry a combination, kept up to date from what changed.

No screen, no order: `RowOrder` permutes the rows and the table draws them.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.varying import shown_parameter, varying
from engine.session.combination import CombinationStatus
from engine.spec.spelling import show_value
from tui.parts.safe_text import clean
from tui.results.parameter_columns import grouped, in_one, shared_texts

if TYPE_CHECKING:
    from engine.session.activity import TrainingState
    from engine.session.combination import CombinationState, FitRecord
    from engine.session.state import SearchState

LAST = frozenset({CombinationStatus.FAILED, CombinationStatus.DIVERGED, CombinationStatus.DROPPED})
_LONGEST_VALUE = 24
_ABSENT = object()  # of a hyperparameter that a combination does not have


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is drawn: `key` names its values, `title` is what stands above them.

    `stays`: however far the others are scrolled.
    """

    key: str
    title: str
    width: int
    kind: str  # rank, number, stage, param, fold, mean, metric, seconds, status
    right: bool = True
    fold: int = -1
    stays: bool = False


class ResultsModel:
    """Columns over the combinations of a search; rows are the combinations' indices."""

    def __init__(self) -> None:
        self.rows = 0
        self.splits = 0
        self.params: list[str] = []  # hyperparameters that vary, sorted
        self.fixed: dict[str, Any] = {}  # those that do not
        self.columns: list[Column] = []
        self.values: dict[str, list[Any]] = {}  # by column key, None where missing
        self.further: dict[str, str] = {}  # metrics after the first, each with the key of its means
        self.deviations: dict[str, list[float | None]] = {}  # of the further metrics, by the same keys
        self.texts: dict[str, list[str]] = {}  # of the hyperparameters, as drawn
        self.shared: dict[str, list[str]] = {}  # columns that several hyperparameters share: to sort by, not to filter
        self.fits: list[list[FitRecord]] = []  # by fold
        self.statuses: list[CombinationStatus] = []
        self.stages: list[int] = []  # counted from 0
        self.rungs: list[list[tuple[int, float | None] | None]] = []  # by fold: epochs and score of the latest rung
        self.running: dict[tuple[int, int], TrainingState] = {}  # by (combination, fold)
        self.complete: set[int] = set()  # rows with a score on every fold
        self.last: set[int] = set()  # rows that go after all others in any order: failed, diverged, dropped
        self._folds: list[list[Any]] = []  # the folds' columns of `values`, in order
        self._ranking: list[tuple[int, float, int]] = []  # the complete ones' stage and mean, negative, and row

    def update(self, state: SearchState) -> set[int]:
        """Take the state's changes over; returns the rows that changed. The caller clears `state.changed`."""
        if len(state.combinations) != self.rows or state.splits != self.splits:
            self._rebuild(state)
            return set(range(self.rows))
        changed = set(state.changed)
        self._note_running(state, changed)
        for row in changed:
            self._refresh(row, state.combinations[row])
        return changed

    def rank(self, row: int) -> int | None:
        """1 for the highest mean of the latest stage, ties sharing it; None while the combination is not complete."""
        if row not in self.complete:
            return None
        stage, mean, _ = self._place(row)
        return bisect_left(self._ranking, (stage, mean, -1)) + 1

    @property
    def best(self) -> int | None:
        """The row with the highest mean among the complete ones of the latest stage, the first of several."""
        return self._ranking[0][2] if self._ranking else None

    def _place(self, row: int) -> tuple[int, float, int]:
        """What the complete ones are ranked by: means of unlike stages are of unlike rows."""
        return -self.stages[row], -round(self.values["mean"][row], 12), row

    def rung(self, row: int) -> int:
        """Epochs of the highest rung at which every fold of the row was scored on its way; 0 if at none."""
        return min((rung[0] if rung is not None else 0 for rung in self.rungs[row]), default=0)

    def _rebuild(self, state: SearchState) -> None:
        self.rows, self.splits = len(state.combinations), state.splits
        self.values.clear()
        self.params = varying(state.combinations)
        first = state.combinations[0].params if state.combinations else {}
        self.fixed = {name: value for name, value in sorted(first.items()) if name not in self.params}
        for name in self.params:
            column = [combination.params.get(name, _ABSENT) for combination in state.combinations]
            # A grid has few different values and many rows: each is put into words once.
            keys = [_identity(value) for value in column]
            shown = dict(zip(keys, column, strict=True))
            values = {key: _value(value) for key, value in shown.items()}
            texts = {key: _text(name, value) for key, value in shown.items()}
            self.values[name] = [values[key] for key in keys]
            self.texts[name] = [texts[key] for key in keys]
        folds = [f"fold {fold}" for fold in range(self.splits)]
        for key in [*folds, "mean", "std", "seconds", "trainer", "status"]:
            self.values[key] = [None] * self.rows
        self._folds = [self.values[key] for key in folds]
        self.values["combination"] = list(range(self.rows))
        self._add_metrics(state.scoring)
        self.stages = [combination.stage for combination in state.combinations]
        if any(self.stages):
            self.values["stage"] = [stage + 1 for stage in self.stages]
        self.rungs = [[] for _ in range(self.rows)]
        self.fits = [[] for _ in range(self.rows)]
        self.statuses = [CombinationStatus.WAITING] * self.rows
        self.complete, self.last = set(), set()
        self._ranking = []
        self.columns = self._layout(folds, state.combinations)
        self._note_running(state, set())
        for row, combination in enumerate(state.combinations):
            self._refresh(row, combination)

    def _add_metrics(self, scoring: list[str]) -> None:
        """Columns of values by the metrics' own names; where another column has that name, it says what it is."""
        keys = {metric: f"{metric} (metric)" if metric in self.values else metric for metric in scoring}
        if scoring:
            self.values[keys[scoring[0]]] = self.values["mean"]
        self.further = {metric: keys[metric] for metric in scoring[1:]}
        self.deviations = {key: [None] * self.rows for key in self.further.values()}
        for key in self.further.values():
            self.values[key] = [None] * self.rows

    def _layout(self, folds: list[str], combinations: list[CombinationState]) -> list[Column]:
        titles = short_titles(self.params)
        # What ranks, by what, and how far the rest is, must not need a wide terminal.
        columns = [
            Column("rank", "rank", max(5, len(str(self.rows)) + 3), "rank", stays=True),
            Column("combination", "#", len(str(max(0, self.rows - 1))), "number", stays=True),
            Column("mean", "mean ± std", 14, "mean", stays=True),
        ]
        for metric, key in self.further.items():
            title = clean(metric, longest=_LONGEST_VALUE)
            columns.append(Column(key, title, max(14, len(title)), "metric"))
        if any(self.stages):
            columns.append(Column("stage", "stage", 5, "stage"))
        self.shared = {}
        known = {name for each in combinations for name in each.params}
        for names in grouped(self.params, known):
            name = names[0]
            if len(names) == 1:
                key, title, numeric = name, titles[name], _all_numbers(self.values[name])
            else:
                head = name.partition("__")[0]
                key, title, numeric = f"{head} …", _WELL_KNOWN.get(head, head), False
                self.texts[key] = self.shared[key] = shared_texts(head, [each.params for each in combinations])
            widest = max(map(len, self.texts[key]), default=0)
            width = max(min(widest, _LONGEST_VALUE), len(title))
            columns.append(Column(key, title, width, "param", right=numeric))
        least = len(".7312@10") if any(one.epochs_allowed or one.rung_epochs for one in combinations) else len("0.7312")
        columns += [Column(key, key, max(least, len(key)), "fold", fold=number) for number, key in enumerate(folds)]
        columns.append(Column("seconds", "seconds", 7, "seconds"))
        columns.append(Column("status", "status", 8, "status", right=False))
        return columns

    def _note_running(self, state: SearchState, changed: set[int]) -> None:
        """Rows whose running folds began or ended count as changed, although no score of theirs did."""
        running = {
            (fit.combination, training.fold): training for training in state.trainings.values() for fit in training.fits
        }
        changed.update(row for row, _ in running.keys() ^ self.running.keys())
        self.running = running

    def _refresh(self, row: int, combination: CombinationState) -> None:
        metric = combination.metrics[0]
        status = combination.status
        if row in self.complete:
            self.complete.discard(row)
            del self._ranking[bisect_left(self._ranking, self._place(row))]
        # Where something is still to come, the folds so far say where to look; what has ended without all has no mean.
        means = combination.mean if status.is_finished else combination.mean_so_far
        mean, deviation = means(metric)
        values = self.values
        for column, score in zip(self._folds, combination.scores_of(metric), strict=True):
            column[row] = score
        values["mean"][row] = None if math.isnan(mean) else mean
        values["std"][row] = None if math.isnan(deviation) else deviation
        for further, key in self.further.items():
            its_mean, its_deviation = means(further)
            values[key][row] = None if math.isnan(its_mean) else its_mean
            self.deviations[key][row] = None if math.isnan(its_deviation) else its_deviation
        values["seconds"][row] = combination.total_seconds or None
        values["status"][row] = str(status)
        values["trainer"][row] = combination.trainer
        self.statuses[row] = status
        self.fits[row] = combination.fits
        self.rungs[row] = _latest_rungs(combination) if combination.rung_epochs else []
        (self.last.add if status in LAST else self.last.discard)(row)
        # A metric that a fold cannot define leaves a complete combination without a mean, and so without a rank.
        if status is CombinationStatus.COMPLETE and not math.isnan(mean):
            self.complete.add(row)
            insort(self._ranking, self._place(row))


def _latest_rungs(combination: CombinationState) -> list[tuple[int, float | None] | None]:
    latest = [fit.rung(fit.epochs_behind) for fit in combination.fits]
    return [(rung.epochs, rung.score) if rung is not None else None for rung in latest]


def _identity(value: Any) -> Any:
    """What tells values apart, to be looked up by: 1, 1.0 and True are three."""
    kind = type(value)
    return kind, tuple(map(_identity, value)) if kind is list or kind is tuple else value


def _value(value: Any) -> Any:
    """To sort and filter by: numbers and text, None where missing; structures (layer lists) stand as their text."""
    if value is _ABSENT:
        return None
    return value if isinstance(value, bool | int | float) else clean(show_value(value))


def _text(name: str, value: Any) -> str:
    """As drawn."""
    return clean(shown_parameter(name, {} if value is _ABSENT else {name: value}), longest=200)


def _all_numbers(values: list[Any]) -> bool:
    return all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)


def in_few_words(params: dict[str, Any], names: list[str]) -> str:
    """The named parameters that a combination has: `batch 128, epochs 20, Exp 0.1 0.96, adam`."""
    titles = _short_titles(tuple(names))
    parts: list[str] = []
    for group in grouped(names, params):
        head, *arguments = group
        if arguments and isinstance(params.get(head), str):
            parts.append(in_one(head, arguments, params))
            continue
        for name in group:
            if name in params:
                shown = clean(show_value(params[name]), longest=60)
                parts.append(shown if name in _SPEAK_FOR_THEMSELVES else f"{titles[name]} {shown}")
    return ", ".join(parts)


@functools.lru_cache(maxsize=8)
def _short_titles(names: tuple[str, ...]) -> dict[str, str]:
    """Remembered, because each line of a long log asks for the same ones."""
    return short_titles(list(names))


def short_titles(names: list[str]) -> dict[str, str]:
    """Each name's shortest clear title: `decay_rate` for learning_rate__decay_rate, `units` for hidden_units."""
    titles: dict[str, str] = {}
    for name in names:
        candidates = [name.rpartition("__")[2], name]
        if "__" not in name:
            candidates.insert(0, _WELL_KNOWN.get(name, name))
        taken = set(titles.values())
        titles[name] = clean(next((title for title in candidates if title not in taken), name), longest=40)
    return titles


_SPEAK_FOR_THEMSELVES = frozenset({"optimizer", "activation"})
_WELL_KNOWN = {
    "batch_size": "batch",
    "hidden_units": "units",
    "hidden_layers": "layers",
    "learning_rate": "learning rate",
}
