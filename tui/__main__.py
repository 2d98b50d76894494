"""The command `foldwatch`: the engine's commands and those that open the app, read by one parser.

Only what a command needs is imported: the app without what trains, the engine's commands without Textual.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import engine.cli.demo
import engine.cli.main
from engine.cli.main import Version
from engine.cli.options import (
    AsJson,
    DataDir,
    DeadlineText,
    Detach,
    Devices,
    GroupReadable,
    Notify,
    Overrides,
    Plain,
    Sessions,
    Workers,
    session_names,
)
from engine.cli.printing import say
from engine.errors import UsageError
from engine.formatting.characters import is_plain
from engine.system.standard_streams import is_dumb_terminal

_NO_TERMINAL = (
    "the app needs a terminal on stdin, stdout and stderr (it draws on the last); "
    "foldwatch --help lists the commands that need none"
)
_DUMB_TERMINAL = (
    "TERM is {!r}: the app needs a terminal that can place characters; foldwatch list, show and logs print plain lines"
)


class Theme(StrEnum):
    """The colours by the names that users know."""

    dark = "dark"
    light = "light"
    colour_blind = "colour-blind"
    terminal = "terminal"


ReadOnly = Annotated[bool, typer.Option("--read-only", help="Watch without changing anything.")]
LowBandwidth = Annotated[bool, typer.Option("--low-bandwidth", help="Repaint every few seconds only.")]
Colours = Annotated[Theme | None, typer.Option("--theme", help="Colours of the app; or FOLDWATCH_THEME.")]


class Commands(TyperGroup):
    """Options in front of a command belong to it: `--sessions D list` is `list --sessions D`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command, and its arguments behind the options that were given before it."""
        name, command, rest = super().resolve_command(ctx, args)
        before: list[str] = []
        for parameter in self.get_params(ctx):
            value = ctx.params.get(parameter.name)
            source = ctx.get_parameter_source(parameter.name)
            if value is None or source is None or source.name != "COMMANDLINE":
                continue
            if isinstance(value, bool):
                before.append((parameter.opts if value else parameter.secondary_opts)[0])
                continue
            for one in value if isinstance(value, list | tuple) else [value]:
                before += [parameter.opts[0], str(one)]
        return name, command, [*before, *rest]


app = typer.Typer(
    cls=Commands,
    name="foldwatch",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    return engine.cli.main.run_command_line(app, arguments)


@app.callback()
def home(
    context: typer.Context,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    read_only: ReadOnly = False,
    low_bandwidth: LowBandwidth = False,
    theme: Colours = None,
    plain: Plain = False,
    workers: Workers = None,
    devices: Devices = None,
    set_: Overrides = None,
    detach: Detach = False,
    group_readable: GroupReadable = False,
    notify: Notify = None,
    deadline: DeadlineText = None,
    as_json: AsJson = False,
    version: Version = False,
) -> int:
    """Hyperparameter searches of Keras text classifiers, watched fold by fold.

    Without a command: the terminal app. Options that stand before a command are that command's.
    """
    if context.invoked_subcommand is not None:
        return 0
    given = {
        "--workers": workers,
        "--devices": devices,
        "--set": set_,
        "--detach": detach,
        "--group-readable": group_readable,
        "--notify": notify,
        "--deadline": deadline,
        "--json": as_json,
    }
    if of_command := next((option for option, value in given.items() if value), None):
        message = f"{of_command} belongs to a command, as in: foldwatch run SPEC.toml; see: foldwatch --help"
        raise UsageError(message)
    return _open(None, sessions, data_dir, read_only=read_only, low_bandwidth=low_bandwidth, theme=theme)


@app.command()
def attach(
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="The session to watch; else the newest that runs, or the newest.",
            autocompletion=session_names,
        ),
    ] = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    read_only: ReadOnly = False,
    low_bandwidth: LowBandwidth = False,
    theme: Colours = None,
    plain: Plain = False,
) -> int:
    """Watch a search in the terminal app."""
    _check_terminal()
    chosen = identifier or _newest(sessions)
    return _open(chosen, sessions, data_dir, read_only=read_only, low_bandwidth=low_bandwidth, theme=theme)


# The engine's demo, which cannot open the app, is replaced by the one below.
app.registered_commands += [
    command for command in engine.cli.main.app.registered_commands if command.callback is not engine.cli.demo.demo
]


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without the terminal app.")] = False,
    workers: Workers = None,
    sessions: Sessions = None,
    group_readable: GroupReadable = False,
    low_bandwidth: LowBandwidth = False,
    theme: Colours = None,
    plain: Plain = False,
) -> int:
    """Search the built-in synthetic sample, save the best model and score it on the test set."""
    if headless:
        return engine.cli.demo.demo(headless=True, workers=workers, sessions=sessions, group_readable=group_readable)
    return _open(None, sessions, None, low_bandwidth=low_bandwidth, theme=theme, is_demo=True)


def _check_terminal() -> None:
    """Raises UsageError where the app could not be drawn."""
    if "TEXTUAL_DRIVER" in os.environ:
        return  # a browser takes the terminal's place: tui.serve
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(_NO_TERMINAL)
    if is_dumb_terminal():
        raise UsageError(_DUMB_TERMINAL.format(os.environ["TERM"]))


def _open(
    identifier: str | None,
    sessions: Path | None,
    data_folder: Path | None,
    *,
    read_only: bool = False,
    low_bandwidth: bool = False,
    theme: Theme | None = None,
    is_demo: bool = False,
) -> int:
    """Draw the app on the terminal until it is left; the exit code. Opens on a session, on a demo, or at home.

    Raises FoldwatchError if the session cannot be opened.
    """
    _check_terminal()
    # Textual reads all of these at its import. Screens limit their own repaints to a few a second; what is left to
    # draw at once are answers to keys, which at 20 frames a second waited up to 50 ms for the next one.
    os.environ.setdefault("TEXTUAL_FPS", "5" if low_bandwidth else "60")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if low_bandwidth:
        # Names of colours are most of what goes over the line, and those of 256 are half as long.
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
    from engine.session.places import sessions_folder
    from engine.session.session import open_session
    from tui.parts.garbage import uncollected
    from tui.terminal.farewell import farewell

    session = open_session(identifier, sessions_folder(sessions)) if identifier else None
    with uncollected():
        from tui.app import FoldwatchApp, import_first_screen

        import_first_screen(is_home=session is None and not is_demo)
    app = FoldwatchApp(
        session=session,
        sessions=sessions,
        data_folder=data_folder,
        read_only=read_only,
        low_bandwidth=low_bandwidth,
        demo=is_demo,
        theme=theme and theme.value,
        is_plain=is_plain(sys.stderr),  # where it draws
    )
    app.run()
    for line in farewell(app.visited.values()):
        say(line)
    return app.return_code or 0


def _newest(sessions: Path | None) -> str:
    from engine.session.listing import list_sessions
    from engine.session.places import sessions_folder

    folder = sessions_folder(sessions)
    readable = [summary for summary in list_sessions(folder) if not summary.problem]
    if not readable:
        message = f"no session in {folder}; foldwatch demo creates one"
        raise UsageError(message)
    return next((summary.id for summary in readable if summary.alive), readable[0].id)


if __name__ == "__main__":
    sys.exit(main())
