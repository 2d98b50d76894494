"""What keys of the home screen do with sessions; each shows its outcome and the equivalent command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from textual.binding import Binding

from engine.errors import FoldwatchError, InputOutputError, SessionHeldError
from engine.session.liveness import liveness
from engine.session.requests import Resume
from engine.session.session import open_session
from tui.home.notes import read_note, write_note
from tui.navigation import navigation_of
from tui.parts import script_words
from tui.parts.dialogs import Choice, ChoiceScreen, TextScreen
from tui.processes.engine_command import EngineCommand, shown_command
from tui.terminal.clipboard import copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType

    from engine.session.listing import SessionSummary
    from tui.home.sessions_table import SessionsTable
    from tui.parts.control_panel import ControlPanel
    from tui.spec_text.form import Form


BINDINGS: list[BindingType] = [
    Binding("enter,o", "command('open')", "Open the session", show=False),
    Binding("n", "command('new')", "New search", show=False),
    Binding("d", "command('duplicate')", "Duplicate into a new search", show=False),
    Binding("Z", "command('zoom')", "Zoom: a new search with finer values around the best ones", show=False),
    Binding("r", "command('resume')", "Resume", show=False),
    Binding("x", "command('delete')", "Delete", show=False),
    Binding("e", "command('note')", "Note", show=False),
    Binding("m", "command('mark')", "Mark to compare", show=False),
    Binding("c", "command('compare')", "Compare two sessions", show=False),
    Binding("D", "command('demo')", "Run the demo", show=False),
    Binding("y", "command('copy')", "Copy the command", show=False),
]


class SessionCommands:
    """What keys of the home screen do with the session under the cursor of `table`; outcomes stand in `panel`.

    `in_background` works on the disk in a thread and then shows the words that it was given; `marked` is called after
    a session was marked or unmarked, for what is drawn of it.
    """

    def __init__(
        self,
        table: SessionsTable,
        panel: ControlPanel,
        in_background: Callable[[Callable[[], None], str], None],
        marked: Callable[[], None],
    ) -> None:
        self._table = table
        self._panel = panel
        self._in_background = in_background
        self._marked = marked
        self._app = navigation_of(panel)
        self._engines: list[EngineCommand] = []
        self._draft: Form | None = None  # what was left unfinished in the form

    def keys_now(self) -> list[tuple[str, str, str]]:
        """Keys that mean something now: (key, word, action)."""
        keys: list[tuple[str, str, str]] = []
        summary = self._table.cursor
        may_change = not self._app.read_only
        if summary is not None:
            keys.append(("enter", "open", "screen.command('open')"))
        if may_change:
            keys.append(("n", "new", "screen.command('new')"))
        if may_change and not self._table.summaries:
            keys.append(("D", "demo", "screen.command('demo')"))
        if summary is not None and may_change:
            resumable = summary.status == "paused" if summary.alive else summary.status != "completed"
            resumable = resumable and (summary.alive or not summary.script)
            if not summary.problem and resumable:
                keys.append(("r", "resume", "screen.command('resume')"))
            if not summary.problem and not summary.script:
                keys.append(("d", "duplicate", "screen.command('duplicate')"))
            if not summary.problem and not summary.script and not summary.alive and summary.fits_finished:
                keys.append(("Z", "zoom", "screen.command('zoom')"))
            keys.append(("x", "delete", "screen.command('delete')"))
        if self._table.summaries:
            keys += [
                ("/", "filter", "screen.filter"),
                ("m", "mark", "screen.command('mark')"),
                ("c", "compare", "screen.command('compare')"),
            ]
        if summary is not None and may_change:
            keys.append(("e", "note", "screen.command('note')"))
        return [*keys, ("q", "quit", "app.quit"), ("?", "keys", "app.keys")]

    def open(self) -> None:
        """Watch the session under the cursor; if it cannot be read, read why."""
        summary = self._table.cursor
        if summary is None:
            return
        if summary.problem:
            self._panel.app.push_screen(TextScreen(f"{summary.id} cannot be read", summary.problem))
            return
        self._panel.say("", self._shown(["attach", summary.id]))
        try:
            self._app.open_live(summary.id)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)

    def new(self) -> None:
        """A new search; the form is as it was left."""
        if self._may("a new search"):
            self._edit(self._draft)

    def duplicate(self) -> None:
        """A new search with the spec of this one."""
        summary = self._readable("duplicate")
        if summary is None or self._is_of_script(summary, script_words.DUPLICATE):
            return
        from tui.spec_text.form import form_of

        try:
            record = open_session(summary.id, summary.folder.parent).record
            form = form_of(record.spec, workers=record.workers, devices=record.devices)
        except (FoldwatchError, TypeError, AttributeError, KeyError) as error:
            self._panel.say(f"{summary.id}: its spec cannot be read: {error!r}", problem=True)
            return
        self._edit(form)

    def zoom(self) -> None:
        """A new search, finer around what was good in this one."""
        summary = self._readable("a new search")
        if summary is None or self._is_of_script(summary, script_words.ZOOM):
            return
        try:
            session = open_session(summary.id, summary.folder.parent)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._panel.say("zoom …", self._shown(["zoom", summary.id]))
        self._app.open_zoom(session, lambda why: self._panel.say(why, problem=True), self._keep_draft)

    def _edit(self, form: Form | None) -> None:
        self._app.open_new_search(form, self._keep_draft)

    def _keep_draft(self, draft: Form | None) -> None:
        self._draft = draft

    def resume(self) -> None:
        """Go on after a pause, or start an engine for what is missing."""
        summary = self._readable("resume")
        if summary is None:
            return
        command = self._shown(["resume", summary.id])
        if summary.alive and summary.status != "paused":
            self._panel.say(f"{summary.id} is running already; enter watches it", problem=True)
        elif summary.alive:

            def request() -> None:
                open_session(summary.id, summary.folder.parent).request(Resume())

            self._in_background(request, f"{summary.id}: a resume was requested")
            self._panel.say("resume …", command)
        elif summary.is_complete:
            self._panel.say(f"{summary.id} is complete; nothing is left to run", problem=True)
        elif not self._is_of_script(summary, script_words.RESUME):
            arguments = ["resume", summary.id, "--sessions", str(summary.folder.parent)]
            if self._app.data_folder is not None:
                arguments += ["--data-dir", str(self._app.data_folder)]
            engine = EngineCommand(arguments, f"{summary.id} is done", no_color=self._panel.app.no_color)
            engine.start()
            self._engines.append(engine)
            self._panel.say(f"an engine is being started for {summary.id}", command)

    def check_engines(self) -> None:
        """Show the outcome of engines that were started from here and have ended."""
        for engine in [engine for engine in self._engines if engine.has_ended]:
            self._engines.remove(engine)
            self._panel.say(engine.outcome(), problem=not engine.succeeded)

    def delete(self) -> None:
        """Delete the session under the cursor, if the answer is yes."""
        summary = self._table.cursor
        if summary is None or not self._may("delete"):
            return
        if summary.alive:
            self._panel.say(f"an engine works on {summary.id}; stop it first: press enter, then x", problem=True)
            return
        fits = f"{summary.fits_finished} of {summary.fits_total} fits" if summary.fits_total else "its files"
        choices = [
            Choice("y", "delete it", f"{fits}, curves, note and any model in its folder are removed permanently")
        ]

        def answered(key: str | None) -> None:
            if key == "y":
                self._panel.say("delete …", self._shown(["delete", summary.id]))
                self._in_background(lambda: _delete(summary), f"{summary.id} is deleted")

        self._panel.app.push_screen(ChoiceScreen(f"Delete {summary.id}?", choices), answered)

    def note(self) -> None:
        """Write down what the session was for."""
        summary = self._table.cursor
        if summary is None or not self._may("a note"):
            return
        from tui.home.note_editor import NoteScreen

        def written(text: str | None) -> None:
            if text is not None:
                self._in_background(lambda: write_note(summary.folder, text), f"the note on {summary.id} is saved")

        try:
            now = read_note(summary.folder)
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self._panel.app.push_screen(NoteScreen(summary.id, now), written)

    def mark(self) -> None:
        """Mark the session under the cursor, or take its mark away."""
        self._table.mark()
        self._marked()

    def compare(self) -> None:
        """Two marked sessions, or the marked one and the one under the cursor."""
        table = self._table
        chosen = [summary for summary in table.summaries if summary.id in table.marked]
        if len(chosen) == 1 and table.cursor is not None and table.cursor.id not in table.marked:
            chosen.append(table.cursor)
        if len(chosen) != 2:
            self._panel.say(f"mark two sessions with m to compare them; {len(table.marked)} marked", problem=True)
            return
        if any(summary.problem for summary in chosen):
            self._panel.say("a session that cannot be read cannot be compared", problem=True)
            return
        from tui.home.compare import CompareScreen

        # The older one first: what is new is read as a change to it.
        first, second = sorted(chosen, key=lambda summary: summary.created)
        self._panel.app.push_screen(CompareScreen(first, second))

    def demo(self) -> None:
        """The built-in sample search; where there are sessions, it asks first: elsewhere `D` is the deadline."""
        if not self._may("the demo"):
            return
        if not self._table.summaries:
            self._app.start_demo()
            return
        choices = [Choice("y", "run it", "it takes under a minute and becomes a session of its own")]

        def answered(key: str | None) -> None:
            if key == "y":
                self._app.start_demo()

        self._panel.app.push_screen(
            ChoiceScreen("Run the demo, a small search on synthetic newswires?", choices), answered
        )

    def copy(self) -> None:
        """The command shown last."""
        summary = self._table.cursor
        command = self._panel.command or (self._shown(["attach", summary.id]) if summary else "foldwatch demo")
        self._panel.say(copy(self._panel.app, command), command)

    # What they share

    def _may(self, what: str) -> bool:
        """Whether something may be changed; if not, the panel shows why."""
        if self._app.read_only:
            self._panel.say(f"this view is read-only: {what} is refused", problem=True)
            return False
        return True

    def _readable(self, what: str) -> SessionSummary | None:
        """The session under the cursor, if it can be read and something may be done with it."""
        summary = self._table.cursor
        if summary is None or not self._may(what):
            return None
        if summary.problem:
            self._panel.say(f"{summary.id} cannot be read: press enter to see why", problem=True)
            return None
        return summary

    def _is_of_script(self, summary: SessionSummary, there: str) -> bool:
        """Whether the search lives in a script; the panel shows then what to do `there`."""
        if summary.script:
            self._panel.say(script_words.lives_in(summary.script, there), problem=True)
        return bool(summary.script)

    def _shown(self, arguments: list[str]) -> str:
        explicit = self._app.explicit_sessions
        return shown_command([*arguments, *(["--sessions", str(explicit)] if explicit is not None else [])])


def _delete(summary: SessionSummary) -> None:
    """Remove a session; one that cannot be read is removed as the folder that it is."""
    if summary.problem:
        now = liveness(summary.folder)
        if now.alive:
            message = f"{summary.id}: {now.owner} works on this session"
            raise SessionHeldError(message)
        try:
            shutil.rmtree(summary.folder)
        except OSError as error:
            message = f"{summary.folder}: cannot be deleted: {error.strerror}"
            raise InputOutputError(message) from error
        return
    open_session(summary.id, summary.folder.parent).delete()
