"""What keys of the live view request of its search; each also shows the equivalent command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding

from engine.analysis.forecast.deadline import Deadline, request_of
from engine.errors import FoldwatchError, UsageError
from engine.search.change_words import read_change
from engine.search.changes import check_retry
from engine.session.combination import CombinationStatus
from engine.session.requests import Pause, Resume, Retry, Save, Skip, Stop
from engine.system.regular_files import is_folder, is_there
from engine.training.model_path import check_folder, check_model_place
from tui.live.change import ChangeScreen
from tui.navigation import navigation_of
from tui.parts import script_words
from tui.parts.dialogs import Choice, ChoiceScreen, PathScreen, whole_path
from tui.results.model import LAST
from tui.terminal.clipboard import copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType

    from engine.search.change_words import Change
    from engine.session.requests import Request
    from tui.live.model import LiveModel
    from tui.live.request_sender import RequestSender
    from tui.parts.control_panel import ControlPanel
    from tui.results.table import ResultsTable


BINDINGS: list[BindingType] = [
    Binding("s", "command('start')", "Start or resume", show=False),
    Binding("p", "command('pause')", "Pause", show=False),
    Binding("x", "command('stop')", "Stop", show=False),
    Binding("D", "command('deadline')", "End by a deadline", show=False),
    Binding("b", "command('save_best')", "Save the best model", show=False),
    Binding("B", "command('save_selected')", "Save the selected model", show=False),
    Binding("K", "command('skip')", "Skip the combination", show=False),
    Binding("c,colon", "command('change')", "Change the running search", show=False),
    Binding("1", "command('put_first')", "The selected combination first", show=False),
    Binding("U", "command('undo_change')", "Undo the last change", show=False),
    Binding("r", "command('retry')", "Retry failed ones", show=False),
    Binding("e", "command('export')", "Export results", show=False),
    Binding("Z", "command('zoom')", "Zoom: a new search with finer values around the best ones", show=False),
    Binding("y", "command('copy')", "Copy the command", show=False),
]


class SearchCommands:
    """What keys of the live view ask of its search, and of the combination under the table's cursor."""

    def __init__(self, sender: RequestSender, live: LiveModel, table: ResultsTable, panel: ControlPanel) -> None:
        self._sender = sender
        self._live = live
        self._table = table
        self._panel = panel

    def keys_now(self, focused: str | None) -> list[tuple[str, str, str]]:
        """Keys that mean something where the search stands, `focused` having the focus: (key, word, action)."""
        live = self._live
        standing, of_script = live.standing, live.script is not None
        if focused == "filter":
            # Plain keys are letters there.
            return [("↵", "keep the filter", "focused.submit"), ("esc", "clear it", "screen.back")]
        keys: list[tuple[str, str, str]] = []
        if not self._sender.read_only:
            if standing in ("paused", "pausing"):
                keys.append(("s", "resume", "screen.command('start')"))
            elif (
                not of_script
                and not live.is_alive
                and standing in ("stopped", "interrupted", "crashed", "damaged", "failed", "new")
            ):
                keys.append(("s", "start", "screen.command('start')"))
            elif live.is_alive and standing == "running":
                keys.append(("p", "pause", "screen.command('pause')"))
            if live.is_alive:
                keys.append(("x", "stop", "screen.command('stop')"))
            if not of_script:
                keys.append(("b", "save best", "screen.command('save_best')"))
            if not of_script and not live.is_alive and live.state.combinations:
                keys.append(("Z", "zoom", "screen.command('zoom')"))
            if live.is_alive:
                keys.append(("K", "skip", "screen.command('skip')"))
            if live.is_alive and not of_script:
                keys.append(("c", "change", "screen.command('change')"))
            if live.state.fits_failed and not of_script:
                keys.append(("r", "retry", "screen.command('retry')"))
        return [
            *keys,
            ("f", "filter", "screen.view('filter')"),
            ("m", "mark", "screen.view('mark')"),
            ("t", "trends", "screen.view('trends')"),
            *_keys_of_pane(focused),
            ("q", "quit", "app.quit"),
            ("o", "maximise", "screen.maximise"),
            ("z", "freeze", "screen.view('freeze')"),
            ("e", "export", "screen.command('export')"),
            ("y", "copy command", "screen.command('copy')"),
            ("?", "keys", "app.keys"),
        ]

    def start(self) -> None:
        """Go on after a pause, or start an engine for a session that has none."""
        if not self._sender.may("resume"):
            return
        standing = self._live.standing
        if self._live.is_alive:
            if standing not in ("paused", "pausing"):
                self._panel.say("the search is running already", problem=True)
                return
            self._sender.send([Resume()], "resume", "a resume was requested")
        elif self._live.is_complete:
            self._panel.say("the search is complete; nothing is left to run", problem=True)
        elif self._sender.may_change("resume", script_words.RESUME):
            self._sender.run(["resume", self._live.session.id, "--detach"], "an engine works on the search")

    def pause(self) -> None:
        """Halt at the next epoch's end."""
        if not self._sender.may("pause", alive=True):
            return
        self._live.requested = "pausing"
        halts = "trainings halt at the end of their epoch"
        if self._live.script is not None:
            halts = "no fit begins, Keras halts at its epoch's end"
        self._sender.send([Pause()], "pause", f"a pause was requested: {halts}")

    def stop(self) -> None:
        """Ask how, then stop."""
        if not self._sender.may("stop", alive=True):
            return
        running = len(self._live.state.trainings)
        finishing = "1 training finishes" if running == 1 else f"{running} trainings finish"
        if self._live.script is None:
            left, then = "running trainings keep a checkpoint from which a resume continues", "the engine ends"
        else:
            left, then = "running fits are left; the script, run again, begins them anew", "the script's fit raises"
        at_once = Choice("a", "stop at once", left)
        finish = Choice("f", "finish running fits", f"{finishing} first, then {then}")
        # Paused trainings would never finish, and a search that is stopping waits for them already.
        choices = [at_once] if self._live.standing in ("paused", "stopping") else [finish, at_once]

        def chosen(key: str | None) -> None:
            if key is not None:
                at_once = key == "a"
                self._live.requested = "stopping"
                answer = "an immediate stop was requested" if at_once else "a stop was requested; running fits finish"
                self._sender.send([Stop(at_once=at_once)], "stop", answer, *(["--at-once"] if at_once else []))

        self._panel.app.push_screen(ChoiceScreen(f"Stop {self._live.session.id}?", choices), chosen)

    def deadline(self) -> None:
        """Ask by when to end."""
        if not self._sender.may_change("end", script_words.DEADLINE, alive=True):
            return

        def command(when: str) -> str:
            return self._sender.shown(["deadline", self._live.session.id, when])

        def refused(when: str) -> str:
            try:
                Deadline.read(when)
            except UsageError as error:
                return str(error)
            return ""

        def chosen(when: str | None) -> None:
            if when:
                request = request_of(Deadline.read(when))
                self._sender.send([request], "deadline", f"a deadline was requested: {when}", when)

        title = f"End {self._live.session.id} by: 20m, 2h, 18:00, an ISO date and time, or none"
        self._panel.app.push_screen(PathScreen(title, "20m", command, refused), chosen)

    def save_best(self) -> None:
        """Refit the best combination on all training rows and save it."""
        if not self._sender.may_change("save", script_words.SAVE):
            return
        best = self._table.model.best
        if best is None:
            self._panel.say("no combination is complete on every fold, so none can be called best", problem=True)
            return
        self._save(best, is_best=True)

    def save_selected(self) -> None:
        """Refit the combination under the cursor on all training rows and save it."""
        selected = self._table.cursor
        if selected is None or not self._sender.may_change("save", script_words.SAVE):
            return
        if self._table.model.statuses[selected] is not CombinationStatus.COMPLETE:
            self._panel.say(f"#{selected} is not complete on every fold; it cannot be saved yet", problem=True)
            return
        self._save(selected, is_best=False)

    def _save(self, combination: int, *, is_best: bool) -> None:
        name = "best.keras" if is_best else f"combination-{combination}.keras"
        which = [] if is_best else ["--combination", str(combination)]

        def command(path: str) -> list[str]:
            return ["save", self._live.session.id, *which, "--to", path]

        def chosen(path: str | None) -> None:
            if not path:
                return
            whole = str(whole_path(path))
            if self._live.is_alive:
                request = Save(path=whole, combination=None if is_best else combination)
                self._sender.send([request], "save", f"saving #{combination} was requested", *which, "--to", whole)
            else:
                self._sender.run(command(whole), f"#{combination} is saved to {whole}")

        title = f"Save #{combination}{', the best' if is_best else ''}: refit on all training rows, test set scored"
        suggested = str(self._live.session.folder / name)
        question = PathScreen(
            title, suggested, lambda path: self._sender.shown(command(path)), _refusal(check_model_place), _is_there
        )
        self._panel.app.push_screen(question, chosen)

    def skip(self) -> None:
        """Do not run what is still missing of the selected combination."""
        selected = self._table.cursor
        if selected is None or not self._sender.may("skip", alive=True):
            return
        if self._table.model.statuses[selected].is_finished:
            status = self._table.model.statuses[selected]
            self._panel.say(f"#{selected} is {status}; there is nothing to skip", problem=True)
            return
        self._sender.send(
            [Skip(combination=selected)],
            "skip",
            f"skipping #{selected} was requested{'; r undoes it' if self._live.script is None else ''}",
            "--combination",
            str(selected),
        )

    def change(self) -> None:
        """Ask what to add, drop, put first, copy or take back."""
        if not self._sender.may_change("change", script_words.CHANGE, alive=True):
            return

        def chosen(change: Change | None) -> None:
            if change is not None:
                self._sender.send_change(change)

        self._panel.app.push_screen(ChangeScreen(self._live, self._table.cursor, self._sender.command_of), chosen)

    def put_first(self) -> None:
        """Run what is missing of the selected combination before all others."""
        if self._table.cursor is not None and self._sender.may_change("put first", script_words.CHANGE, alive=True):
            self._sender.send_change(read_change("first", self._table.cursor))

    def undo_change(self) -> None:
        """Take back the last change that was not taken back yet."""
        if self._sender.may_change("undo", script_words.CHANGE, alive=True):
            self._sender.send_change(read_change("undo", None))

    def retry(self) -> None:
        """Finish the selected combination, failed, skipped or dropped; if it is none of that, all that failed."""
        if not self._sender.may_change("retry", script_words.RETRY):
            return
        model, selected = self._table.model, self._table.cursor
        if selected is not None and model.statuses[selected] in LAST:
            rows = [selected]
        else:
            rows = [row for row in range(model.rows) if model.statuses[row] is CombinationStatus.FAILED]
        if not rows:
            self._panel.say("no fit has failed; there is nothing to retry", problem=True)
            return
        try:
            for row in rows:
                check_retry(row, self._live.state)
        except UsageError as error:
            self._panel.say(str(error), problem=True)
            return
        which = f"#{rows[0]}" if len(rows) == 1 else f"{len(rows)} combinations"
        if not self._live.is_alive:
            options = [part for row in rows for part in ("--retry", str(row))]
            self._sender.run(["resume", self._live.session.id, "--detach", *options], f"an engine works on {which}")
            return
        requests: list[Request] = [Retry(combination=row) for row in rows]
        options = [part for row in rows for part in ("--combination", str(row))]
        self._sender.send(requests, "retry", f"retrying {which} was requested", *options)

    def export(self) -> None:
        """Results as CSV or JSON, by a helper process."""

        def command(path: str) -> list[str]:
            kind = "json" if path.endswith(".json") else "csv"
            return ["export", self._live.session.id, "--format", kind, "--to", path]

        def chosen(path: str | None) -> None:
            if path:
                whole = str(whole_path(path))
                self._sender.run(command(whole), f"results are in {whole}")

        suggested = str(Path.cwd() / f"{self._live.session.id}.csv")
        self._panel.app.push_screen(
            PathScreen(
                "Export all results; a name that ends in .json makes JSON",
                suggested,
                lambda path: self._sender.shown(command(path)),
                _refusal(_check_export),
                _is_there,
            ),
            chosen,
        )

    def zoom(self) -> None:
        """The form of a finer search around what was good."""
        if not self._sender.may_change("a new search", script_words.ZOOM):
            return
        self._panel.say("zoom …", self._sender.shown(["zoom", self._live.session.id]))
        navigation_of(self._panel).open_zoom(
            self._live.session, lambda why: self._panel.say(why, problem=True), lambda draft: None
        )

    def copy(self) -> None:
        """The command in the control panel, or how to attach to this session."""
        self._panel.say(
            copy(self._panel.app, self._panel.command or self._sender.shown(["attach", self._live.session.id]))
        )


def _keys_of_pane(pane: str | None) -> list[tuple[str, str, str]]:
    """Keys that mean something in the pane that has the focus alone."""
    match pane:
        case "results":
            return [("↵", "detail", "focused.choose")]
        case "log":
            return [("↵", "open", "focused.open")]
        case "rates":
            return [("u", "epochs, steps", "screen.view('units')"), ("l", "logarithm", "screen.view('logarithm')")]
        case _:
            return []


def _refusal(check: Callable[[Path], None]) -> Callable[[str], str]:
    """Why a check refuses the path that was typed; empty if it does not."""

    def why(typed: str) -> str:
        try:
            check(whole_path(typed))
        except FoldwatchError as error:
            return str(error)
        return ""

    return why


def _check_export(path: Path) -> None:
    if path.suffix not in (".csv", ".json") or is_folder(path):
        message = f"{path}: results are exported to a file whose name ends in .csv or .json"
        raise UsageError(message)
    check_folder(path)


def _is_there(typed: str) -> str:
    path = whole_path(typed)
    return f"{path} exists already and would be replaced" if is_there(path) else ""
