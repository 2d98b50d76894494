"""The command `foldwatch`: opens the app, or hands over to the headless commands without importing textual."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

_NO_TERMINAL = (
    "foldwatch: the app needs a terminal on stdin, stdout and stderr (it draws on the last); "
    "foldwatch --help lists the commands that need none"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not wants_app(given):
        from engine.cli import main as headless

        return int(headless(command_first(given)))
    options = _parser().parse_args(given)
    is_served = "TEXTUAL_DRIVER" in os.environ  # a browser takes the terminal's place: tui.serve
    if not is_served and not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        sys.stderr.write(f"{_NO_TERMINAL}\n")
        return 2
    # Textual reads both at its import. Screens limit their own repaints to a few a second; what is left to draw at
    # once are answers to keys, which at 20 frames a second waited up to 50 ms for the next one.
    os.environ.setdefault("TEXTUAL_FPS", "5" if options.low_bandwidth else "60")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if options.low_bandwidth:
        # Names of colours are most of what goes over the line, and those of 256 are half as long.
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
    from engine.errors import FoldwatchError

    try:
        return _run_app(options)
    except FoldwatchError as error:
        sys.stderr.write(f"foldwatch: {error}\n")
        return error.exit_code


def wants_app(arguments: list[str]) -> bool:
    """Whether the arguments ask for the app: no command but options of the app, `attach`, or a demo to look at."""
    if "--help" in arguments or "-h" in arguments:
        return "attach" in arguments
    place = _command_at(arguments)
    if place is None:
        return not any(argument in ("--version", "--install-completion") for argument in arguments)
    command = arguments[place]
    return command == "attach" or (command == "demo" and "--headless" not in arguments)


def command_first(arguments: list[str]) -> list[str]:
    """What stands before a command belongs to it, as it does to the app: `--sessions D list`."""
    place = _command_at(arguments) or 0
    return [*arguments[place:], *arguments[:place]]


_WITH_VALUE = ("--sessions", "--data-dir", "--theme")


def _command_at(arguments: list[str]) -> int | None:
    """Where the first word stands that is neither an option nor an option's value."""
    skip = False
    for place, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument in _WITH_VALUE:
            skip = True
        elif not argument.startswith("-"):
            return place
    return None


def _parser() -> argparse.ArgumentParser:
    import argparse
    from pathlib import Path

    parser = argparse.ArgumentParser(
        prog="foldwatch", description="Watch hyperparameter searches in this terminal.", allow_abbrev=False
    )
    parser.add_argument("command", nargs="?", choices=["attach", "demo"], help=argparse.SUPPRESS)
    parser.add_argument("id", nargs="?", help="the session to watch; the newest live one, else the newest")
    parser.add_argument("--sessions", type=Path, metavar="D", help="the folder of sessions")
    parser.add_argument("--data-dir", type=Path, metavar="D", help="the folder of data sets")
    parser.add_argument("--read-only", action="store_true", help="look, and change nothing")
    parser.add_argument("--low-bandwidth", action="store_true", help="repaint every few seconds only")
    parser.add_argument("--theme", choices=["dark", "light", "colour-blind", "terminal"])
    return parser


def _run_app(options: argparse.Namespace) -> int:
    from engine.session import open_session, sessions_folder

    session = None
    if options.command == "attach":
        folder = sessions_folder(options.sessions)
        session = open_session(options.id or _newest(options), folder)
    # The hundred thousand objects that imports make stay: looking through them for garbage, then and later, is wasted.
    gc.disable()
    from tui.app import FoldwatchApp

    if session is None and options.command != "demo":
        import tui.screens.home
    else:
        import tui.screens.live  # noqa: F401
    gc.freeze()
    gc.enable()
    app = FoldwatchApp(
        session=session,
        sessions=options.sessions,
        data_folder=options.data_dir,
        read_only=options.read_only,
        low_bandwidth=options.low_bandwidth,
        demo=options.command == "demo",
        theme=options.theme,
    )
    app.run()
    return app.return_code or 0


def _newest(options: argparse.Namespace) -> str:
    from engine.errors import UsageError
    from engine.session import list_sessions, sessions_folder

    folder = sessions_folder(options.sessions)
    found = [summary for summary in list_sessions(folder) if not summary.problem]
    if not found:
        message = f"no session in {folder}; foldwatch demo makes one"
        raise UsageError(message)
    return next((summary.id for summary in found if summary.alive), found[0].id)


if __name__ == "__main__":
    sys.exit(main())
