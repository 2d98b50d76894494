"""One combination in full: parameters, metrics by fold, curves, schedule, durations, seeds, errors, how to rerun."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from engine.session.combination import CombinationStatus
from engine.session.ranking import mean_and_deviation
from engine.spec.spelling import show_value
from tui.live import snippet
from tui.parts import numbers
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import DETAIL
from tui.parts.overlay import Watching
from tui.parts.safe_text import clean, safe_content
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot
from tui.terminal.clipboard import copy

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from engine.session.combination import CombinationState
    from tui.live.model import LiveModel
    from tui.parts.keys import Key
    from tui.results.model import ResultsModel


class DetailScreen(Watching):
    """Kept up to date while it is open; n and N go through the combinations."""

    KEYS: ClassVar[dict[str, list[Key]]] = DETAIL
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal")]  # noqa: RUF012 - Textual declares them as the instance's
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", show=False),
        Binding("n", "next(1)", "Next combination", show=False),
        Binding("N", "next(-1)", "Combination before", show=False),
        Binding("j", "scroll_text(1)", "Down", show=False),
        Binding("k", "scroll_text(-1)", "Up", show=False),
        Binding("u", "units", "Epochs or steps", show=False),
        Binding("l", "logarithm", "Linear or logarithmic", show=False),
        Binding("y", "copy_command", "Copy the command", show=False),
        Binding("c", "copy_snippet", "Copy the snippet", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
    ]

    def __init__(self, live: LiveModel, model: ResultsModel, combination: int) -> None:
        super().__init__()
        self._live = live
        self._model = model
        self.combination = combination

    def compose(self) -> ComposeResult:
        """Text on the left, plots on the right."""
        with Horizontal(id="body"):
            with VerticalScroll(id="facts-pane", classes="pane"):
                yield Static(id="facts")
            with Vertical(id="plots"):
                yield LearningRatePlot(id="rates")
                yield CurvesPlot(id="curves")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Draw."""
        self.ready = True
        for name in ("rates", "curves"):
            self.query_one(f"#{name}").add_class("pane")
        of_script = self._live.script is not None
        self.query_one(ControlPanel).show_keys(
            [
                ("y", "copy script" if of_script else "copy command", "screen.copy_command"),
                ("c", "copy estimator" if of_script else "copy snippet", "screen.copy_snippet"),
                ("n", "next", "screen.next(1)"),
                ("N", "before", "screen.next(-1)"),
                ("u", "epochs/steps", "screen.units"),
                ("l", "log", "screen.logarithm"),
                ("?", "keys", "app.keys"),
                ("escape", "back", "screen.leave"),
            ]
        )
        self.query_one("#facts-pane").focus()
        self.search_changed()

    def search_changed(self) -> None:
        """Draw what is known now."""
        live = self._live
        if self.combination >= len(live.state.combinations):
            return
        self.query_one("#facts", Static).update(self._facts())
        pane = self.query_one("#facts-pane")
        pane.border_title = safe_content(f"combination #{self.combination}")
        rank = self._model.rank(self.combination)
        pane.border_subtitle = safe_content(f"rank {rank}" if rank else "")
        metric, without = live.state.scoring[0], live.without_epochs(self.combination)
        self.query_one(CurvesPlot).show(self.combination, metric, live.curves(self.combination), without)
        line = live.rate_line(self.combination)
        self.query_one(LearningRatePlot).show([line] if line else [], without)

    def _facts(self) -> Text:
        live = self._live
        combination, spec = live.state.combinations[self.combination], live.session.record.spec
        text = Text()

        def heading(title: str) -> None:
            text.append(f"{title}\n", style="bold underline")

        heading("parameters")
        varying = set(self._model.params)
        widest = max(map(len, [*combination.params, "trainer"]))
        for name, value in sorted(combination.params.items()):
            style = "bold" if name in varying else ""
            text.append(f"  {clean(name):<{widest}} ", style="dim").append(f"{clean(show_value(value))}\n", style=style)
        if live.script is None:
            text.append(f"  {'trainer':<{widest}} ", style="dim").append(clean(combination.trainer))
            text.append(f"  {clean(combination.trainer_reason)}\n", style="dim")
        if combination.same_as is not None:
            text.append(f"  is equivalent to #{combination.same_as} and shares its trainings\n")
        status = f"  {'status':<{widest}} "
        text.append(status, style="dim").append(f"{combination.status}")
        if combination.dropped:
            text.append("".join(f": {clean(why)}" for why in (combination.dropped, combination.evidence) if why))
        text.append("\n\n")

        heading("scores by fold")
        text.append_text(self._scores_by_fold(combination))
        sources = {fit.taken_from for fit in combination.fits if fit.taken_from}
        if sources:
            text.append(f"  scores reused from {clean(', '.join(sorted(sources)))}\n")
        if combination.status is CombinationStatus.COMPLETE and live.state.test_looks(self.combination):
            looks = live.state.test_looks(self.combination)
            text.append(f"  the test set was scored {looks} time{'s' if looks > 1 else ''}\n")
        text.append("\n")

        for fold, fit in enumerate(combination.fits):
            if fit.error is not None:
                heading(f"fold {fold} failed")
                text.append(f"  {clean(fit.error)}\n", style="bold")
                text.append(f"{clean(fit.traceback, lines=True)}\n\n", style="dim")

        if live.script is not None:
            heading("estimator")
            text.append(f"{clean(live.script.estimator, lines=True)}\n\n")
            heading("script")
            text.append(f"{clean(live.script.path)}\n")
            return text
        heading("run it in Python")
        text.append(f"{clean(snippet.python_snippet(spec, combination.params), lines=True)}\n\n")
        heading("run it in a shell")
        text.append(f"{clean(snippet.rerun_command(spec, combination.params))}\n")
        return text

    def _scores_by_fold(self, combination: CombinationState) -> Text:
        """A line a fold, a column a metric: folds can be many."""
        seeds = self._live.history.seeds.get(self.combination, {})
        metrics = combination.metrics
        widths = [max(9, len(clean(metric, longest=24)) + 2) for metric in metrics]
        titles = zip(metrics, widths, strict=True)
        text = Text()
        text.append(f"  {'':<8}" + "".join(f"{clean(metric, longest=24):>{width}}" for metric, width in titles), "dim")
        text.append(f"{'seconds':>10}\n", "dim")
        for fold, fit in enumerate(combination.fits):
            shown = [numbers.score(score) or str(fit.status) for score in fit.scores or [None] * len(metrics)]
            text.append(f"  {f'fold {fold}':<8}")
            text.append("".join(f"{one:>{width}}" for one, width in zip(shown, widths, strict=True)))
            seconds = numbers.seconds(fit.seconds) or "·"
            text.append(f"{seconds:>10}", "dim")
            for rung in sorted(fit.rungs, key=lambda rung: rung.epochs):
                if rung.score is not None:
                    text.append(f"  {numbers.at_rung(rung.epochs, rung.score)}", "dim")
            if fit.stopped_at is not None:
                there = numbers.score(fit.stopped_score)
                at = f"at {fit.stopped_at}"
                text.append(f"  ▪ {at}: {there}" if there else f"  ▪ stopped {at}")
            text.append("\n")
        is_finished = combination.status.is_finished
        means = [combination.mean(metric) if is_finished else combination.mean_so_far(metric) for metric in metrics]
        for word, place in (("mean" if is_finished else "so far", 0), ("± std", 1)):
            shown = [numbers.score(pair[place]) for pair in means]
            text.append(f"  {word:<8}" + "".join(f"{one:>{w}}" for one, w in zip(shown, widths, strict=True)), "bold")
            text.append(f"{numbers.seconds(combination.total_seconds):>10}\n" if place == 0 else "\n", "dim")
        if combination.has_train_scores:
            text.append_text(_train_scores(combination))
        # As long as lines get: a seed beside its fold would break the table's.
        for fold, seed in sorted(seeds.items()) if self._live.script is None else []:
            text.append(f"  seed of fold {fold}  {seed}\n", "dim")
        return text

    def action_next(self, step: int) -> None:
        """Another combination."""
        count = len(self._live.state.combinations)
        if count:
            self.combination = (self.combination + step) % count
            self.search_changed()

    def action_scroll_text(self, step: int) -> None:
        """By lines."""
        self.query_one("#facts-pane").scroll_relative(y=step, animate=False)

    def action_units(self) -> None:
        """Epochs or steps."""
        self.query_one(LearningRatePlot).toggle(steps=True)

    def action_logarithm(self) -> None:
        """Linear or logarithmic."""
        self.query_one(LearningRatePlot).toggle(logarithm=True)

    def action_copy_command(self) -> None:
        """The shell's line; of a script's search the script's path."""
        if self._live.script is not None:
            self._copy(self._live.script.path)
            return
        params = self._live.state.combinations[self.combination].params
        self._copy(snippet.rerun_command(self._live.session.record.spec, params))

    def action_copy_snippet(self) -> None:
        """The script; of a script's search its estimator."""
        if self._live.script is not None:
            self._copy(self._live.script.estimator)
            return
        params = self._live.state.combinations[self.combination].params
        self._copy(snippet.python_snippet(self._live.session.record.spec, params))

    def _copy(self, text: str) -> None:
        self.query_one(ControlPanel).say(copy(self.app, text))

    def action_leave(self) -> None:
        """Back to the table."""
        self.dismiss(None)


def _train_scores(combination: CombinationState) -> Text:
    """Scores on the rows that each fold was trained on: a line a metric."""
    text = Text()
    for metric in combination.metrics:
        known = [score for score in combination.train_scores_of(metric) if score is not None]
        shown = " ".join(numbers.score(score) or "·" for score in combination.train_scores_of(metric))
        mean = numbers.with_deviation(*mean_and_deviation(list(known))) if known else ""
        text.append(f"  on training rows, {clean(metric, longest=24)}  ", "dim").append(mean).append(
            f"  {shown}\n", "dim"
        )
    return text
