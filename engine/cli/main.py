"""The headless commands: standard output is data, standard error is narration, the exit code is the result."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli import changes
from engine.cli import requests as request_commands
from engine.cli import sessions as session_commands
from engine.cli.deadline import deadline
from engine.cli.errors import errors
from engine.cli.options import (
    AsJson,
    DataDir,
    Sessions,
)
from engine.cli.printing import flush, print_json, print_text, say
from engine.cli.report import report
from engine.cli.zoom import zoom
from engine.errors import FoldwatchError, UsageError, cannot_work
from engine.formatting.characters import ask_for_plain
from engine.session import session
from engine.session.places import sessions_folder
from engine.system.standard_streams import forget_stdout, open_closed_streams


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from engine import __version__

        print_text(__version__)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, expose_value=False, help="Print the version."),
]

app = typer.Typer(
    name="foldwatch",
    help="Hyperparameter searches of Keras text classifiers. Without a command: the terminal app.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    epilog="foldwatch attach ID watches a search in the terminal app; see: foldwatch attach --help",
)

# The base of what the parser raises: click's, or that of the copy of click which newer Typers bring.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


def main(arguments: list[str] | None = None) -> int:
    """Run one command of the engine; returns its exit code."""
    return run_command_line(app, arguments)


def run_command_line(commands: typer.Typer, arguments: list[str] | None) -> int:
    """Parse the arguments (None: those of this process) and run the command; returns its exit code."""
    open_closed_streams()
    ask_for_plain(False)
    try:
        result = commands(args=arguments, prog_name="foldwatch", standalone_mode=False)
        flush()
    except FoldwatchError as error:
        _complain(str(error))
        return error.exit_code
    except _CommandLineError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            _complain(error.format_message())
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        forget_stdout()
        return 141
    except OSError as error:
        if error.filename is not None:
            # A path that somebody named, where no command looked for what the system says of it.
            refused = cannot_work(Path(str(error.filename)), error)
            _complain(str(refused))
            return refused.exit_code
        # Help is printed by the parser.
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EFBIG):
            raise
        forget_stdout()
        _complain(f"standard output cannot be written: {error.strerror}")
        return 74
    return result if isinstance(result, int) else 0


def _complain(text: str) -> None:
    say(f"foldwatch: {text}")


def _folder(sessions: Path | None) -> Path:
    return sessions_folder(sessions)


def _devices(text: str | None) -> list[str] | None:
    from engine.system.machine import parse_devices

    return None if text is None else parse_devices(text)


@app.callback()
def _callback(version: Version = False) -> None:
    """`--version` ends the parsing: what comes here has a command."""


def _refuse_for_running_engine(found: session.Session, options: dict[str, object]) -> None:
    """Raise UsageError for an option that an engine takes at its start, where one runs already and is only paused."""
    given = [name for name, value in options.items() if value]
    if given:
        message = (
            f"{', '.join(given)}: not accepted while the search is paused, since its engine goes on as it was started; "
            f"without it: {found.command('resume')}; to start another engine, first: {found.command('stop')}"
        )
        raise UsageError(message)


@app.command()
def doctor(data_dir: DataDir = None, sessions: Sessions = None, as_json: AsJson = False) -> None:
    """What is installed, which GPUs, which data are at hand."""
    from engine.cli.doctor import findings
    from engine.formatting.tables import facts

    found = findings(data_dir, _folder(sessions))
    if as_json:
        print_json(dict(found))
    else:
        print_text(facts(found))


# Listed after the commands above by `--help`, in this order.
for _command in (
    session_commands.list_, session_commands.show, session_commands.logs, report, errors, zoom,
    session_commands.export, session_commands.delete,
    request_commands.pause, request_commands.stop, request_commands.skip, request_commands.retry, deadline,
    changes.add, changes.drop, changes.first, changes.clone,
    changes.undo,
):  # fmt: skip
    app.command(_command.__name__.removesuffix("_"))(_command)
