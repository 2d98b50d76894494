"""The fields of the form: a label, a text or a choice, a hint, and below it what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.parts.line import Line
from tui.parts.safe_text import clean, safe_text
from tui.parts.still_input import StillInput
from tui.spec_text.completion import completed
from tui.spec_text.value_syntax import nudged, numbers_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult, RenderResult
    from textual.binding import BindingType


class WordSuggester(Suggester):
    """Completes the last word by what the catalogue knows."""

    def __init__(self, field: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._field = field

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its last word completed."""
        return completed(self._field, value)


class FieldInput(StillInput):
    """A text; up and down leave it, shift+up and shift+down nudge the number at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+up", "nudge(1)", "Number at the cursor up", show=False),
        Binding("shift+down", "nudge(-1)", "Number at the cursor down", show=False),
    ]

    def replace(self, text: str, start: int, end: int) -> None:
        """What is pasted may come from anywhere."""
        super().replace(clean(text), start, end)

    def action_nudge(self, step: int) -> None:
        """The number that the cursor is in or after."""
        cursor = self.cursor_position
        place = next((place for place in numbers_in(self.value) if place.start <= cursor <= place.end), None)
        if place is not None:
            self.value = nudged(self.value, place, step)
            self.cursor_position = min(cursor, len(self.value))


class Choices(Widget, can_focus=True):
    """One of a few words, chosen with left and right, its first letter, or the mouse."""

    DEFAULT_CSS = """
    Choices { height: 1; width: 1fr; link-style: none; link-style-hover: bold; link-color: $foreground; }
    Choices:focus { background: $foldwatch-cursor; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Choice before", show=False),
        Binding("right,space", "step(1)", "Next choice", show=False),
    ]

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, choices: Choices) -> None:
            self.choices = choices
            super().__init__()

    def __init__(self, words: Sequence[str], value: str) -> None:
        super().__init__()
        self.words = list(words)
        self.value = value

    def render(self) -> RenderResult:
        """All words, the chosen one strong."""
        text = Text(no_wrap=True, end="")
        for word in self.words:
            link = Style(meta={"@click": f"choose({word!r})"})
            sign, style = ("● ", "bold") if word == self.value else ("○ ", "dim")
            text.append(f"{sign}{word}", style=Style.parse(style) + link).append("  ")
        if self.value not in self.words:
            text.append_text(safe_text(f"● {self.value}", "bold"))
        return text

    def choose(self, word: str) -> None:
        """Choose a word without telling."""
        self.value = word
        self.refresh()

    def action_choose(self, word: str) -> None:
        """Choose a word and tell."""
        self.focus()
        if word != self.value:
            self.choose(word)
            self.post_message(self.Changed(self))

    def action_step(self, step: int) -> None:
        """The neighbouring word."""
        place = self.words.index(self.value) if self.value in self.words else -1
        self.action_choose(self.words[(place + step) % len(self.words)])


class Field(Vertical):
    """A field of the form by its name; `value` is its text, shown whole below where the line is too short."""

    DEFAULT_CSS = """
    Field { height: auto; width: 100%; }
    Field > Horizontal { height: 1; }
    Field .field--label { width: 15; height: 1; color: $foreground; }
    Field .field--hint { width: 11; height: 1; color: $foldwatch-faint; padding: 0 0 0 1; }
    Field .field--problem { height: auto; display: none; color: $error; padding: 0 0 0 15; max-height: 6; }
    Field.-wrong .field--problem { display: block; }
    Field .field--whole { height: auto; display: none; padding: 0 0 0 15; max-height: 10; text-style: dim; }
    Field.-long .field--whole { display: block; }
    Field.-wrong.-long .field--whole { max-height: 5; }
    .-short Field.-long .field--whole { display: none; }
    .-short Field.-long:focus-within .field--whole { display: block; }
    Field.-wrong .field--label { color: $error; text-style: bold; }
    Field FieldInput { width: 1fr; background: $panel; }
    Field FieldInput:focus { background: $foldwatch-cursor; }
    Field FieldInput > .input--placeholder { color: $foldwatch-faint; }
    Field FieldInput > .input--suggestion { color: $foldwatch-faint; }
    Field:focus-within .field--label { color: $primary; text-style: bold; }
    """

    class Changed(Message):
        """Somebody typed or chose."""

        def __init__(self, field: Field) -> None:
            self.field = field
            super().__init__()

    def __init__(
        self, field_name: str, label: str, value: str, *, words: Sequence[str] = (), placeholder: str = ""
    ) -> None:
        super().__init__()
        self.field_name = field_name
        self._label = label
        self._words = words
        self._editor: FieldInput | Choices
        if words:
            self._editor = Choices(words, value)
        else:
            self._editor = FieldInput(
                value, placeholder=placeholder, compact=True, suggester=WordSuggester(field_name), select_on_focus=False
            )
        self._hint = Line(classes="field--hint")
        self._whole = Line(classes="field--whole")
        self._problem = Line(classes="field--problem")

    def compose(self) -> ComposeResult:
        """Label, editor, hint; the problem below."""
        with Horizontal():
            yield Static(safe_text(self._label), classes="field--label")
            yield self._editor
            yield self._hint
        yield self._whole
        yield self._problem

    def on_resize(self) -> None:
        """What was too long may fit now."""
        self._show_whole()

    def _show_whole(self) -> None:
        """A text that the line cannot hold stands below it, whole."""
        is_long = isinstance(self._editor, FieldInput) and 0 < self._editor.size.width <= len(self.value)
        self.set_class(is_long, "-long")
        if is_long:
            self._whole.say(self.value)

    @property
    def value(self) -> str:
        """The text, or the word chosen."""
        return self._editor.value

    def put(self, value: str) -> None:
        """Show another text without telling."""
        if value == self._editor.value:
            return
        if isinstance(self._editor, Choices):
            self._editor.choose(value)
        else:
            with self._editor.prevent(Input.Changed):
                self._editor.value = value
        self._show_whole()

    def edit(self) -> None:
        """Put the cursor here; whoever holds the field sees to it that it is in view."""
        # Not Textual's `focus`, which comes later: a held key would then count twice from one field.
        self.screen.set_focus(self._editor, scroll_visible=False)

    def show_problem(self, problem: str) -> None:
        """What is wrong; nothing if it is empty."""
        self.set_class(bool(problem), "-wrong")
        self._problem.say(f"↑ {problem}" if problem else "")

    def show_hint(self, hint: str) -> None:
        """A few words behind the text."""
        self._hint.say(hint)

    @on(Input.Changed)
    @on(Choices.Changed)
    def _when_changed(self, event: Input.Changed | Choices.Changed) -> None:
        event.stop()
        self._show_whole()
        self.post_message(self.Changed(self))
