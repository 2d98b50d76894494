"""`foldwatch run` and `resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.console import Console
from engine.cli.options import (
    AllowLarge,
    AsJson,
    DataDir,
    DeadlineText,
    Detach,
    Devices,
    GroupReadable,
    Identifier,
    Notify,
    Overrides,
    Plain,
    Sessions,
    SpecPath,
    Workers,
)
from engine.cli.printing import complain, print_text
from engine.cli.requests import check_retries
from engine.cli.watching import watch_search
from engine.errors import UsageError
from engine.session import requests, session
from engine.session.places import check_identifier, name_taken, new_identifier, sessions_folder
from engine.system.regular_files import is_there


def run(
    spec: SpecPath,
    set_: Overrides = None,
    allow_large: AllowLarge = False,
    name: Annotated[str | None, typer.Option(help="Name of the session.")] = None,
    workers: Workers = None,
    devices: Devices = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run fits again that earlier sessions have scored.")] = False,
    group_readable: GroupReadable = False,
    detach: Detach = False,
    notify: Notify = None,
    deadline: DeadlineText = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> int:
    """Run a search, showing scores as they land.

    Exit code 0; 3 where a fit failed or no combination is complete; 1 where the search failed; 130 after ctrl-C.
    """
    from engine.search.search import Search
    from engine.spec.spec import SearchSpec

    read = SearchSpec.read(spec, set_ or [], allow_large=allow_large)
    wanted = _devices(devices)
    folder = sessions_folder(sessions)
    if name is not None:
        check_identifier(name)
        if is_there(folder / name):
            raise UsageError(name_taken(folder / name))
    if detach:
        chosen = name or new_identifier(folder, read.dataset)
        arguments = ["run", str(spec.absolute()), "--name", chosen]
        arguments += [part for override in set_ or [] for part in ("--set", override)]
        arguments += ["--allow-large"] if allow_large else []
        arguments += ["--fresh"] if fresh else []
        arguments += ["--group-readable"] if group_readable else []
        arguments += ["--deadline", deadline] if deadline else []
        _detach(arguments, folder, chosen, workers=workers, devices=wanted, data_dir=data_dir, notify=notify)
        return 0
    console = Console()
    search = Search(
        read,
        workers=workers,
        devices=wanted,
        name=name,
        sessions=folder,
        data_dir=data_dir,
        fresh=fresh,
        group_readable=group_readable,
        deadline=deadline,
        progress=console.say,
    )
    return watch_search(search, console, as_json=as_json, notify=notify)


def resume(
    identifier: Identifier,
    workers: Workers = None,
    devices: Devices = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    take_over: Annotated[
        str, typer.Option(metavar="HOST", help="The engine that worked on it on HOST is dead: take it over.")
    ] = "",
    accept_versions: Annotated[
        bool, typer.Option("--accept-versions", help="Go on although versions or the CPU have changed.")
    ] = False,
    retry: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Finish this combination too, though it failed, was skipped or dropped."),
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For each training from now on, instead of the spec's.")
    ] = None,
    detach: Detach = False,
    notify: Notify = None,
    deadline: DeadlineText = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> int:
    """Go on with what is missing: of a paused search, or of one whose engine has ended."""
    from engine.analysis.forecast.deadline import Deadline, request_of
    from engine.search.search import Search

    wanted = _devices(devices)
    folder = sessions_folder(sessions)
    found = session.open_session(identifier, folder)
    check_retries(found, retry or [])
    console = Console()
    state = found.state()
    if found.liveness().alive and str(state.status) == "paused":
        _refuse_for_running_engine(
            found,
            {
                "--workers": workers,
                "--devices": devices,
                "--take-over": take_over,
                "--accept-versions": accept_versions,
                "--notify": notify,
                "--time-limit": time_limit,
                "--json": as_json,
            },
        )
        found.request(requests.Resume())
        for number in retry or []:
            found.request(requests.Retry(combination=number))
        if deadline is not None:
            found.request(request_of(Deadline.read(deadline)))
        console.say(f"{identifier}: asked its engine to go on")
        return 0
    if state.is_complete and not retry and not as_json:
        console.say(f"{identifier} is complete: nothing is left to run; its results: {found.command('show')}")
        return 0
    if damage := found.damage_in_words(state):
        console.say(damage)
    if detach:
        arguments = ["resume", identifier]
        arguments += ["--take-over", take_over] if take_over else []
        arguments += ["--accept-versions"] if accept_versions else []
        arguments += [part for number in retry or [] for part in ("--retry", str(number))]
        arguments += ["--time-limit", str(time_limit)] if time_limit is not None else []
        arguments += ["--deadline", deadline] if deadline else []
        _detach(arguments, folder, identifier, workers=workers, devices=wanted, data_dir=data_dir, notify=notify)
        return 0
    search = Search.of_session(
        identifier,
        sessions=folder,
        workers=workers,
        devices=wanted,
        data_dir=data_dir,
        take_over=take_over,
        accept_versions=accept_versions,
        deadline=deadline,
        time_limit=time_limit,
        progress=console.say,
    )
    for number in retry or []:
        search.retry(number)
    return watch_search(search, console, as_json=as_json, notify=notify)


def _detach(arguments: list[str], folder: Path, identifier: str, **options: Any) -> None:
    from engine.search.detached import start_detached
    from engine.system.logout import ends_at_logout

    start_detached(arguments, folder, identifier, **options)
    print_text(identifier)
    if warning := ends_at_logout():
        complain(warning)


def _devices(text: str | None) -> list[str] | None:
    from engine.system.machine import parse_devices

    return None if text is None else parse_devices(text)


def _refuse_for_running_engine(found: session.Session, options: dict[str, object]) -> None:
    """Raise UsageError for an option that an engine takes at its start, where one runs already and is only paused."""
    given = [name for name, value in options.items() if value]
    if given:
        message = (
            f"{', '.join(given)}: not accepted while the search is paused, since its engine goes on as it was started; "
            f"without it: {found.command('resume')}; to start another engine, first: {found.command('stop')}"
        )
        raise UsageError(message)
