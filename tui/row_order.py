"""In which order rows are shown: sort, filter, pins and a frozen order, as a permutation of row numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.row_filter import FilterError, compile_filter

if TYPE_CHECKING:
    from tui.results_model import ResultsModel
    from tui.row_filter import Predicate


class RowOrder:
    """The permutation; `rows[place]` is the row shown there, `places[row]` where a row is shown."""

    def __init__(self, model: ResultsModel) -> None:
        self.model = model
        self.sort_key = "mean"
        self.descending = True
        self.pinned: set[int] = set()
        self.frozen = False
        self.filter_text = ""
        self.problem = ""  # why the filter cannot be applied to what is there
        self.rows: list[int] = []
        self.places: dict[int, int] = {}
        self._keeps: Predicate | None = None

    def sort_by(self, key: str, *, descending: bool | None = None) -> None:
        """Sort by a column; the same column again turns the direction round."""
        if descending is not None:
            self.descending = descending
        elif key == self.sort_key:
            self.descending = not self.descending
        else:
            self.descending = key in ("mean", "std", "seconds") or key.startswith("fold ")
        self.sort_key = key

    def filter_by(self, text: str) -> None:
        """Keep rows for which the filter holds. Raises FilterError, and then keeps the filter it had."""
        self._keeps = compile_filter(text, self.model.values)
        self.filter_text, self.problem = text.strip(), ""

    def keeps(self, row: int) -> bool:
        """Whether the filter holds for a row, pinned or not."""
        return self._keeps is None or self._keeps(row)

    def toggle_pin(self, row: int) -> bool:
        """Hold a row at the top, or let it go; returns whether it is held now."""
        self.pinned ^= {row}
        return row in self.pinned

    def arrange(self, *, whatever_frozen: bool = False) -> bool:
        """Bring the permutation up to date; returns whether it changed. A frozen order only takes in new rows."""
        model = self.model
        if self.filter_text:
            # The model may have been rebuilt: its columns are other lists then.
            try:
                self._keeps, self.problem = compile_filter(self.filter_text, model.values), ""
            except FilterError as error:  # a record read anew may lack the column, or not have it yet
                self._keeps, self.problem = None, str(error)
        keeps = self._keeps
        if self.frozen and not whatever_frozen:
            shown = [row for row in self.rows if row < model.rows]
            known = set(shown)
            shown += [row for row in range(model.rows) if row not in known and (keeps is None or keeps(row))]
        else:
            kept = range(model.rows) if keeps is None else [row for row in range(model.rows) if keeps(row)]
            if self.pinned:
                kept = [row for row in kept if row not in self.pinned]
                shown = self._sorted(sorted(row for row in self.pinned if row < model.rows)) + self._sorted(kept)
            else:
                shown = self._sorted(kept)
        if shown == self.rows:
            return False
        self.rows = shown
        self.places = {row: place for place, row in enumerate(shown)}
        return True

    def _sorted(self, rows: Any) -> list[int]:
        model = self.model
        key = "mean" if self.sort_key == "rank" else self.sort_key
        descending = self.descending != (self.sort_key == "rank")
        column: list[Any] | None = model.values.get(key) or model.shared.get(key)
        if column is None:
            return list(rows)
        # Comprehensions, because this runs over every row a few times a second.
        last_rows, complete = model.last, model.complete
        last = [row for row in rows if row in last_rows] if last_rows else []
        present = [row for row in rows if column[row] is not None and row not in last_rows]
        missing = [row for row in rows if column[row] is None and row not in last_rows]
        if missing and model.running:
            # What runs is looked at before what waits.
            active = {row for row, _ in model.running}
            missing = [row for row in missing if row in active] + [row for row in missing if row not in active]
        stages = model.stages
        try:
            if key == "mean" and any(stages):
                present.sort(key=lambda row: (stages[row], column[row]), reverse=descending)
            else:
                present.sort(key=column.__getitem__, reverse=descending)
        except TypeError:  # a hyperparameter that is a number here and a name there
            present.sort(key=lambda row: _either(column[row]), reverse=descending)
        if key == "mean":
            # What is complete ranks; a mean over fewer folds does not, and comes after.
            partial = [row for row in present if row not in complete]
            if partial:
                present = [row for row in present if row in complete] + partial
        return present + missing + last


def _either(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, str(value)
