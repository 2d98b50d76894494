"""The session under the cursor in a few lines: its standing, its spec, the best, the note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from tui.parts.boxed_pane import BoxedPane
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from tui.home.about_session import About

_ROOMY = 20  # from here on nothing is cut off: lines wrap


class AboutPane(BoxedPane, can_focus=False):
    """Draws an `About`."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._about: About | None = None

    def show(self, about: About | None) -> None:
        """Another session, or the same with news."""
        if about != self._about:
            self._about = about
            self.entitle(about.id if about else "")
            self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """What is most worth knowing first; what does not fit is left out at the end."""
        about = self._about
        text = Text(no_wrap=True, end="")
        if about is None:
            return text
        if about.problem:
            return Text(clean(about.problem), style=self.style("error"))
        lines: list[Text] = [Text(clean(about.standing), style="bold"), Text(clean(about.spec))]
        if about.note:
            note = clean(about.note.strip().splitlines()[0])
            lines.append(Text.assemble(("note  ", f"bold {self.style('secondary')}"), note))
        if about.best:
            lines.append(Text.assemble(("best  ", f"bold {self.style('warning')}"), clean(about.best)))
        lines += [
            Text.assemble(("saved ", f"bold {self.style('success')}"), clean(one)) for one in reversed(about.saved)
        ]
        lines += [Text.assemble(("later ", "bold"), clean(one)) for one in about.changes]
        for number, space in enumerate(about.spaces):
            if len(about.spaces) > 1:
                lines.append(Text(f"space {number + 1}", style="bold"))
            lines += [Text.assemble((f"{name:<14} ", "dim"), clean(values)) for name, values in space]
        if height > _ROOMY:
            return Text("\n\n", end="").join([Text("\n", end="").join(lines[:2]), *lines[2:]])
        if len(lines) > height:
            lines = [
                *lines[: height - 1],
                Text(f"… {len(lines) - height + 1} more{about.all_of_it}", "dim"),
            ]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True, end="").join(lines)
