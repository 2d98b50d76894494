"""What the whole grid says so far: means by value, a heat map over two hyperparameters, what matters, the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from tui.keys import TRENDS
from tui.safe_text import safe_content
from tui.screens.watching import Watching
from tui.trend_numbers import complete_rows, parameter_trends
from tui.widgets.control_panel import ControlPanel
from tui.widgets.pane import style_of
from tui.widgets.trend_texts import heat_text, top_text, values_text

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.keys import Key
    from tui.live_model import LiveModel
    from tui.results_model import ResultsModel

_TOP = 12


class TrendsScreen(Watching):
    """Redrawn as results land; a and d choose the two hyperparameters of the heat map."""

    KEYS: ClassVar[dict[str, list[Key]]] = TRENDS
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal")]  # noqa: RUF012 - Textual declares them as the instance's
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,t", "leave", "Back", show=False),
        Binding("d", "pair('down')", "Another hyperparameter down", show=False),
        Binding("a", "pair('across')", "Another hyperparameter across", show=False),
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Pane before", show=False),
        Binding("j", "scroll_pane(1)", "Down", show=False),
        Binding("k", "scroll_pane(-1)", "Up", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
    ]

    def __init__(self, live: LiveModel, model: ResultsModel) -> None:
        super().__init__()
        self._live = live
        self._model = model
        self._down = ""
        self._across = ""

    def compose(self) -> ComposeResult:
        """Values on the left, heat map and top on the right."""
        with Horizontal(id="body"):
            with VerticalScroll(id="values", classes="pane"):
                yield Static(id="values-text")
            with Vertical(id="plots"):
                with VerticalScroll(id="heat", classes="pane"):
                    yield Static(id="heat-text")
                with VerticalScroll(id="top", classes="pane"):
                    yield Static(id="top-text")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Draw."""
        self.ready = True
        self.query_one(ControlPanel).show_keys(
            [
                ("d", "down", "screen.pair('down')"),
                ("a", "across", "screen.pair('across')"),
                ("tab", "pane", "app.focus_next"),
                ("?", "keys", "app.keys"),
                ("escape", "back", "screen.leave"),
            ]
        )
        self.query_one("#values").focus()
        self.call_after_refresh(self.search_changed)

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self.search_changed)

    def search_changed(self) -> None:
        """Draw what has landed."""
        model = self._model
        complete = len(complete_rows(model))
        metric = self._live.state.scoring[0] if self._live.state.scoring else "score"
        self._entitle("values", f"mean {metric} by value", f"{complete} of {model.rows} combinations are complete")
        nothing = Text("shown when combinations are complete on every fold", style="dim")
        self.query_one("#values-text", Static).update(
            values_text(model, self.query_one("#values").size.width - 2, self._colour) if complete else nothing
        )
        names = [trend.name for trend in parameter_trends(model)] if complete else []
        if len(names) > 1:
            if self._down not in names or self._across not in names or self._down == self._across:
                self._down, self._across = names[0], names[1]
            self._entitle("heat", f"{self._down} × {self._across}", "d and a choose others")
            self.query_one("#heat-text", Static).update(heat_text(model, self._down, self._across, self._colour))
        else:
            self._entitle("heat", "heat map", "")
            self.query_one("#heat-text", Static).update(Text("needs two hyperparameters that vary", style="dim"))
        self._entitle("top", f"top {_TOP}", "≈ no worse than the best within a standard error")
        self.query_one("#top-text", Static).update(
            top_text(model, _TOP, self.query_one("#top").size.width - 2) if complete else nothing
        )

    def _entitle(self, pane: str, title: str, subtitle: str) -> None:
        widget = self.query_one(f"#{pane}")
        widget.border_title = safe_content(title)
        widget.border_subtitle = safe_content(subtitle)

    def _colour(self, variable: str) -> str:
        return style_of(self.app, variable)

    def action_pair(self, which: str) -> None:
        """The next hyperparameter down or across, never the same for both."""
        names = [trend.name for trend in parameter_trends(self._model)]
        if len(names) < 2:
            return
        present, other = (self._down, self._across) if which == "down" else (self._across, self._down)
        place = names.index(present) if present in names else 0
        following = [names[(place + step) % len(names)] for step in range(1, len(names) + 1)]
        chosen = next(name for name in following if name != other)
        if which == "down":
            self._down = chosen
        else:
            self._across = chosen
        self.search_changed()

    def action_scroll_pane(self, step: int) -> None:
        """By lines, in the pane that has the focus."""
        if self.focused is not None:
            self.focused.scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Back to the table."""
        self.dismiss(None)
