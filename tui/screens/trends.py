"""What the whole grid says so far: means by value, a heat map over two hyperparameters, what matters, the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from tui import numbers
from tui.keys import TRENDS
from tui.safe_text import safe_content
from tui.screens.watching import Watching
from tui.trend_numbers import complete_rows, pair_means, parameter_trends, top_combinations
from tui.widgets.control_panel import ControlPanel

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.keys import Key
    from tui.live_model import LiveModel
    from tui.results_model import ResultsModel

_TOP = 12
_SHADES = " ░▒▓█"


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
        self.query_one("#values-text", Static).update(self._values() if complete else nothing)
        names = [trend.name for trend in parameter_trends(model)] if complete else []
        if len(names) > 1:
            if self._down not in names or self._across not in names or self._down == self._across:
                self._down, self._across = names[0], names[1]
            self._entitle("heat", f"{self._down} × {self._across}", "d and a choose others")
            self.query_one("#heat-text", Static).update(self._heat())
        else:
            self._entitle("heat", "heat map", "")
            self.query_one("#heat-text", Static).update(Text("needs two hyperparameters that vary", style="dim"))
        self._entitle("top", f"top {_TOP}", "≈ no worse than the best within a standard error")
        self.query_one("#top-text", Static).update(self._top() if complete else nothing)

    def _entitle(self, pane: str, title: str, subtitle: str) -> None:
        widget = self.query_one(f"#{pane}")
        widget.border_title = safe_content(title)
        widget.border_subtitle = safe_content(subtitle)

    def _values(self) -> Text:
        trends = parameter_trends(self._model)
        means = [value.mean for trend in trends for value in trend.values]
        low, high = min(means), max(means)
        room = max(6, self.query_one("#values").size.width - 46)
        text = Text(no_wrap=True)
        for trend in trends:
            text.append(f"{trend.name}", style="bold underline")
            text.append(f"   effect {trend.effect:.4f}   explains {trend.share:.0%} of the spread\n", style="dim")
            best = max((value.mean for value in trend.values), default=0.0)
            for value in trend.values:
                share = (value.mean - low) / (high - low) if high > low else 1.0
                done, _ = numbers.bar(max(0.02, share), room)
                strong = "bold" if value.mean == best and len(trend.values) > 1 else ""
                text.append(f"  {value.text[:18]:<18} ", style=strong)
                text.append(f"{numbers.score(value.mean)} ± {numbers.score(value.deviation)} ", style=strong)
                text.append(f"{value.count:>4}× ", style="dim")
                text.append(f"{done}\n", style=self._live_style("success" if strong else "primary"))
            text.append("\n")
        fixed = ", ".join(f"{name}={value}" for name, value in self._model.fixed.items())
        if fixed:
            text.append("the same for all: ", style="dim").append_text(_clean_text(fixed))
        return text

    def _heat(self) -> Text:
        down, across, table = pair_means(self._model, self._down, self._across)
        known = [cell for line in table for cell in line if cell is not None]
        low, high = min(known), max(known)
        label = min(16, max(map(len, down), default=4))
        text = Text(no_wrap=True)
        text.append(" " * (label + 1))
        for name in across:
            text.append(f"{name[:9]:>10}", style="bold")
        text.append("\n")
        for name, line in zip(down, table, strict=True):
            text.append(f"{name[:label]:<{label}} ", style="bold")
            for cell in line:
                if cell is None:
                    text.append(f"{'·':>10}", style="dim")
                    continue
                share = (cell - low) / (high - low) if high > low else 1.0
                # Shade and number: the map is read without colours too.
                shade = _SHADES[min(4, int(share * 5))] * 2
                style = self._live_style("warning" if cell == high else "primary")
                text.append(f" {shade:>2}", style=style).append(
                    f" {numbers.score(cell)}", "bold" if cell == high else ""
                )
            text.append("\n")
        return text

    def _top(self) -> Text:
        top = top_combinations(self._model, _TOP)
        scores = [score for combination in top for score in combination.scores]
        low, high = min(scores), max(scores)
        width = 24
        text = Text(no_wrap=True)
        for combination in top:
            tie = "≈" if combination.ties_best and combination.rank > 1 else ("★" if combination.rank == 1 else " ")
            text.append(f"{combination.rank:>3} {tie} ", style="bold" if combination.ties_best else "")
            text.append(f"{numbers.with_deviation(combination.mean, combination.deviation)} ")
            line = ["─"] * width
            for score in combination.scores:
                line[_column(score, low, high, width)] = "•"
            mean = _column(combination.mean, low, high, width)
            text.append("".join(line[:mean]), style="dim").append("┃", style="bold")
            text.append("".join(line[mean + 1 :]), style="dim")
            texts = self._model.texts
            params = " ".join(texts[name][combination.row] or "—" for name in self._model.params)
            text.append(f"  #{combination.row} ", style="dim").append_text(_clean_text(params)).append("\n")
        if len(top) > 1:
            ties = sum(combination.ties_best for combination in top)
            text.append(
                f"\n{ties} of these {len(top)} cannot be told apart from the best on these folds\n"
                if ties > 1
                else "\nthe best one stands out on these folds\n",
                style="italic",
            )
        return text

    def _live_style(self, variable: str) -> str:
        from tui.widgets.pane import style_of

        return style_of(self.app, variable)

    def action_pair(self, which: str) -> None:
        """The next hyperparameter down or across, never the same for both."""
        names = self._model.params
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


def _column(score: float, low: float, high: float, width: int) -> int:
    return round((score - low) / (high - low) * (width - 1)) if high > low else width // 2


def _clean_text(text: str) -> Text:
    from tui.safe_text import safe_text

    return safe_text(text)
