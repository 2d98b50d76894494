"""The command `deadline`: sets the moment by which a running search ends."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.options import Identifier, Sessions
from engine.cli.printing import say
from engine.session.places import sessions_folder
from engine.session.session import open_session


def deadline(
    identifier: Identifier,
    when: Annotated[str, typer.Argument(metavar="WHEN", help="20m, 2h, 18:00, an ISO date and time, or none.")],
    sessions: Sessions = None,
) -> None:
    """End a running search by then; what is missing can be resumed."""
    from engine.analysis.forecast.deadline import Deadline, request_of

    read = Deadline.read(when)
    session = open_session(identifier, sessions_folder(sessions))
    session.check_has_spec()
    session.request(request_of(read))
    what = f"end by {when}" if read else "forget its deadline"
    say(f"{identifier}: asked its engine to {what}")
