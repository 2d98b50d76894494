"""Plain-text tables for a terminal of any width: nothing is cut off, rows fold where columns do not fit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from engine.formatting.safe_text import clean


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, right: Sequence[bool]) -> str:
    """Aligned columns under a head; `right`: whether each column is aligned to the right.

    Where the columns do not fit, the last ones go to a line of their own below each row, as `name value`.
    """
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    fitting = len(head)
    while fitting > 1 and _total(widths[:fitting]) > width:
        fitting -= 1
    lines = []
    for number, row in enumerate(cells):
        aligned = (row[i].rjust(widths[i]) if right[i] else row[i].ljust(widths[i]) for i in range(fitting))
        lines.append("  ".join(aligned).rstrip())
        rest = [f"{head[i]} {row[i]}" for i in range(fitting, len(head)) if row[i]]
        if number and rest:
            lines += _folded(rest, width)
    return "\n".join(lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _folded(pieces: Sequence[str], width: int) -> list[str]:
    indent = 5 * " "
    lines, line = [], indent
    # A path is one long word: it is broken here, since the terminal would break it anywhere.
    for piece in (part for whole in pieces for part in textwrap.wrap(whole, max(20, width - len(indent)))):
        if len(line) + 2 + len(piece) > width and line.strip():
            lines.append(line)
            line = indent
        line += f"  {piece}" if line.strip() else piece
    return [*lines, line]


def with_room(
    head: list[str], rows: list[list[str]], more_head: Sequence[str], more_rows: Sequence[Sequence[str]], width: int
) -> tuple[list[str], list[list[str]]]:
    """A table with more columns after its own, if there is room for all of them; otherwise the table itself."""
    wider, longer = [*head, *more_head], [[*row, *more] for row, more in zip(rows, more_rows, strict=True)]
    return (wider, longer) if fits_into(wider, longer, width) else (head, rows)


def fits_into(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table of these columns is at most so wide."""
    return _total([max(map(len, column)) for column in zip(head, *rows, strict=True)]) <= width


def facts(pairs: Sequence[tuple[str, Any]]) -> str:
    """Names and values, aligned; pairs without a value are left out."""
    present = [(clean(name), str(value)) for name, value in pairs if value not in (None, "")]
    widest = max((len(name) for name, _ in present), default=0)
    return "\n".join(f"{name:<{widest}}  {clean(value)}" for name, value in present)
