"""The chosen data set: rows, classes, where it would come from, and how many rows each class has."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from tui.new_search.class_sizes import bars
from tui.parts.boxed_pane import BoxedPane
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from tui.new_search.class_sizes import DataView


class DataPane(BoxedPane, can_focus=False):
    """Draws a `DataView`."""

    DEFAULT_CSS = "DataPane { height: 9; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._view: DataView | None = None
        self.entitle("data")

    def show(self, view: DataView) -> None:
        """Another data set, or another part of it."""
        if view != self._view:
            self._view = view
            self.entitle(view.source.title, "synthetic" if view.source.synthetic else "")
            self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """Two lines of facts, the chart in what is left, the ends of the scale below it."""
        view = self._view
        if view is None:
            return Text()
        sizes = view.sizes
        lines = [
            Text.assemble(
                (f"{view.rows:,}", "bold"),
                (
                    f" of {view.source.training_rows:,} training rows · "
                    if view.rows != view.source.training_rows
                    else " training rows · "
                ),
                f"{view.source.test_rows:,} to test · {view.source.classes} classes",
            )
        ]
        if view.problem:
            problem = textwrap.wrap(clean(view.problem), width) or [""]
            lines += [Text(line, style=self.style("error")) for line in problem[: max(1, height - 2)]]
        else:
            sign = "✓" if view.is_at_hand else "↓"
            style = self.style("success" if view.is_at_hand else "warning")
            lines.append(Text.assemble((f"{sign} ", style), (clean(view.whereabouts), "dim")))
        below = 1 if height >= 5 else 0
        room = min(6, height - len(lines) - below)
        if room > 0:
            wide = max(1, min(6, width // max(1, len(sizes.sizes))))
            chart = bars(sizes.sizes, room)
            lines += [
                Text("".join(character * wide for character in line), style=self.style("primary")) for line in chart
            ]
        if below:
            line = Text()
            if sizes.thin:
                few = f"{sizes.thin} of {view.source.classes} classes have fewer rows than folds"
                line.append(few, style=self.style("warning")).append("  ")
            last = sizes.sizes[-1]
            ends = f"{sizes.names[0]} {sizes.sizes[0]:,} … {sizes.names[-1]} {last:,} row{'' if last == 1 else 's'}"
            line.append(ends, style="dim")
            lines.append(line)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True, end="").join(lines[:height])
