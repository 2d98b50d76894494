"""The commands that ask something of a running search: `pause`, `stop`, `skip`, `retry`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Combinations, Identifier, Sessions
from engine.cli.printing import say
from engine.errors import UsageError
from engine.session import requests
from engine.session.places import sessions_folder
from engine.session.session import Session, open_session


def _ask(identifier: str, sessions: Path | None, request: requests.Request, what: str) -> None:
    open_session(identifier, sessions_folder(sessions)).request(request)
    say(f"{identifier}: asked its engine to {what}")


def pause(identifier: Identifier, sessions: Sessions = None) -> None:
    """Halt trainings at their next epoch's end, keeping their state."""
    _ask(identifier, sessions, requests.Pause(), "pause")


def stop(
    identifier: Identifier,
    sessions: Sessions = None,
    at_once: Annotated[bool, typer.Option("--at-once", help="Leave running fits, with checkpoints.")] = False,
) -> None:
    """Finish the fits that are running, and end; those of a paused search are left, with checkpoints."""
    _ask(identifier, sessions, requests.Stop(at_once=at_once), "stop")


def skip(identifier: Identifier, combination: Combinations, sessions: Sessions = None) -> None:
    """Leave out what is still missing of combinations."""
    from engine.search.changes import check_skip

    session = open_session(identifier, sessions_folder(sessions))
    if session.liveness().alive:
        state = session.state()
        for number in combination:
            check_skip(number, state)
    for number in combination:
        _ask(identifier, sessions, requests.Skip(combination=number), f"skip combination {number}")


def retry(identifier: Identifier, combination: Combinations, sessions: Sessions = None) -> None:
    """Run failed, skipped or dropped fits of combinations after all.

    With the time limit that its engine has: for another one, stop it, and then: foldwatch resume ID --retry N
    --time-limit SECONDS.
    """
    session = open_session(identifier, sessions_folder(sessions))
    session.check_has_spec()
    check_retries(session, combination)
    if not session.liveness().alive:
        command = session.command("resume", *(part for number in combination for part in ("--retry", str(number))))
        message = f"{identifier}: no engine works on this session; start one that finishes them with: {command}"
        raise UsageError(message)
    for number in combination:
        _ask(identifier, sessions, requests.Retry(combination=number), f"finish combination {number}")


def check_retries(session: Session, combinations: list[int]) -> None:
    """Before an engine is started or asked for what it could not do."""
    from engine.search.changes import check_retry

    if combinations:
        state = session.state()
        for number in combinations:
            check_retry(number, state)
