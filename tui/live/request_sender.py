"""How the live view changes its search: by a request to its engine, or by a command in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from tui.live.change import change_in_words
from tui.navigation import navigation_of
from tui.parts.script_words import lives_in
from tui.processes.engine_command import EngineCommand, shown_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.search.change_words import Change
    from engine.session.requests import Request
    from tui.live.follow import Follow
    from tui.live.model import LiveModel
    from tui.parts.control_panel import ControlPanel


class RequestSender:
    """Sends through `follow`, and shows in `panel` what was requested and the equivalent command.

    `sent` is called after each request, so that the screen can draw it.
    """

    def __init__(
        self, live: LiveModel, follow: Follow, panel: ControlPanel, sent: Callable[[], None], *, read_only: bool
    ) -> None:
        self.read_only = read_only
        self._live = live
        self._follow = follow
        self._panel = panel
        self._sent = sent

    def may(self, what: str, *, alive: bool = False) -> bool:
        """Whether `what` can be requested; if not, the panel shows why. `alive`: it needs an engine at work."""
        if self.read_only:
            self._panel.say(f"this view is read-only: {what} is refused", problem=True)
            return False
        if alive and not self._live.is_alive:
            why = "the search is complete" if self._live.is_complete else "no engine works on this session"
            hint = "; s starts one" if self._live.script is None else ""
            hint = "" if self._live.is_complete else hint
            self._panel.say(f"{why}, so there is nothing to {what}{hint}", problem=True)
            return False
        if alive and self._live.is_refitting_script:
            self._panel.say(f"all fits are scored, and the script refits the best: too late to {what}", problem=True)
            return False
        return True

    def may_change(self, what: str, there: str, *, alive: bool = False) -> bool:
        """Like `may`, for what a script's search cannot do: the panel shows what to do `there`, in the script."""
        if self._live.script is not None and not self.read_only:
            self._panel.say(lives_in(self._live.script.path, there), problem=True)
            return False
        return self.may(what, alive=alive)

    def shown(self, arguments: list[str]) -> str:
        """A command as it would be typed."""
        explicit = navigation_of(self._panel).explicit_sessions
        return shown_command([*arguments, *([] if explicit is None else ["--sessions", str(explicit)])])

    def send(self, requests: list[Request], word: str, answer: str, *options: str) -> None:
        """Send requests to the engine, those of the command `word`; the panel shows `answer` once they are written."""
        self._follow.send(requests, answer)
        self._panel.say(f"{word} …", self.shown([word, self._live.session.id, *options]))
        self._sent()

    def send_change(self, change: Change) -> None:
        """Request a change of what is planned, if it can be made."""
        try:
            answer = f"requested: {change_in_words(change, self._live)}"
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self.send([change.request], change.word, answer, *change.arguments)

    def command_of(self, change: Change) -> str:
        """The command that requests a change."""
        return self.shown([change.word, self._live.session.id, *change.arguments])

    def run(self, arguments: list[str], done: str) -> None:
        """Run an engine command in a process of its own; the panel shows `done` once it has succeeded."""
        whole = [*arguments, "--sessions", str(self._live.session.folder.parent)]
        self._follow.run_command(EngineCommand(whole, done, no_color=self._panel.app.no_color))
        self._panel.say(f"{arguments[0]} …", self.shown(arguments))
