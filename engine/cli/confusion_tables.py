"""The errors of a combination as text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from engine.formatting.safe_text import clean
from engine.formatting.tables import facts, table

if TYPE_CHECKING:
    from engine.analysis.confusion import Errors


def errors_text(errors: Errors, splits: int, width: int) -> str:
    """What is wrong by class, by pair of classes and by row; `splits`: how many the search has."""
    parts = [
        facts(
            [
                ("combination", f"#{errors.combination}"),
                ("splits", f"{errors.splits} of {splits}, each row by a model that was not trained on it"),
                ("wrong", f"{errors.wrong} of {errors.rows} rows, {errors.wrong / errors.rows:.2%}"),
            ]
        ),
        table(
            ["class", "rows", "predicted", "precision", "recall", "F1"],
            [
                [clean(c.name), str(c.support), str(c.predicted), _share(c.precision), _share(c.recall), _share(c.f1)]
                for c in errors.classes
            ],
            width,
            right=[False, True, True, True, True, True],
        ),
    ]
    if errors.pairs:
        parts += [
            table(
                ["true class", "confused with", "rows", "of its rows"],
                [[clean(p.true), clean(p.predicted), str(p.rows), f"{p.share:.1%}"] for p in errors.pairs],
                width,
                right=[False, False, True, True],
            ),
            _rows(errors, width),
        ]
    return "\n\n".join(parts)


def _rows(errors: Errors, width: int) -> str:
    lines = ["the most confidently misclassified rows, and how likely their true class was:"]
    for one in errors.misclassified:
        line = f"row {one.row}  {one.true}, confused with {one.predicted}: {one.probability:.2g}"
        lines += textwrap.wrap(clean(line), width, subsequent_indent="    ")
        lines += textwrap.wrap(
            clean(" ".join(one.words)), width, initial_indent="    ", subsequent_indent="    ", max_lines=3
        )
    if not any(one.words for one in errors.misclassified):
        lines.append("their texts are not shown: the data are not at hand (--data-dir)")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
