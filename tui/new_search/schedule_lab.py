"""The schedule lab: the learning rate of every chosen schedule over the epochs, before anything runs.

What never decays or reaches zero early is pointed out in words; numbers are nudged by keys and redrawn at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from tui.parts.boxed_pane import BoxedPane, rich_colour
from tui.parts.safe_text import clean
from tui.plots.chart import Line, draw
from tui.spec_text.value_syntax import NumberPlace, nudged, numbers_in

if TYPE_CHECKING:
    from textual.binding import BindingType

    from tui.new_search.schedule_curves import ScheduleCurve, ScheduleCurves

_COLOURS = ("primary", "warning", "success", "secondary", "error")


class ScheduleLab(BoxedPane):
    """Draws a `Lab`; posts `Nudged` with the learning rates' new text, and `BatchAsked` for another batch size."""

    DEFAULT_CSS = "ScheduleLab { height: 1fr; min-height: 8; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "choose(-1)", "Number before", show=False),
        Binding("right", "choose(1)", "Next number", show=False),
        Binding("up,plus,k", "nudge(1)", "Number up", show=False),
        Binding("down,minus,j", "nudge(-1)", "Number down", show=False),
        Binding("u", "units", "Epochs or steps", show=False),
        Binding("l", "logarithm", "Linear or logarithmic", show=False),
        Binding("b", "batch", "Next batch size", show=False),
    ]

    class Nudged(Message):
        """A number of the learning rates was changed."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class BatchAsked(Message):
        """The curves of another batch size are wanted."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.schedules: ScheduleCurves | None = None
        self.text = ""
        self.chosen = 0
        self.in_steps = False
        self.logarithmic = False
        self._is_old = False
        self._title()

    def show(self, schedules: ScheduleCurves | None) -> None:
        """New curves; None while the form cannot be read: the last ones stay, said to be old."""
        self._is_old = schedules is None
        if schedules is not None:
            self.schedules = schedules
        self._title()
        self.changed()

    def show_text(self, text: str) -> None:
        """What stands in the field of the learning rates."""
        if text != self.text:
            self.text = text
            self.chosen = max(0, min(self.chosen, len(self._numbers) - 1))
            self.changed()

    @property
    def _numbers(self) -> list[NumberPlace]:
        return numbers_in(self.text)

    def _title(self) -> None:
        scale = "log" if self.logarithmic else "linear"
        axes = f"{'steps' if self.in_steps else 'epochs'}, {scale}"
        if self.schedules is None:
            self.entitle("schedule lab", axes)
            return
        per_epoch = -(-self.schedules.rows // self.schedules.batch_size)
        old = " · before the mistake" if self._is_old else ""
        self.entitle(f"schedule lab · batch {self.schedules.batch_size}, {per_epoch:,} steps an epoch{old}", axes)

    def draw_content(self, width: int, height: int) -> Text:
        """The numbers to nudge, the curves, and a line about each."""
        if self.schedules is None or not self.schedules.curves:
            return Text("the learning rate of each schedule is drawn here", style="dim")
        curves = self.schedules.curves
        legend = self._legend_lines(curves, width, max(1, min(len(curves) + 1, height // 3)))
        chart = self._chart(curves, width, height - 1 - len(legend))
        return Text("\n", no_wrap=True, end="").join([self._typed(width), chart, *legend])

    def _chart(self, curves: tuple[ScheduleCurve, ...], width: int, height: int) -> Text:
        lines, end = [], 0.0
        for number, curve in enumerate(curves):
            rates = curve.rates
            unit = 1 if self.in_steps else rates.steps_per_epoch
            x = [step / unit for step in rates.steps]
            lines.append(Line(x, rates.rates, self.colour(_colour(number)), dotted=number >= len(_COLOURS)))
        end = max(
            (curve.rates.steps[-1] + 1) / (1 if self.in_steps else curve.rates.steps_per_epoch) for curve in curves
        )
        return draw(
            lines,
            width,
            height,
            axis_colour=self.colour("foreground"),
            x_limits=(0.0, end),
            logarithmic=self.logarithmic,
        )

    def _legend_lines(self, curves: tuple[ScheduleCurve, ...], width: int, height: int) -> list[Text]:
        """A line a curve, odd ones first."""
        assert self.schedules is not None
        numbered = sorted(enumerate(curves), key=lambda pair: not pair[1].is_odd)
        wide = max((len(curve.remark) for curve in curves if not curve.is_odd), default=0)
        lines = []
        for number, curve in numbered:
            sign = "┄ " if number >= len(_COLOURS) else "━ "
            remark, style = f"{curve.remark:<{wide}}", ""
            if curve.is_odd:
                remark, style = f"▲ {curve.remark}", f"bold {self.style('warning')}"
            colour = rich_colour(self.colour(_colour(number)))
            line = Text.assemble((sign, colour), (clean(remark), style), "  ", (clean(curve.label), "dim"))
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        beyond = len(lines) - height + self.schedules.left_out
        if beyond > 0 and (len(lines) > height or self.schedules.left_out):
            kept = max(1, height - 1)
            lines = [*lines[:kept], Text(f"… {len(curves) - kept + self.schedules.left_out} more", style="dim")]
        return lines

    def _typed(self, width: int) -> Text:
        """The text of the learning rates, the chosen number marked; it scrolls so that this one is seen."""
        numbers = self._numbers
        line = Text(clean(self.text) if clean(self.text) == self.text else "", style="dim", no_wrap=True, end="")
        if not numbers or not line.plain:
            hint = Text("no number in learning rate to nudge yet", style="dim", end="")
            hint.truncate(width, overflow="ellipsis")
            return hint
        place = numbers[min(self.chosen, len(numbers) - 1)]
        style = "bold reverse" if self.has_focus else "bold underline"
        line.stylize(style, place.start, place.end)
        beyond = place.end - width + 4
        if beyond > 0:
            line = Text("…", style="dim", end="") + line[beyond:]
        line.truncate(width, overflow="ellipsis")
        return line

    def on_focus(self) -> None:
        """The number that keys nudge is marked."""
        self.changed()

    def on_blur(self) -> None:
        """It is not."""
        self.changed()

    def action_choose(self, step: int) -> None:
        """Another number of the learning rates."""
        if self._numbers:
            self.chosen = (self.chosen + step) % len(self._numbers)
            self.changed()

    def action_nudge(self, step: int) -> None:
        """The chosen number, a little up or down."""
        numbers = self._numbers
        if numbers:
            self.text = nudged(self.text, numbers[min(self.chosen, len(numbers) - 1)], step)
            self.changed()
            self.post_message(self.Nudged(self.text))

    def action_units(self) -> None:
        """Epochs or steps along the axis."""
        self.in_steps = not self.in_steps
        self._title()
        self.changed()

    def action_logarithm(self) -> None:
        """A linear or a logarithmic axis."""
        self.logarithmic = not self.logarithmic
        self._title()
        self.changed()

    def action_batch(self) -> None:
        """Steps an epoch depend on the batch size: those of the next one."""
        self.post_message(self.BatchAsked())


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
