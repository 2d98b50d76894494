"""All fields of the form, those of the whole search above those of one of its spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll

from engine.data.facts import DATASETS
from engine.spec.spec import TRAINERS
from tui.new_search.form_fields import Field
from tui.parts.line import Line
from tui.spec_text.form import DEFAULTS, GENERAL, HYPERPARAMETER_NAMES, Form, field_of_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

_WORDS = {"dataset": list(DATASETS), "trainer": list(TRAINERS)}
_PLACEHOLDERS = {
    "subsample": "1.0: all rows; 0.5, 50 %, or a number of rows",
    "scoring": "accuracy, f1_macro: the first ranks",
    "strategy": "grid, random 30, halving, hyperband, racing, bayes",
    "early_stopping": "patience 3; never",
    "time_limit": "seconds per training; no limit",
    "workers": "as many as the machine allows",
    "devices": "automatic; or cpu, gpu:0",
    "name": "the data set's, with a number",
}


class SpaceEditor(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Shows a form; `space` is the number of the space whose hyperparameters are in the fields."""

    DEFAULT_CSS = """
    SpaceEditor {
        border: round $foldwatch-line;
        border-title-color: $foreground;
        border-subtitle-color: $secondary;
        background: $background;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-color: $foldwatch-line;
    }
    SpaceEditor:focus-within { border: round $primary; border-title-color: $primary; }
    SpaceEditor .editor--heading { height: 1; color: $secondary; text-style: bold; margin: 1 0 0 0; }
    """

    def __init__(self, form: Form, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._form = form
        self.space = 0
        self.fields: dict[str, Field] = {}
        self.last_field = "epochs"  # where the cursor is, or was before it left the form

    def compose(self) -> ComposeResult:
        """A field for everything in a spec."""
        for name, default in GENERAL.items():
            yield self._field(name, name, _PLACEHOLDERS.get(name, default))
        yield Line(id="space-heading", classes="editor--heading")
        for name in HYPERPARAMETER_NAMES:
            yield self._field(field_of_space(0, name), name, f"{DEFAULTS[name]}  (default)", key=name)

    def _field(self, field: str, label: str, placeholder: str, key: str = "") -> Field:
        words = _WORDS.get(field, ())
        made = Field(field, label.replace("_", " "), self._form.text(field), words=words, placeholder=placeholder)
        self.fields[key or field] = made
        return made

    def on_mount(self) -> None:
        """The heading over the hyperparameters."""
        self._head()

    def _head(self) -> None:
        spaces = len(self._form.spaces)
        which = f" {self.space + 1} of {spaces}   F7 next   F9 remove" if spaces > 1 else ""
        self.query_one("#space-heading", Line).say(f"space{which}   F8 add one more")

    def show(self, form: Form, space: int) -> None:
        """Another form, or another of its spaces; no message is posted."""
        self._form = form
        self.space = max(0, min(space, len(form.spaces) - 1))
        for name in GENERAL:
            self.fields[name].put(form.text(name))
        for name in HYPERPARAMETER_NAMES:
            field = self.fields[name]
            field.field_name = field_of_space(self.space, name)
            field.put(form.text(field.field_name))
        self._head()

    def judge(self, problems: Mapping[str, str], hints: Mapping[str, str]) -> None:
        """Mark what is wrong at its field; what is wrong in another space, at the heading."""
        for field in self.fields.values():
            field.show_problem(problems.get(field.field_name, ""))
            field.show_hint(hints.get(field.field_name, ""))
        focused = next((field for field in self.fields.values() if field.has_focus_within), None)
        if focused is not None:
            # A problem shown above it may have pushed it out of view.
            self.call_after_refresh(self._bring_into_view, focused)
        shown = {field.field_name for field in self.fields.values()}
        elsewhere = sorted({int(name.split(".")[1]) + 1 for name in problems if name not in shown})
        self._head()
        if elsewhere:
            numbers = ", ".join(str(number) for number in elsewhere)
            heading = self.query_one("#space-heading", Line)
            heading.say(f"space {self.space + 1} of {len(self._form.spaces)}   correct space {numbers}: F7")

    def edit(self, name: str) -> None:
        """Put the cursor into a field, and bring the field into view."""
        self.fields[name].edit()
        self.call_after_refresh(self._bring_into_view, self.fields[name])

    def edit_again(self) -> None:
        """Put the cursor back where it was."""
        self.edit(self.last_field)

    def move(self, step: int) -> None:
        """Put the cursor into the next field, the first after the last."""
        self.note_cursor()
        names = list(self.fields)
        self.edit(names[(names.index(self.last_field) + step) % len(names)])

    def note_cursor(self) -> None:
        """Remember the field that has the cursor, if one has."""
        self.last_field = next((name for name, one in self.fields.items() if one.has_focus_within), self.last_field)

    def _bring_into_view(self, field: Field) -> None:
        # Textual's own way is relative to where an earlier scroll is still going, and so can overshoot.
        first, rows = field.virtual_region.y, field.virtual_region.height
        top, shown = self.scroll_offset.y, self.scrollable_content_region.height
        if first < top or rows > shown:
            self.scroll_to(y=first, animate=False, force=True)
        elif first + rows > top + shown:
            self.scroll_to(y=first + rows - shown, animate=False, force=True)

    def edit_first_problem(self, problems: Mapping[str, str]) -> str:
        """Put the cursor into the first field that is wrong; what is wrong there, "" if none is in view."""
        for name, field in self.fields.items():
            if field.field_name in problems:
                self.edit(name)
                return f"{name.replace('_', ' ')}: {problems[field.field_name]}"
        return ""
