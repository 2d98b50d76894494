"""How a row of the results table looks: segments from the model's columns, in named styles."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from engine.session.combination import CombinationStatus, FitStatus
from tui.parts import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tui.results.model import Column, ResultsModel
    from tui.results.row_order import RowOrder

STYLES = (
    "row",
    "heading",
    "sorted",
    "cursor",
    "cursor-away",
    "best",
    "strong",
    "dim",
    "filled",
    "running",
    "failed",
    "diverged",
    "pin",
)


class Cells:
    """Draws headings and rows; knows where columns begin."""

    def __init__(self, model: ResultsModel, order: RowOrder) -> None:
        self.model = model
        self.order = order
        self.styles: dict[str, Style] = {}
        self.gap = 2
        self._room = 0
        self._arranged: list[Column] = []
        self._arranged_of: list[Column] | None = None

    @property
    def columns(self) -> list[Column]:
        """The model's, in the order that fits the width."""
        if self._arranged_of is not self.model.columns:
            self.fit(self._room)
        return self._arranged

    @property
    def width(self) -> int:
        """Of a whole row."""
        return sum(column.width + self.gap for column in self.model.columns)

    @property
    def frozen(self) -> int:
        """Width of what stays when columns scroll."""
        return sum(column.width + self.gap for column in self.model.columns if column.stays)

    def fit(self, width: int) -> None:
        """Columns stand closer where that saves scrolling; metrics without room go last (see `arranged`)."""
        self._room = width
        self.gap = 2
        if self.width > width:
            self.gap = 1
        self._arranged = arranged(self.model.columns, width)
        self._arranged_of = self.model.columns

    def snug(self, most: int) -> int:
        """The widest part, of at most this width, that ends where a column ends."""
        whole = sum(column.width + 2 for column in self.model.columns)
        if whole <= most:
            return whole
        edge, widest = -1, 0
        for column in arranged(self.model.columns, most):
            edge += column.width + 1
            if edge <= most:
                widest = edge
        return widest

    def column_edge(self, left: int, step: int) -> int:
        """The next place at which a column begins behind the frozen one."""
        edges, edge = [0], 0
        for _, column in self._places():
            edge += column.width + self.gap
            edges.append(edge)
        if step > 0:
            return next((edge for edge in edges if edge > left), left)
        return next((edge for edge in reversed(edges) if edge < left), 0)

    def hidden(self, width: int, left: int) -> int:
        """Columns that a part of this width, scrolled by `left`, does not show whole."""
        return sum(not self._is_whole(begin, column, width, left) for begin, column in self._places())

    def shows(self, key: str, width: int, left: int) -> bool:
        """Whether such a part shows a column whole; what stays always is."""
        places = (one for one in self._places() if one[1].key == key)
        return all(self._is_whole(begin, column, width, left) for begin, column in places)

    def whole_width(self, width: int, left: int) -> int:
        """Where the last column ends that such a part shows whole: half a number would be another one."""
        ends = (begin - left + column.width + 1 for begin, column in self._places() if begin - left < width)
        return max([self.frozen, *(end for end in ends if end - 1 <= width)])

    def _places(self) -> Iterator[tuple[int, Column]]:
        """Where each column begins that scrolls, and the column."""
        begin = self.frozen
        for column in self.columns:
            if not column.stays:
                yield begin, column
                begin += column.width + self.gap

    def _is_whole(self, begin: int, column: Column, width: int, left: int) -> bool:
        return begin - left >= self.frozen and begin - left + column.width <= width

    def column_at(self, x: int, left: int) -> Column | None:
        """The column under a place of the visible part."""
        position = x if x < self.frozen else x + left
        edge = 0
        for column in self.columns:
            edge += column.width + self.gap
            if position < edge:
                return column
        return None

    def heading(self) -> list[Segment]:
        """Titles; the sorted one has an arrow for the direction."""
        segments: list[Segment] = []
        for column in self.columns:
            width, title = column.width, column.title
            text = title[:width].rjust(width) if column.right else title[:width].ljust(width)
            if column.key == self.order.sort_key:
                # The arrow stands in the gap behind the title, so that no column need be wider for it.
                arrow = "▾" if self.order.descending else "▴"
                text, behind = f"{text}{arrow}", " " * (self.gap - 1)
                segments.append(Segment(text, self.styles["sorted"]))
                segments.append(Segment(behind, self.styles["heading"]))
            else:
                segments.append(Segment(text + " " * self.gap, self.styles["heading"]))
        return segments

    def row(self, row: int) -> list[Segment]:
        """A combination."""
        model, styles, segments = self.model, self.styles, list[Segment]()
        status = model.statuses[row]
        rank = model.rank(row)
        best = rank == 1
        plain = styles["best"] if best else None
        if status is CombinationStatus.WAITING or row in model.last:
            plain = styles["dim"]
        gap = Segment(" " * self.gap, None)
        for column in self.columns:
            kind, width = column.kind, column.width
            if kind == "rank":
                pinned = row in self.order.pinned
                segments.append(Segment("◆" if pinned else " ", styles["pin"]))
                number = "" if rank is None else str(rank)
                segments.append(Segment(f"{number.rjust(width - 3)} {'★' if best else ' '}", plain))
            elif kind == "number":
                segments.append(Segment(str(row).rjust(width), plain or styles["dim"]))
            elif kind == "stage":
                segments.append(Segment(str(model.stages[row] + 1).rjust(width), plain))
            elif kind == "param":
                text = model.texts[column.key][row]
                if len(text) > width:
                    text = f"{text[: width - 1]}…"
                segments.append(Segment(text.rjust(width) if column.right else text.ljust(width), plain))
            elif kind == "fold":
                segments.extend(self._fold(row, column.fold, width, plain))
                if model.fits[row][column.fold].stopped_at is not None:
                    # In the gap behind the score, so that no column need be wider for it.
                    segments += [Segment("▪", styles["dim"]), Segment(" " * (self.gap - 1), None)]
                    continue
            elif kind == "mean":
                # Without a mean to rank, the cell shows how far the combination is: the status may be out of sight.
                if status is CombinationStatus.COMPLETE:
                    text = numbers.with_deviation(model.values["mean"][row], model.values["std"][row])
                    segments.append(Segment(text.rjust(width), plain or styles["strong"]))
                else:
                    cell = self._status(row, status, plain)
                    segments.append(Segment(cell.text.rjust(width), cell.style))
            elif kind == "metric":
                # A mean over some of the folds is not to be compared with any other.
                if status is CombinationStatus.COMPLETE:
                    text = numbers.with_deviation(model.values[column.key][row], model.deviations[column.key][row])
                else:
                    text = ""
                segments.append(Segment(text.rjust(width), plain))
            elif kind == "seconds":
                text = numbers.seconds(model.values["seconds"][row])
                segments.append(Segment(text.rjust(width), plain))
            else:
                cell = self._status(row, status, plain)
                segments.append(Segment(cell.text[:width].ljust(width), cell.style))
            segments.append(gap)
        return segments

    def _fold(self, row: int, fold: int, width: int, plain: Style | None) -> list[Segment]:
        styles, status = self.styles, self.model.fits[row][fold].status
        if status is FitStatus.SCORED:
            value = self.model.values[f"fold {fold}"][row]
            text = "undef." if value is None else numbers.score(value, width)
            return [Segment(text.rjust(width), plain)]
        if status is FitStatus.FAILED:
            return [Segment("failed".rjust(width), styles["failed"])]
        if status is FitStatus.DIVERGED:
            return [Segment("nan".rjust(width), styles["diverged"])]
        training = self.model.running.get((row, fold))
        if status is not FitStatus.RUNNING or training is None:
            rung = self.model.rungs[row][fold] if self.model.rungs[row] else None
            if rung is not None:
                return [Segment(numbers.at_rung(*rung).rjust(width), styles["dim"])]
            return [Segment(("·" * 6).rjust(width), styles["dim"])]
        epochs = next((fit.epochs for fit in training.fits if fit.combination == row), training.epochs)
        text = (numbers.score(training.validation_score, width) or "·" * 6).rjust(width)
        done = round(width * min(1.0, training.epoch / epochs))
        return [Segment(text[:done], styles["filled"]), Segment(text[done:], styles["dim"])]

    def _status(self, row: int, status: CombinationStatus, plain: Style | None) -> Segment:
        text, style = str(status), plain
        if status is CombinationStatus.RUNNING:
            style = self.styles["running"]
            epoch, epochs = 0, 0
            for fold, fit in enumerate(self.model.fits[row]):
                training = self.model.running.get((row, fold)) if fit.status is FitStatus.RUNNING else None
                if training is not None:
                    wanted = next(fit.epochs for fit in training.fits if fit.combination == row)
                    epoch, epochs = max(epoch, min(training.epoch, wanted)), max(epochs, wanted)
            if epochs:
                text = f"{numbers.spinner(epoch)} {epoch}/{epochs}"
        elif status is CombinationStatus.PARTIAL:
            fits = self.model.fits[row]
            rungs = self.model.rungs[row] or [None] * len(fits)
            scored = sum(fit.status.is_finished or rung is not None for fit, rung in zip(fits, rungs, strict=True))
            text = f"{scored} of {self.model.splits}"
            if self.model.rung(row) and not any(fit.status.is_finished for fit in fits):
                text = f"rung {self.model.rung(row)}"
            if any(fit.status is FitStatus.FAILED for fit in fits):
                style = self.styles["failed"]
        elif status is CombinationStatus.FAILED:
            style = self.styles["failed"]
        elif status is CombinationStatus.DIVERGED:
            style = self.styles["diverged"]
        return Segment(text, style)


def arranged(columns: Sequence[Column], width: int) -> list[Column]:
    """Columns in the order in which a table of this width shows them.

    Metrics after the first stand behind the first one's as long as the other columns keep half of what is not frozen;
    those for which there is no such room come last, so that they are the first ones out of sight.
    """
    metrics = [column for column in columns if column.kind == "metric"]
    room = (width - sum(column.width + 1 for column in columns if column.stays)) // 2
    taken = list(itertools.accumulate(column.width + 1 for column in metrics))
    last = [column for column, edge in zip(metrics, taken, strict=True) if edge > room]
    return [column for column in columns if column not in last] + last
