"""What the new-search screen can do with its form: start it, save it, load one, copy its command, add spaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding

from engine.errors import FoldwatchError
from engine.spec.spec import SearchSpec
from engine.system.regular_files import is_folder, is_there
from tui.navigation import navigation_of
from tui.new_search.spec_files import keep_spec, run_arguments, write_spec
from tui.new_search.summary_pane import SummaryPane
from tui.parts.dialogs import Choice, ChoiceScreen, PathScreen, TextScreen, whole_path
from tui.processes.engine_command import shown_command
from tui.spec_text.form import Form, form_of, read
from tui.terminal.clipboard import copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType

    from tui.new_search.model import NewSearchModel
    from tui.new_search.space_editor import SpaceEditor
    from tui.parts.control_panel import ControlPanel


BINDINGS: list[BindingType] = [
    Binding("f5,s", "command('start')", "Start the search", show=False),
    Binding("f2,w", "command('save')", "Save the spec as TOML", show=False),
    Binding("f3,o", "command('load')", "Load a spec from TOML", show=False),
    Binding("f4,y", "command('copy')", "Copy the command", show=False),
    Binding("f7", "command('next_space')", "Next space", show=False),
    Binding("f8", "command('add_space')", "Add a space", show=False),
    Binding("f9", "command('remove_space')", "Remove the space", show=False),
    Binding("f10,m", "command('show_summary')", "All of what it means", show=False),
    Binding("R", "command('start_over')", "Start over", show=False),
    Binding("q", "command('quit')", "Quit", show=False),
]


class FormCommands:
    """What keys of the new-search screen do with the form that `model` holds and `editor` shows.

    `changed` is called after the form was exchanged or its spaces changed, `redraw` where only the frame differs.
    """

    def __init__(
        self,
        model: NewSearchModel,
        editor: SpaceEditor,
        panel: ControlPanel,
        changed: Callable[[], None],
        redraw: Callable[[], None],
    ) -> None:
        self._model = model
        self._editor = editor
        self._panel = panel
        self._changed = changed
        self._redraw = redraw
        self._app = navigation_of(panel)

    def keys_now(self, *, is_typing: bool, is_in_lab: bool) -> list[tuple[str, str, str]]:
        """Keys that mean something now: (key, word, action); plain letters only where nobody types."""
        if not is_typing and not is_in_lab:
            return [
                ("s", "start", "screen.command('start')"),
                ("w", "save", "screen.command('save')"),
                ("o", "load", "screen.command('load')"),
                ("y", "copy command", "screen.command('copy')"),
                ("m", "what it means", "screen.command('show_summary')"),
                ("i", "back into the form", "screen.edit"),
                ("esc", "leave, keeping it", "screen.back"),
                ("?", "keys", "app.keys"),
            ]
        keys = [
            ("F5", "start", "screen.command('start')"),
            ("F2", "save", "screen.command('save')"),
            ("F3", "load", "screen.command('load')"),
            ("F4", "copy command", "screen.command('copy')"),
            ("F6", "form" if is_in_lab else "schedule lab", "screen.lab"),
        ]
        if is_in_lab:
            keys += [
                ("← →", "number", "focused.choose(1)"),
                ("↑ ↓", "nudge", "focused.nudge(1)"),
                ("u", "epochs/steps", "focused.units"),
                ("l", "log", "focused.logarithm"),
            ]
        return [
            *keys,
            ("F8", "add space", "screen.command('add_space')"),
            # In a field a question mark is a letter.
            ("esc", "form" if is_in_lab else "plain keys, ? help", "screen.back"),
        ]

    # Starting

    def start(self) -> None:
        """Write the spec, start an engine of its own session, and watch what it makes."""
        if self._app.read_only:
            self._panel.say("this view is read-only: starting is refused", problem=True)
            return
        spec = self._valid_spec("start")
        if spec is None:
            return
        reading = read(self._model.form)
        name = self._model.name_of(reading, spec)
        if self._model.has_session(name):
            self._panel.say(f"a session {name} exists already; choose another name", problem=True)
            self._editor.edit("name")
            return
        try:
            path = keep_spec(spec, self._app.sessions, name)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._model.started_name = name
        self._app.open_starting(run_arguments(path, name, reading.workers, reading.devices), name)

    def _valid_spec(self, purpose: str) -> SearchSpec | None:
        """The spec of the form as it stands now; if there is none, the first field to correct has the cursor."""
        spec, problems = self._model.checked()
        if spec is not None:
            return spec
        self._editor.judge(problems, {})
        first = self._editor.edit_first_problem(problems)
        if not first:
            self._go_to_next_space()
            first = next(iter(problems.values()), "")
        self._panel.say(f"nothing to {purpose} yet: {first}", problem=True)
        return None

    # Files and commands

    def copy(self) -> None:
        """Copy the command, and write the spec to the path that it names."""
        spec = self._valid_spec("copy")
        if spec is None:
            return
        reading = read(self._model.form)
        name = self._model.name_of(reading, spec)
        command = self._model.shown_command()
        try:
            if self._model.command_path(name) != self._model.loaded_from:
                keep_spec(spec, self._app.sessions, name)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._panel.say(copy(self._panel.app, command), command)

    def save(self) -> None:
        """Write the spec as TOML where somebody wants it."""
        spec = self._valid_spec("save")
        if spec is None:
            return

        def chosen(answer: str | None) -> None:
            if not answer:
                return
            path = whole_path(answer)
            if not is_there(path):
                write(path)
                return
            choices = [Choice("y", "overwrite it", "its present contents are lost")]
            question = ChoiceScreen(f"{path} exists already", choices)
            self._panel.app.push_screen(question, lambda key: write(path) if key == "y" else None)

        def write(path: Path) -> None:
            try:
                write_spec(spec, path)
            except FoldwatchError as error:
                self._panel.say(str(error), problem=True)
                return
            self._note_file(path)
            self._panel.say(f"the spec is in {path}")

        suggested = self._model.loaded_from or Path.cwd() / f"{spec.dataset}.toml"
        self._panel.app.push_screen(
            PathScreen(
                "Save the spec as TOML", str(suggested), lambda path: shown_command(["run", path]), _why_not_written
            ),
            chosen,
        )

    def load(self) -> None:
        """Read a spec from TOML into the form."""

        def chosen(answer: str | None) -> None:
            if not answer:
                return
            path = whole_path(answer)
            try:
                spec = SearchSpec.read(path)
            except FoldwatchError as error:  # it was another file a moment ago
                self._panel.say(str(error), problem=True)
                return
            self.put_form(form_of(spec.to_values()), f"the form was filled from {path}")
            self._note_file(path)

        suggested = self._model.loaded_from or f"{Path.cwd()}/"
        self._panel.app.push_screen(
            PathScreen(
                "Load a spec from TOML", str(suggested), lambda path: shown_command(["plan", path]), _why_not_read
            ),
            chosen,
        )

    def _note_file(self, path: Path) -> None:
        self._model.note_file(path)
        self._redraw()

    def put_form(self, form: Form, message: str = "") -> None:
        """Show another form."""
        self._model.start_with(form)
        self._changed()
        if message:
            self._panel.say(message)

    def show_summary(self) -> None:
        """All of what the form means; while something is wrong, that first."""
        wrong = [f"{name}: {problem}" for name, problem in read(self._model.form).problems.items()]
        last = self._panel.screen.query_one(SummaryPane).words
        text = "\n".join([*wrong, "", "before the mistake:", last]) if wrong and last else "\n".join(wrong) or last
        self._panel.app.push_screen(TextScreen("what it means", text))

    # Spaces

    def next_space(self) -> None:
        """The next space, where there are several."""
        if len(self._model.form.spaces) == 1:
            self._panel.say("there is one space; F8 adds another", problem=True)
        else:
            self._go_to_next_space()

    def _go_to_next_space(self) -> None:
        self._model.go_to_next_space()
        self._changed()

    def add_space(self) -> None:
        """A copy of this space behind it, to change."""
        self._model.add_space()
        self._changed()
        self._panel.say(f"space {self._model.space + 1} is a copy of the one before; change it")

    def remove_space(self) -> None:
        """Without this space; the last one stays."""
        if len(self._model.form.spaces) == 1:
            self._panel.say("the only space stays; empty its fields for the defaults", problem=True)
            return
        self._model.remove_space()
        self._changed()

    # Leaving what was typed

    def start_over(self) -> None:
        """A form as new, if the answer is yes where something would be lost."""

        def answered(key: str | None) -> None:
            if key == "y":
                self._model.loaded_from = None
                self.put_form(Form(), "the form is empty")

        if self._model.form == Form():
            answered("y")
        else:
            choices = [Choice("y", "start over", "what was typed in the fields is lost")]
            self._panel.app.push_screen(ChoiceScreen("Start over with an empty form?", choices), answered)

    def quit(self) -> None:
        """Quit; with a question first where something was typed, which only this app knows."""
        app = self._panel.app
        if self._model.form == Form():
            app.exit()
            return
        choices = [
            Choice("y", "quit", "what was typed is lost; escape keeps it, for as long as foldwatch runs"),
            Choice("w", "write it as TOML first", "foldwatch stays open"),
        ]

        def chosen(key: str | None) -> None:
            if key == "y":
                app.exit()
            elif key == "w":
                self.save()

        app.push_screen(ChoiceScreen("Quit, and lose the form?", choices), chosen)


def _why_not_written(path: str) -> str:
    """What can be known before it is tried."""
    whole = whole_path(path)
    if is_folder(whole):
        return f"{whole}: the spec cannot be written: it is a folder"
    return "" if is_folder(whole.parent) else f"{whole}: the spec cannot be written: there is no such folder"


def _why_not_read(path: str) -> str:
    try:
        SearchSpec.read(whole_path(path))
    except FoldwatchError as error:
        return str(error)
    return ""
