"""What the new-search screen can do with its form: start it, save it, load one, copy its command, add spaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding

from engine.errors import FoldwatchError
from engine.session.places import new_identifier
from engine.spec.spec import SearchSpec
from engine.system.regular_files import is_folder, is_there
from tui.new_search.spec_files import keep_spec, run_arguments, specs_folder, write_spec
from tui.parts.dialogs import Choice, ChoiceScreen, PathScreen, whole_path
from tui.processes.engine_command import shown_command
from tui.spec_text.form import Form, form_of, read
from tui.terminal.clipboard import copy

if TYPE_CHECKING:
    from textual.binding import BindingType

    from tui.new_search.form_study import Study
    from tui.new_search.space_editor import SpaceEditor
    from tui.parts.control_panel import ControlPanel


class NewSearchActions:
    """Mixed into the new-search screen, which offers what is declared here."""

    if TYPE_CHECKING:
        app: Any
        form: Form
        space: int
        study: Study | None
        _panel: ControlPanel
        _editor: SpaceEditor
        _started_name: str | None

        def put_form(self, form: Form, said: str = "") -> None:
            """Show another form."""

        def next_space(self, step: int = 1) -> None:
            """Another space in the fields."""

        def _has_session(self, name: str) -> bool: ...
        def _draw_frame(self) -> None: ...
        def _show_form(self) -> None: ...
        def _work_out(self) -> None: ...

    ACTION_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,s", "start", "Start the search", show=False),
        Binding("f2,w", "save", "Save the spec as TOML", show=False),
        Binding("f3,o", "load", "Load a spec from TOML", show=False),
        Binding("f4,y", "copy", "Copy the command", show=False),
        Binding("f7", "next_space", "Next space", show=False),
        Binding("f8", "add_space", "Add a space", show=False),
        Binding("f9", "remove_space", "Remove the space", show=False),
        Binding("R", "start_over", "Start over", show=False),
    ]
    loaded_from: Path | None = None  # a file that held exactly this spec when it was last read or written
    _loaded_values: dict[str, Any] | None = None

    # Starting

    def action_start(self) -> None:
        """Write the spec, start an engine of its own session, and watch what it makes."""
        if self.app.read_only:
            self._panel.say("this view is read-only: starting is refused", problem=True)
            return
        spec = self._valid_spec("start")
        if spec is None:
            return
        reading = read(self.form)
        name = reading.name or new_identifier(self.app.sessions, spec.dataset)
        if self._has_session(name):
            self._panel.say(f"there is a session {name} already; choose another name", problem=True)
            self._editor.edit("name")
            return
        try:
            path = keep_spec(spec, self.app.sessions, name)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._started_name = name
        self.app.open_starting(run_arguments(path, name, reading.workers, reading.devices), name)

    def _valid_spec(self, what: str) -> SearchSpec | None:
        """The spec of the form as it stands now; if there is none, the first field to mend has the cursor."""
        study = self.study
        reading = read(self.form)
        problems = dict(reading.problems)
        if not problems and study is not None and study.form == self.form:
            problems = study.problems  # what only the plan can tell
        if reading.spec is not None and not problems:
            return reading.spec
        self._editor.judge(problems, {})
        first = self._editor.edit_first_problem(problems)
        if not first:
            self.next_space()
            first = next(iter(problems.values()), "")
        self._panel.say(f"nothing to {what} yet: {first}", problem=True)
        return None

    # Files and commands

    def shown_command(self) -> str:
        """The command that runs exactly what the form says."""
        reading = read(self.form)
        if reading.spec is None:
            return ""
        sessions: Path = self.app.sessions
        name = reading.name or new_identifier(sessions, reading.spec.dataset)
        arguments = run_arguments(self._command_path(name), name, reading.workers, reading.devices)
        if self.app.explicit_sessions is not None:
            arguments += ["--sessions", str(self.app.explicit_sessions)]
        if self.app.data_folder is not None:
            arguments += ["--data-dir", str(self.app.data_folder)]
        return shown_command(arguments)

    def _command_path(self, name: str) -> Path:
        """The user's own file while it holds what the form says, else the private place."""
        if self.loaded_from is not None and self._loaded_values == read(self.form).values:
            return self.loaded_from
        return specs_folder(self.app.sessions) / f"{name}.toml"

    def action_copy(self) -> None:
        """Copy the command, and write the spec where it says."""
        spec = self._valid_spec("copy")
        if spec is None:
            return
        reading = read(self.form)
        name = reading.name or new_identifier(self.app.sessions, spec.dataset)
        command = self.shown_command()
        try:
            if self._command_path(name) != self.loaded_from:
                keep_spec(spec, self.app.sessions, name)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._panel.say(copy(self.app, command), command)

    def action_save(self) -> None:
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
            choices = [Choice("y", "write over it", "what stands in it now is lost")]
            question = ChoiceScreen(f"{path} is there already", choices)
            self.app.push_screen(question, lambda key: write(path) if key == "y" else None)

        def write(path: Path) -> None:
            try:
                write_spec(spec, path)
            except FoldwatchError as error:
                self._panel.say(str(error), problem=True)
                return
            self._now_as(path)
            self._panel.say(f"the spec is in {path}")

        suggested = self.loaded_from or Path.cwd() / f"{spec.dataset}.toml"
        self.app.push_screen(
            PathScreen(
                "Save the spec as TOML", str(suggested), lambda path: shown_command(["run", path]), _why_not_written
            ),
            chosen,
        )

    def action_load(self) -> None:
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
            self.put_form(form_of(spec.to_values()), f"the form holds {path}")
            self._now_as(path)

        suggested = self.loaded_from or f"{Path.cwd()}/"
        self.app.push_screen(
            PathScreen(
                "Load a spec from TOML", str(suggested), lambda path: shown_command(["plan", path]), _why_not_read
            ),
            chosen,
        )

    def _now_as(self, path: Path) -> None:
        """A file holds exactly what the form says."""
        self.loaded_from, self._loaded_values = path, read(self.form).values
        self._draw_frame()

    # Spaces

    def action_next_space(self) -> None:
        """The next space, where there are several."""
        if len(self.form.spaces) == 1:
            self._panel.say("there is one space; F8 adds another", problem=True)
        else:
            self.next_space()

    def action_add_space(self) -> None:
        """A copy of this space behind it, to change."""
        self.form = self.form.with_space_added(self.space)
        self.next_space()
        self._panel.say(f"space {self.space + 1} is a copy of the one before; change it")

    def action_remove_space(self) -> None:
        """Without this space; the last one stays."""
        if len(self.form.spaces) == 1:
            self._panel.say("the only space stays; empty its fields for the defaults", problem=True)
            return
        self.form = self.form.without_space(self.space)
        self.space = min(self.space, len(self.form.spaces) - 1)
        self._show_form()
        self._work_out()

    def action_start_over(self) -> None:
        """A form as new, if the answer is yes where something would be lost."""

        def answered(key: str | None) -> None:
            if key == "y":
                self.loaded_from = None
                self.put_form(Form(), "the form is as new")

        if self.form == Form():
            answered("y")
        else:
            choices = [Choice("y", "start over", "what stands in the fields is lost")]
            self.app.push_screen(ChoiceScreen("Start over with a new form?", choices), answered)


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
