"""What the new-search screen edits: a form, the space in view, what the form means, and the file that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.session.places import new_identifier
from tui.new_search.spec_files import run_arguments, specs_folder
from tui.processes.engine_command import shown_command
from tui.spec_text.form import Form, field_of_space, read

if TYPE_CHECKING:
    from pathlib import Path

    from engine.spec.spec import SearchSpec
    from tui.navigation import Navigation
    from tui.new_search.form_study import Study
    from tui.spec_text.form import Reading


class NewSearchModel:
    """No widgets in here; `app` knows the folders of sessions and of data."""

    def __init__(self, form: Form, app: Navigation) -> None:
        self.form = form
        self.space = 0
        self.batch_number = 0
        self.study: Study | None = None
        self.loaded_from: Path | None = None  # a file that held exactly this spec when it was last read or written
        self.started_name: str | None = None
        self._loaded_values: dict[str, Any] | None = None
        self._app = app

    def start_with(self, form: Form) -> None:
        """Edit another form."""
        self.form, self.space, self.batch_number = form, 0, 0

    def type(self, field: str, text: str) -> None:
        """One field holds another text."""
        self.form = self.form.with_text(field, text)

    @property
    def rates_field(self) -> str:
        """The field with the learning rates of the space in view."""
        return field_of_space(self.space, "learning_rate")

    def take(self, study: Study) -> bool:
        """Keep what was worked out; False if the form has changed meanwhile, so that another study is under way."""
        if study.form != self.form:
            return False
        self.study = study
        return True

    # Spaces

    def go_to_next_space(self) -> None:
        """The next space, the first after the last."""
        self.space = (self.space + 1) % len(self.form.spaces)

    def add_space(self) -> None:
        """A copy of the space in view behind it, which is then in view."""
        self.form = self.form.with_space_added(self.space)
        self.go_to_next_space()

    def remove_space(self) -> None:
        """Without the space in view."""
        self.form = self.form.without_space(self.space)
        self.space = min(self.space, len(self.form.spaces) - 1)

    # What is to run

    def checked(self) -> tuple[SearchSpec | None, dict[str, str]]:
        """The spec as it stands now, or None and the problem of each field, those included that only a plan shows."""
        reading, study = read(self.form), self.study
        problems = dict(reading.problems)
        if not problems and study is not None and study.form == self.form:
            problems = study.problems
        return (None if problems else reading.spec), problems

    def name_of(self, reading: Reading, spec: SearchSpec) -> str:
        """The name that was typed, else the next free one."""
        return reading.name or new_identifier(self._app.sessions, spec.dataset)

    def has_session(self, name: str) -> bool:
        """Whether there is a session of this name already."""
        return (self._app.sessions / name / "search.json").exists()

    def shown_command(self) -> str:
        """The command that runs exactly what the form holds; nothing while the form holds no valid spec."""
        reading = read(self.form)
        if reading.spec is None:
            return ""
        name = self.name_of(reading, reading.spec)
        arguments = run_arguments(self.command_path(name), name, reading.workers, reading.devices)
        if self._app.explicit_sessions is not None:
            arguments += ["--sessions", str(self._app.explicit_sessions)]
        if self._app.data_folder is not None:
            arguments += ["--data-dir", str(self._app.data_folder)]
        return shown_command(arguments)

    def command_path(self, name: str) -> Path:
        """The user's own file while it holds the spec of the form, else the private place."""
        if self.loaded_from is not None and self._loaded_values == read(self.form).values:
            return self.loaded_from
        return specs_folder(self._app.sessions) / f"{name}.toml"

    def note_file(self, path: Path) -> None:
        """A file holds exactly the spec of the form."""
        self.loaded_from, self._loaded_values = path, read(self.form).values
