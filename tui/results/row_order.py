"""In which order rows are shown: sort, filter, pins and a frozen order, as a permutation of row numbers."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.results.row_filter import FilterError, compile_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tui.results.model import ResultsModel
    from tui.results.row_filter import Predicate

_MOST_MOVED = 100  # rows; of more, sorting all of them anew is cheaper than putting each in its place
# What ranks, what is scored on some folds only, what runs, what waits, what failed or was dropped.
_RANKED, _PARTIAL, _ACTIVE, _WAITING, _LAST = range(5)


@dataclass(frozen=True)
class Arrangement:
    """What somebody chose of an order; it outlives the rows that it was chosen for."""

    sort_key: str = "mean"
    descending: bool = True
    pinned: frozenset[int] = frozenset()
    filter_text: str = ""


class RowOrder:
    """The permutation; `rows[place]` is the row shown there."""

    def __init__(self, model: ResultsModel, chosen: Arrangement = Arrangement()) -> None:
        self.model = model
        self.sort_key, self.descending = chosen.sort_key, chosen.descending
        self.pinned = set(chosen.pinned)
        self.frozen = False
        self.filter_text = chosen.filter_text
        self.problem = ""  # why the filter cannot be applied to what is there
        self.rows: list[int] = []
        self._keeps: Predicate | None = None

    @property
    def chosen(self) -> Arrangement:
        """Sort, pins and filter, for another order of the same search."""
        return Arrangement(self.sort_key, self.descending, frozenset(self.pinned), self.filter_text)

    def sort_by(self, key: str, *, descending: bool | None = None) -> None:
        """Sort by a column; the same column again turns the direction round."""
        if descending is not None:
            self.descending = descending
        elif key == self.sort_key:
            self.descending = not self.descending
        else:
            scores = ("mean", "std", "seconds", *self.model.deviations)
            self.descending = key in scores or key.startswith("fold ")
        self.sort_key = key

    def filter_by(self, text: str) -> None:
        """Keep rows for which the filter holds. Raises FilterError, and then keeps the filter it had."""
        self._keeps = compile_filter(text, self.model.values)
        self.filter_text, self.problem = text.strip(), ""

    def filter_as_typed(self, text: str) -> str:
        """Filter by the terms that can be read so far; what is wrong with the next one, nothing if all is well."""
        try:
            self.filter_by(text)
        except FilterError as error:
            self.filter_as_typed(text[: error.position])
            return str(error)
        return ""

    def keeps(self, row: int) -> bool:
        """Whether the filter holds for a row, pinned or not."""
        return self._keeps is None or self._keeps(row)

    def toggle_pin(self, row: int) -> bool:
        """Hold a row at the top, or let it go; returns whether it is held now."""
        self.pinned ^= {row}
        return row in self.pinned

    def place(self, row: int | None) -> int | None:
        """Where a row is shown; None if it is not."""
        try:
            return None if row is None else self.rows.index(row)
        except ValueError:
            return None

    def arrange(self, *, whatever_frozen: bool = False) -> bool:
        """Order all rows; returns whether the permutation changed. A frozen order only takes in new rows."""
        model = self.model
        if self.filter_text:
            # The model may have been rebuilt: its columns are other lists then.
            try:
                self._keeps, self.problem = compile_filter(self.filter_text, model.values), ""
            except FilterError as error:  # a record read anew may lack the column, or not have it yet
                self._keeps, self.problem = None, str(error)
        if self.frozen and not whatever_frozen:
            shown = [row for row in self.rows if row < model.rows]
            known = set(shown)
            return self._take(shown + [row for row in range(model.rows) if row not in known and self.keeps(row)])
        return self._take(sorted((row for row in range(model.rows) if self._is_shown(row)), key=self._sort_key()))

    def follow(self, changed: Collection[int]) -> bool:
        """Put the rows that changed where they belong, in a model that has the rows it had; whether anything moved."""
        if self.frozen:
            return False
        if len(changed) > _MOST_MOVED:
            return self.arrange()
        shown = [row for row in self.rows if row not in changed]
        key = self._sort_key()
        for row in changed:
            if self._is_shown(row):
                insort(shown, row, key=key)
        return self._take(shown)

    def _take(self, shown: list[int]) -> bool:
        has_changed = shown != self.rows
        self.rows = shown
        return has_changed

    def _is_shown(self, row: int) -> bool:
        return row in self.pinned or self.keeps(row)

    def _sort_key(self) -> Callable[[int], tuple[Any, ...]]:
        """What rows are sorted by, the row itself at the end, so that the same rows always end in the same order."""
        model, pinned = self.model, self.pinned
        name = "mean" if self.sort_key == "rank" else self.sort_key
        column: list[Any] | None = model.values.get(name) or model.shared.get(name)
        if column is None:
            return lambda row: (row not in pinned, row)
        sign = -1 if self.descending != (self.sort_key == "rank") else 1
        by_mean = name == "mean" or name in model.deviations
        numbers = column if by_mean or name in ("std", "seconds") or name.startswith("fold ") else _numbered(column)
        complete, last, stages = model.complete, model.last, model.stages
        active = {row for row, _ in model.running}

        def key(row: int) -> tuple[Any, ...]:
            value = numbers[row]
            if row in last:
                return row not in pinned, _LAST, 0, 0, row
            if value is None:
                return row not in pinned, _ACTIVE if row in active else _WAITING, 0, 0, row
            if not by_mean:
                return row not in pinned, _RANKED, 0, sign * value, row
            # What is complete ranks; a mean over fewer folds does not, and comes after.
            return row not in pinned, _RANKED if row in complete else _PARTIAL, sign * stages[row], sign * value, row

        return key


def _numbered(column: list[Any]) -> list[int | None]:
    """Each value's number among those of the column: names sort like numbers, and turned round as well."""
    distinct = sorted({value for value in column if value is not None}, key=_either)
    number: dict[Any, int | None] = {value: place for place, value in enumerate(distinct)}
    number[None] = None
    return [number[value] for value in column]


def _either(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, str(value)
