"""Arguments and options that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import FoldwatchError
from engine.formatting.characters import ask_for_plain
from engine.spec.bounds import MOST_COMBINATIONS_ALLOWED, MOST_FITS_ALLOWED


def _plain_wanted(is_wanted: bool) -> None:
    if is_wanted:
        ask_for_plain(True)


def session_names(context: typer.Context, incomplete: str) -> list[str]:
    """Sessions that a shell may complete a name to; none where their folder cannot be listed."""
    from engine.session.listing import list_names
    from engine.session.places import sessions_folder

    try:
        names = list_names(sessions_folder(context.params.get("sessions")))
    except FoldwatchError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


SpecPath = Annotated[Path, typer.Argument(metavar="SPEC.toml", help="What to search.")]
Identifier = Annotated[
    str, typer.Argument(metavar="ID", help="Name of a session; see: foldwatch list", autocompletion=session_names)
]
Sessions = Annotated[Path | None, typer.Option(help="Folder of sessions.")]
DataDir = Annotated[Path | None, typer.Option(envvar="FOLDWATCH_DATA", help="Folder with reuters.npz or imdb.npz.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; by default what the machine allows.")]
Devices = Annotated[
    str | None,
    typer.Option(metavar="cpu,gpu:0", help="What workers run on, in turn; by default GPUs where they help."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the spec: space.epochs=[5,10]."),
]
AllowLarge = Annotated[
    bool,
    typer.Option(
        "--allow-large", help=f"Accept up to {MOST_COMBINATIONS_ALLOWED:,} combinations, {MOST_FITS_ALLOWED:,} fits."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Detach = Annotated[bool, typer.Option(help="Leave it running in the background and return.")]
GroupReadable = Annotated[bool, typer.Option("--group-readable", help="Let your group read the session.")]
Notify = Annotated[str | None, typer.Option(metavar="COMMAND", help="Run this when the search has ended.")]
Combinations = Annotated[
    list[int], typer.Option(metavar="N", min=0, help="Number of a combination; several times for several of them.")
]
DeadlineText = Annotated[
    str | None, typer.Option("--deadline", metavar="WHEN", help="End by then: 20m, 2h, 18:00, an ISO date and time.")
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        callback=_plain_wanted,
        expose_value=False,
        help="ASCII in place of symbols, borders and braille dots; or FOLDWATCH_PLAIN=1.",
    ),
]
