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
from engine.cli.demo import demo
from engine.cli.doctor import doctor
from engine.cli.errors import errors
from engine.cli.plan import plan
from engine.cli.printing import complain, flush, print_text, say
from engine.cli.report import report
from engine.cli.run import resume, run
from engine.cli.save import save
from engine.cli.zoom import zoom
from engine.errors import FoldwatchError, UserCodeError, cannot_work
from engine.formatting.characters import ask_for_plain
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
        complain(str(error))
        if isinstance(error, UserCodeError) and error.last_lines:
            for line in error.last_lines.splitlines():
                say(line)
        return error.exit_code
    except _CommandLineError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            complain(error.format_message())
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
            complain(str(refused))
            return refused.exit_code
        # Help is printed by the parser.
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EFBIG):
            raise
        forget_stdout()
        complain(f"standard output cannot be written: {error.strerror}")
        return 74
    return result if isinstance(result, int) else 0


@app.callback()
def _callback(version: Version = False) -> None:
    """`--version` ends the parsing: what comes here has a command."""


# In the order in which `--help` lists them.
for _command in (
    plan, run, demo, resume, save, doctor,
    session_commands.list_, session_commands.show, session_commands.logs, report, errors, zoom,
    session_commands.export, session_commands.delete,
    request_commands.pause, request_commands.stop, request_commands.skip, request_commands.retry, deadline,
    changes.add, changes.drop, changes.first, changes.clone, changes.undo,
):  # fmt: skip
    app.command(_command.__name__.removesuffix("_"))(_command)
