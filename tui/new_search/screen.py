"""The new-search screen: everything in a spec by form, with what it means always in view and worked out as you type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from tui.navigation import navigation_of
from tui.new_search import commands
from tui.new_search.commands import FormCommands
from tui.new_search.data_pane import DataPane
from tui.new_search.form_fields import Field
from tui.new_search.form_study import Study, study
from tui.new_search.model import NewSearchModel
from tui.new_search.schedule_lab import ScheduleLab
from tui.new_search.space_editor import SpaceEditor
from tui.new_search.summary_pane import SummaryPane
from tui.parts.control_panel import ControlPanel
from tui.parts.keys import Key
from tui.parts.line import Line
from tui.parts.safe_text import clean
from tui.processes.background import Latest
from tui.spec_text.form import Form

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

TYPING_SECONDS = 0.3  # a pause in typing, longer than between two letters of a word: then the form is worked out


class NewSearchScreen(Screen[Form | None]):
    """A form to fill in; returns what it held when it was left without starting, None once a search was started."""

    DEFAULT_CSS = """
    NewSearchScreen #new-title { height: 1; padding: 0 1; }
    NewSearchScreen #new-body { height: 1fr; layout: horizontal; }
    NewSearchScreen #form { width: 52%; height: 100%; }
    NewSearchScreen #new-right { width: 1fr; height: 100%; }
    NewSearchScreen.-narrow #new-body { layout: vertical; }
    NewSearchScreen.-narrow #form { width: 100%; height: 1fr; }
    NewSearchScreen.-narrow #new-right { dock: top; width: 100%; height: auto; }
    NewSearchScreen.-narrow #summary { max-height: 5; }
    NewSearchScreen.-narrow #data, NewSearchScreen.-narrow #lab { display: none; }
    NewSearchScreen.-narrow.-lab #form { display: none; }
    NewSearchScreen.-narrow.-lab #new-right { height: 100%; }
    NewSearchScreen.-narrow.-lab #lab { display: block; height: 1fr; }
    NewSearchScreen.-wide #form { width: 40%; }
    NewSearchScreen.-wide #data { height: 12; }
    NewSearchScreen.-short #data { display: none; }
    """
    AUTO_FOCUS = ""  # plain keys stay plain keys when a dialog closes
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (170, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *commands.BINDINGS,
        Binding("f6,tilde", "lab", "Schedule lab, or back to the form", show=False),
        Binding("down,enter,tab", "move(1)", "Next field", show=False),
        Binding("up,shift+tab", "move(-1)", "Field before", show=False),
        Binding("i", "edit", "Back into the form", show=False),
        Binding("escape", "back", "Out of the field, then back", show=False),
        Binding("question_mark", "app.keys", "Keys", show=False),
    ]
    KEYS: ClassVar[dict[str, list[Key]]] = {
        "Anywhere": [
            Key("f5", "start the search and watch it", "foldwatch run SPEC.toml --name ID"),
            Key("f2", "save the spec as TOML (asks first where the file exists)"),
            Key("f3", "load a spec from TOML"),
            Key("f4", "copy the command that runs exactly this (over SSH and in tmux too)"),
            Key("f6", "to the schedule lab, and back"),
            Key("f7", "the next space, where there are several"),
            Key("f8", "one more space: a copy of this one to change"),
            Key("f9", "remove this space"),
            Key("f10", "all of what the form means, where its pane is too small"),
            Key("escape", "out of the field to the plain keys below; again: back, keeping the form"),
        ],
        "In a field": [
            Key("up down enter tab, shift+tab", "to the next field or the one before"),
            Key("right", "take the word that is suggested; or another choice"),
            Key("shift+up shift+down", "nudge the number at the cursor"),
        ],
        "What can be typed": [
            Key("5, 10, 20", "values, one after the other"),
            Key("1e-4..1e-1 log", "a range to draw from, for random search; int for whole numbers"),
            Key("64, [128, 64]", "neurons of every layer; or layer by layer"),
            Key("sgd(momentum=0.8|0.9, nesterov=true)", ""),
            Key("ExponentialDecay(initial_learning_rate=0.1, decay_epochs=1, decay_rate=0.8|0.96)", ""),
            Key("random 30", "as strategy: 30 combinations drawn at random"),
            Key("halving 60, factor=3", "as strategy: many for a few epochs, the best of them for more"),
            Key("bayes 60", "as strategy: 10 drawn, then one after the other chosen by the scores so far"),
            Key("patience 3, min_delta 0.001", "as early stopping; with stop false it is only recorded"),
        ],
        "Schedule lab": [
            Key("left right", "choose a number of the learning rates"),
            Key("up down + -", "nudge it; curves follow at once"),
            Key("u", "epochs or steps"),
            Key("l", "linear or logarithmic"),
            Key("b", "another batch size: it decides how many steps an epoch has"),
        ],
        "Outside the fields": [
            Key("s", "start the search and watch it"),
            Key("w", "write the spec as TOML"),
            Key("o", "open a spec from TOML"),
            Key("y", "copy the command"),
            Key("m", "all of what the form means"),
            Key("i", "back into the form"),
            Key("R", "start over with an empty form (asks first)"),
            Key("?", "these keys; type to search"),
            Key("q", "quit (asks first where something was typed)"),
        ],
    }

    @dataclass
    class Studied(Message):
        """The form that stood there a moment ago was worked out."""

        study: Study

    @dataclass
    class Faulted(Message):
        """It could not be worked out, and not by the form's doing."""

        why: str

    def __init__(self, form: Form | None = None) -> None:
        super().__init__()
        self._first_form = form or Form()
        self._typing: Timer | None = None
        self._studying = Latest("working the form out", self._fault)

    def compose(self) -> ComposeResult:
        """Form on the left; what it means, the data and the schedules on the right; keys below."""
        yield Line(id="new-title")
        with Container(id="new-body"):
            yield SpaceEditor(self._first_form, id="form")
            with Vertical(id="new-right"):
                yield SummaryPane(id="summary")
                yield DataPane(id="data")
                yield ScheduleLab(id="lab")
        yield ControlPanel(id="controls")

    def on_mount(self) -> None:
        """Work the form out, and type at once."""
        self._panel = self.query_one(ControlPanel)
        self._editor = self.query_one(SpaceEditor)
        self._lab = self.query_one(ScheduleLab)
        self._editor.border_title = "the search"
        self.model = NewSearchModel(self._first_form, navigation_of(self))
        self.commands = FormCommands(self.model, self._editor, self._panel, self._form_changed, self._draw_frame)
        self._form_changed()
        self._editor.edit("epochs")

    def on_screen_resume(self) -> None:
        """Back from a search that was started here: this form has done its work."""
        if not self.is_mounted:
            return
        if self.model.started_name is not None and self.model.has_session(self.model.started_name):
            self.dismiss(None)

    # From the form to what it means

    @on(Field.Changed)
    def _when_typed(self, event: Field.Changed) -> None:
        self.model.type(event.field.field_name, event.field.value)
        self._show_learning_rates()
        self._soon()

    @on(Input.Submitted)
    def _when_entered(self) -> None:
        self.action_move(1)

    @on(ScheduleLab.Nudged)
    def _when_nudged(self, event: ScheduleLab.Nudged) -> None:
        self.model.type(self.model.rates_field, event.text)
        self._editor.show(self.model.form, self.model.space)
        self._work_out()

    @on(ScheduleLab.BatchAsked)
    def _when_batch_asked(self) -> None:
        self.model.batch_number += 1
        self._work_out()

    def _form_changed(self) -> None:
        """Another form, or another of its spaces."""
        self._editor.show(self.model.form, self.model.space)
        self._show_learning_rates()
        self._draw_frame()
        self._work_out()

    def _show_learning_rates(self) -> None:
        self._lab.show_text(self.model.form.text(self.model.rates_field))

    def _soon(self) -> None:
        """When typing pauses."""
        self.query_one(SummaryPane).working()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_SECONDS, self._work_out)

    def _work_out(self) -> None:
        """In a thread: typing goes on meanwhile."""
        form, batch_number, folder = self.model.form, self.model.batch_number, navigation_of(self).data_folder

        def work() -> None:
            self.post_message(self.Studied(study(form, batch_number, folder)))

        self._studying.ask(work)

    def _fault(self, why: str) -> None:
        self.post_message(self.Faulted(why))

    @on(Faulted)
    def _when_faulted(self, message: Faulted) -> None:
        self._panel.say(message.why, problem=True)

    @on(Studied)
    def _when_studied(self, message: Studied) -> None:
        result = message.study
        if not self.model.take(result):
            return
        with self.app.batch_update():
            self._editor.judge(result.problems, result.hints)
            self.query_one(SummaryPane).show(result.summary, len(result.problems), result.machine)
            self._lab.show(result.curves)
            if result.data is not None:
                self.query_one(DataPane).show(result.data)
            self._draw_frame()

    # Drawing

    def _draw_frame(self) -> None:
        title = Text(no_wrap=True, overflow="ellipsis", end="")
        title.append(" new search ", style="bold reverse").append("  ")
        title.append(clean(self.model.form.text("dataset")), style="bold")
        if self.model.loaded_from is not None:
            title.append(f"   {clean(str(self.model.loaded_from))}", style="dim")
        self.query_one("#new-title", Line).say(title)
        self._panel.command = self.model.shown_command()
        self._show_keys()
        self._panel.refresh()

    def _show_keys(self) -> None:
        is_in_lab = self._lab.has_focus
        self._panel.show_keys(
            self.commands.keys_now(is_typing=self.focused is not None and not is_in_lab, is_in_lab=is_in_lab)
        )

    def on_descendant_focus(self) -> None:
        """Keys differ in the lab and outside the fields."""
        self._editor.note_cursor()
        self._show_keys()

    def on_descendant_blur(self) -> None:
        """Keys of wherever the focus goes, once that is known."""
        self.call_after_refresh(self._show_keys)

    def action_command(self, name: str) -> None:
        """Something that is done with the form."""
        getattr(self.commands, name)()

    # Moving

    def action_move(self, step: int) -> None:
        """To the next field, or into the form."""
        if self.focused is None or self._lab.has_focus:
            self.action_edit()
        else:
            self._editor.move(step)

    def action_edit(self) -> None:
        """Back into the field where the cursor was."""
        self.remove_class("-lab")
        self._editor.edit_again()

    def action_lab(self) -> None:
        """Between form and lab."""
        if self._lab.has_focus:
            self.action_edit()
        else:
            self.add_class("-lab")
            self.set_focus(self._lab)

    def action_back(self) -> None:
        """Out of a field or the lab to the plain keys; from there back, keeping the form."""
        if self._lab.has_focus:
            self.action_edit()
        elif self.focused is not None:
            self.set_focus(None)
        else:
            self.dismiss(self.model.form)

    def on_resize(self) -> None:
        """The field in which somebody types stays in view."""
        if self.focused is not None:
            self.call_after_refresh(self.focused.scroll_visible, animate=False)
