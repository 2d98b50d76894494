"""The commands that change a running search: `add`, `drop`, `first`, `clone` and `undo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import AllowLarge, Identifier, Sessions
from engine.cli.printing import say

Assignments = Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="hidden_units=[256,512]")]
Assignment = Annotated[str, typer.Argument(metavar="NAME=VALUE", help="epochs=20, as in the results.")]
One = Annotated[int, typer.Option("--combination", metavar="N", min=0, help="Number of a combination.")]


def add(
    identifier: Identifier, values: Assignments, allow_large: AllowLarge = False, sessions: Sessions = None
) -> None:
    """Search more values of a running search's hyperparameters, with all values of the others."""
    _request_change(identifier, sessions, "add", values, allow_large=allow_large)


def drop(identifier: Identifier, value: Assignment, sessions: Sessions = None) -> None:
    """Leave out what is still missing of the combinations with a value."""
    _request_change(identifier, sessions, "drop", [value])


def first(identifier: Identifier, combination: One, sessions: Sessions = None) -> None:
    """Run a combination before all others that wait."""
    _request_change(identifier, sessions, "first", [], combination)


def clone(identifier: Identifier, combination: One, changes: Assignments, sessions: Sessions = None) -> None:
    """Add a copy of a combination with something changed, and run it first."""
    _request_change(identifier, sessions, "clone", changes, combination)


def undo(identifier: Identifier, sessions: Sessions = None) -> None:
    """Take back the last add, drop, first or clone."""
    _request_change(identifier, sessions, "undo", [])


def _request_change(
    identifier: str,
    sessions: Path | None,
    word: str,
    assignments: list[str],
    combination: int | None = None,
    *,
    allow_large: bool = False,
) -> None:
    """Send the request, if it means something now, and print what it is."""
    from engine.search.change_words import request_of
    from engine.search.changes import in_full, step_of
    from engine.session.places import sessions_folder
    from engine.session.session import open_session

    request = request_of(word, assignments, combination, allow_large=allow_large)
    session = open_session(identifier, sessions_folder(sessions))
    state = session.state()
    step = step_of(request, session.spec, state)
    session.request(request)
    say(f"{identifier}: asked its engine: {in_full(step, state)}")
