"""`foldwatch run` and `resume`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    engine = _Engine.of(workers, devices, sessions, data_dir, notify, deadline)
    folder = engine.sessions
    if name is not None:
        check_identifier(name)
        if is_there(folder / name):
            raise UsageError(name_taken(folder / name))
    if detach:
        chosen = name or new_identifier(folder, read.dataset)
        options = {
            "--name": chosen,
            "--set": set_,
            "--allow-large": allow_large,
            "--fresh": fresh,
            "--group-readable": group_readable,
        }
        return engine.detach(["run", str(spec.absolute())], options, chosen)
    console = Console()
    search = Search(
        read,
        name=name,
        fresh=fresh,
        group_readable=group_readable,
        progress=console.say,
        **engine.of_search,
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
    """Continue a paused search, or one whose engine has ended: run what is missing."""
    from engine.analysis.forecast.deadline import Deadline, request_of
    from engine.search.search import Search

    engine = _Engine.of(workers, devices, sessions, data_dir, notify, deadline)
    options = {"--take-over": take_over, "--accept-versions": accept_versions, "--time-limit": time_limit}
    opened = session.open_session(identifier, engine.sessions)
    state = opened.state()
    is_paused = opened.liveness().alive and str(state.status) == "paused"
    if not is_paused or retry or deadline is not None:
        opened.check_has_spec()
    check_retries(opened, retry or [])
    console = Console()
    if is_paused:
        _refuse_for_running_engine(
            opened, {"--workers": workers, "--devices": devices, **options, "--notify": notify, "--json": as_json}
        )
        opened.request(requests.Resume())
        for number in retry or []:
            opened.request(requests.Retry(combination=number))
        if deadline is not None:
            opened.request(request_of(Deadline.read(deadline)))
        console.say(f"{identifier}: asked its engine to go on")
        return 0
    if state.is_complete and not retry and not as_json:
        console.say(f"{identifier} is complete: nothing is left to run; its results: {opened.command('show')}")
        return 0
    if damage := opened.damage_in_words(state):
        console.say(damage)
    if detach:
        return engine.detach(["resume", identifier], {**options, "--retry": retry}, identifier)
    search = Search.of_session(
        identifier,
        take_over=take_over,
        accept_versions=accept_versions,
        time_limit=time_limit,
        progress=console.say,
        **engine.of_search,
    )
    for number in retry or []:
        search.retry(number)
    return watch_search(search, console, as_json=as_json, notify=notify)


@dataclass(frozen=True)
class _Engine:
    """How an engine is to work, whatever it works on: the options that `run` and `resume` have in common."""

    workers: int | None
    devices: list[str] | None
    sessions: Path
    data_dir: Path | None
    notify: str | None
    deadline: str | None

    @classmethod
    def of(
        cls,
        workers: int | None,
        devices: str | None,
        sessions: Path | None,
        data_dir: Path | None,
        notify: str | None,
        deadline: str | None,
    ) -> _Engine:
        """The options as the command line has them. Raises UsageError for devices that cannot be read."""
        from engine.system.machine import parse_devices

        read = None if devices is None else parse_devices(devices)
        return cls(workers, read, sessions_folder(sessions), data_dir, notify, deadline)

    @property
    def of_search(self) -> dict[str, Any]:
        """What a search in this process takes of them: the command `--notify` is run by whoever watches it."""
        names = ("workers", "devices", "sessions", "data_dir", "deadline")
        return {name: getattr(self, name) for name in names}

    def detach(self, command: list[str], options: Mapping[str, Any], identifier: str) -> int:
        """Start the command in the background, with these options and its own; print the session's name."""
        from engine.search.detached import start_detached
        from engine.system.logout import ends_at_logout

        start_detached(
            [*command, *_as_arguments({**options, "--deadline": self.deadline})],
            self.sessions,
            identifier,
            workers=self.workers,
            devices=self.devices,
            data_dir=self.data_dir,
            notify=self.notify,
        )
        print_text(identifier)
        if warning := ends_at_logout():
            complain(warning)
        return 0


def _as_arguments(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line has them: those that were given, a list as the option several times."""
    arguments: list[str] = []
    for name, value in options.items():
        if value is True:
            arguments.append(name)
        elif value is not None and value is not False and value != "":
            for one in value if isinstance(value, list) else [value]:
                arguments += [name, str(one)]
    return arguments


def _refuse_for_running_engine(opened: session.Session, options: dict[str, object]) -> None:
    """Raise UsageError for an option that an engine takes at its start, where one runs already and is only paused."""
    given = [name for name, value in options.items() if value]
    if given:
        message = (
            f"{', '.join(given)}: not accepted while the search is paused, since its engine goes on as it was started; "
            f"without it: {opened.command('resume')}; to start another engine, first: {opened.command('stop')}"
        )
        raise UsageError(message)
