"""How the live view asks something of its search: by a request or a command, with the words that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from tui.live.change import meaning
from tui.navigation import navigation_of
from tui.processes.engine_command import EngineCommand, shown_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.search.change_words import Change
    from engine.session.requests import Request
    from tui.live.follow import Follow
    from tui.live.model import LiveModel
    from tui.parts.control_panel import ControlPanel


class Asking:
    """Asks through `follow`, and says in `panel` what was asked for and which command does that.

    `asked` is called after a request, for what is drawn of it.
    """

    def __init__(
        self, live: LiveModel, follow: Follow, panel: ControlPanel, asked: Callable[[], None], *, read_only: bool
    ) -> None:
        self.read_only = read_only
        self._live = live
        self._follow = follow
        self._panel = panel
        self._asked = asked

    def may(self, what: str, *, alive: bool = False) -> bool:
        """Whether it can be asked; if not, it says why. `alive`: of an engine at work only."""
        if self.read_only:
            self._panel.say(f"this view is read-only: {what} is refused", problem=True)
            return False
        if alive and not self._live.is_alive:
            self._panel.say(
                f"no engine works on this session, so there is nothing to {what}; s starts one", problem=True
            )
            return False
        return True

    def shown(self, arguments: list[str]) -> str:
        """A command as somebody would type it."""
        explicit = navigation_of(self._panel).explicit_sessions
        return shown_command([*arguments, *([] if explicit is None else ["--sessions", str(explicit)])])

    def ask(self, requests: list[Request], word: str, said: str, *options: str) -> None:
        """Ask the engine at work; `said` once it has the requests, which are those of the command `word`."""
        self._follow.ask(requests, said)
        self._panel.say(f"{word} …", self.shown([word, self._live.session.id, *options]))
        self._asked()

    def ask_change(self, change: Change) -> None:
        """Ask for a change of what is planned, if it can be made."""
        try:
            asked = f"asked for: {meaning(change, self._live)}"
        except FoldwatchError as error:
            self._panel.say(str(error), problem=True)
            return
        self.ask([change.request], change.word, asked, *change.arguments)

    def command_of(self, change: Change) -> str:
        """The command that asks for a change."""
        return self.shown([change.word, self._live.session.id, *change.arguments])

    def run(self, arguments: list[str], done: str) -> None:
        """Run a command of the engine in a process of its own; `done` is said once it has ended well."""
        whole = [*arguments, "--sessions", str(self._live.session.folder.parent)]
        self._follow.run_command(EngineCommand(whole, done, no_color=self._panel.app.no_color))
        self._panel.say(f"{arguments[0]} …", self.shown(arguments))
