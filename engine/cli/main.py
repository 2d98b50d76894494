"""The headless commands: standard output is data, standard error is narration, the exit code is the result."""

from __future__ import annotations

import errno
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli import changes
from engine.cli import requests as request_commands
from engine.cli import sessions as session_commands
from engine.cli.console import Console
from engine.cli.deadline import deadline
from engine.cli.errors import errors
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
from engine.cli.printing import flush, print_data, print_json, print_text, say, terminal_width
from engine.cli.report import report
from engine.cli.requests import check_retries
from engine.cli.zoom import zoom
from engine.errors import FoldwatchError, OutputError, UsageError, cannot_work, error_of
from engine.formatting.characters import ask_for_plain
from engine.session import requests, session
from engine.session.narration import times
from engine.spec.space import most_different
from engine.system.regular_files import is_there
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

_PATIENCE_SECONDS = 5.0  # for an interrupted search to end
_POLL_SECONDS = 0.2  # between two looks at what another process records

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
    return session.sessions_folder(sessions)


def _devices(text: str | None) -> list[str] | None:
    from engine.system.machine import parse_devices

    return None if text is None else parse_devices(text)


@app.callback()
def _callback(version: Version = False) -> None:
    """`--version` ends the parsing: what comes here has a command."""


@app.command()
def plan(
    spec: SpecPath,
    set_: Overrides = None,
    allow_large: AllowLarge = False,
    workers: Workers = None,
    deadline: DeadlineText = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> None:
    """Say what a spec means; nothing runs. With --data-dir, scorers that a fold cannot define are refused too."""
    from engine.analysis.forecast.deadline import Deadline, forecast_of_plan
    from engine.analysis.forecast.remaining import in_words
    from engine.formatting.tables import facts
    from engine.plan.plan import make_plan
    from engine.search.strategies import check_optuna, strategy_of
    from engine.session.narration import delay_in_words
    from engine.spec.combinations import combinations_of
    from engine.spec.spec import SearchSpec
    from engine.system import machine

    read = SearchSpec.read(spec, set_ or [], allow_large=allow_large)
    check_optuna(read)
    made = make_plan(read, combinations_of(read))
    if data_dir is not None and read.dataset != "sample":
        from engine.plan.prepared import load_data, prepare

        prepare(read, load_data(read, data_dir, Console().say), combinations_of(read))
    first = len(made.combinations)
    strategy = strategy_of(read, first, made.combinations[0].params)
    notes = [*made.notes, *strategy.notes(first)]
    to_come = len(strategy.to_come(first))
    total = first + to_come
    asked = read.choice.count
    if asked is not None and (different := min(total, most_different(read.spaces, asked))) < asked:
        notes.append(f"{asked} combinations were asked for; the space has {different} that differ")
    uses_keras = any(training.trainer == "keras" for training in made.trainings)
    count = workers or machine.default_workers(len(made.trainings), uses_keras=uses_keras)
    wanted = Deadline.read(deadline) if deadline is not None else None
    expected, delay = forecast_of_plan(read, made, count, wanted, to_come=to_come)
    trainers = sorted({combination.trainer for combination in made.combinations})
    if as_json:
        print_json(
            {
                "combinations": [
                    {"index": c.index, "params": c.params, "trainer": c.trainer, "same_as": c.same_as}
                    for c in made.combinations
                ],
                "combinations_to_come": to_come,
                "fits": total * made.splits,
                "trainings": len(made.trainings),
                "epochs": made.epochs,
                "epochs_unshared": made.unshared_epochs,
                "workers": count,
                "seconds": expected.estimate,
                "seconds_interval": [expected.least, expected.most],
                "delay": delay_in_words(delay) if delay else None,
                "notes": notes,
            }
        )
        return
    print_text(
        facts(
            [
                ("data", f"{read.dataset}, {read.rows} rows{', synthetic' if read.dataset == 'sample' else ''}"),
                ("combinations", f"{total}, {first} at first" if to_come else first),
                ("fits", f"{total * made.splits} = {total} combinations x {made.splits} splits"),
                (
                    "trainings",
                    f"{len(made.trainings)}{' at first' if to_come else ''}, {made.epochs} epochs "
                    f"(unshared: {made.unshared_epochs})",
                ),
                ("trainer", ", ".join(trainers)),
                ("time", f"{in_words(expected.least)} to {in_words(expected.most)} on {count} workers, a first guess"),
                ("deadline", delay_in_words(delay) if delay else "in time" if wanted else None),
                *(("note", note) for note in notes),
                *(("note", note) for note in _idle_gpus(trainers)),
            ]
        )
    )


def _idle_gpus(trainers: list[str]) -> list[str]:
    from engine.system.machine import gpus

    if "kernel" in trainers and gpus():
        return ['the kernel trainer runs on the CPU, so a GPU lies idle; trainer = "keras" uses it']
    return []


@app.command()
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
    folder = _folder(sessions)
    if name is not None:
        session.check_identifier(name)
        if is_there(folder / name):
            raise UsageError(session.taken(folder / name))
    if detach:
        chosen = name or session.new_identifier(folder, read.dataset)
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
    return _watch(search, console, as_json=as_json, notify=notify)


@app.command()
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
    folder = _folder(sessions)
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
    return _watch(search, console, as_json=as_json, notify=notify)


def _refuse_for_running_engine(found: session.Session, options: dict[str, object]) -> None:
    """Raise UsageError for an option that an engine takes at its start, where one runs already and is only paused."""
    given = [name for name, value in options.items() if value]
    if given:
        message = (
            f"{', '.join(given)}: not accepted while the search is paused, since its engine goes on as it was started; "
            f"without it: {found.command('resume')}; to start another engine, first: {found.command('stop')}"
        )
        raise UsageError(message)


def _detach(arguments: list[str], folder: Path, identifier: str, **options: Any) -> None:
    from engine.search.detached import ends_at_logout, start_detached

    start_detached(arguments, folder, identifier, **options)
    print_text(identifier)
    if warning := ends_at_logout():
        _complain(warning)


class _Interruption:
    """What ctrl-C and SIGTERM do: end the search so that it can be resumed; 130 or 143 is the exit code then.

    They often come twice, from a nervous finger or to a whole group of processes: what comes while the search ends
    is passed over, until that takes long.
    """

    def __init__(self) -> None:
        self.code = 0
        self._patient_until = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._come)

    def _come(self, number: int, frame: object) -> None:
        if time.monotonic() >= self._patient_until:
            self.code = 128 + number
            self._patient_until = time.monotonic() + _PATIENCE_SECONDS
            raise KeyboardInterrupt


def _watch(search: Any, console: Console, *, as_json: bool, notify: str | None) -> int:
    """Run a search to its end, telling of it; the exit code."""
    import queue

    from engine.analysis.forecast.stall import StallWatch
    from engine.cli.notify import Notifier
    from engine.formatting.tables import results_table
    from engine.session import events

    interruption = _Interruption()
    # A terminal that closes must not end a search: it goes on, unseen, and can be attached to.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    subscriber = search.subscribe()
    code = 0
    # Before the start: whatever happens after it comes as an event, and must not be counted twice.
    seen = search.state
    stall, is_stalled = StallWatch(), False
    notifier = Notifier(notify)
    try:
        search.start()
        while True:
            try:
                event = subscriber.get(timeout=0.25)
            except queue.Empty:
                console.draw(seen)
                quiet = bool(stall.quiet_seconds(seen, time.monotonic()))
                if quiet and not is_stalled:
                    console.say("nothing has come for longer than trainings take")
                    if search.session:
                        notifier.notify(search.session.id, "stalled")
                is_stalled = quiet
                continue
            if event is None:
                break
            stall.hear(time.monotonic())
            is_stalled = False
            seen.apply(event)
            if as_json:
                print_data(events.to_json(event) + b"\n")
            console.tell(event, seen)
            console.draw(seen)
    except (KeyboardInterrupt, BrokenPipeError) as stop:
        code = 141 if isinstance(stop, BrokenPipeError) else interruption.code
        search.interrupt()
    except OutputError as error:
        code = error.exit_code
        search.interrupt()
        _complain(str(error))
    console.finish()
    outcome = search.wait()
    state = search.state
    identifier = search.session.id if search.session else ""
    if code:
        go_on = f"go on with: {search.session.command('resume')}" if search.session else "nothing has been recorded yet"
        console.say(f"interrupted; {go_on}")
        return code
    if not as_json and state.combinations:
        print_text(results_table(state, terminal_width(), most=None if len(state.combinations) <= 50 else 20))
        assert search.session is not None
        save = f"save the best with: {search.session.command('save', '--to', 'best.keras')}"
        console.say(f"recorded as {identifier}; {save if state.best else 'no combination is complete on every fold'}")
    notifier.notify(identifier, str(outcome))
    notifier.close()
    if outcome == "failed":
        return 1
    return 3 if state.fits_failed or (state.best is None and outcome == "completed") else 0


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without the terminal app.")] = False,
    workers: Workers = None,
    sessions: Sessions = None,
    group_readable: GroupReadable = False,
    plain: Plain = False,
) -> int:
    """Search the built-in synthetic sample, save the best model and score it on the test set."""
    from engine.cli.demo import demo_spec
    from engine.search.search import Search

    if not headless:
        message = "the demo needs a terminal; without one: foldwatch demo --headless"
        raise UsageError(message)
    console = Console()
    console.say("the built-in sample is synthetic: made-up topics and words, with Reuters' class sizes")
    folder = _folder(sessions)
    search = Search(
        demo_spec(),
        workers=workers,
        sessions=folder,
        name=session.new_identifier(folder, "demo"),
        group_readable=group_readable,
        progress=console.say,
    )
    code = _watch(search, console, as_json=False, notify=None)
    if code == 0 and search.session is not None:
        return _save(search, search.session.folder / "best.keras", None, "best", as_json=False, console=console)
    return code


@app.command()
def save(
    identifier: Identifier,
    to: Annotated[Path, typer.Option(metavar="FILE.keras", help="Where to save the model.")],
    combination: Annotated[int | None, typer.Option(min=0, help="Else as --choose says.")] = None,
    choose: Annotated[str, typer.Option(help="best, one-standard-error or cheapest-tied.")] = "best",
    sessions: Sessions = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> int:
    """Refit on all training rows, save with Keras, score on the test set."""
    from engine.search.search import Search

    console = Console()
    found = session.open_session(identifier, _folder(sessions))
    search = Search.of_session(identifier, sessions=found.folder.parent, data_dir=data_dir, progress=console.say)
    return _save(search, to, combination, choose, as_json=as_json, console=console)


def _save(search: Any, to: Path, combination: int | None, choose: str, *, as_json: bool, console: Console) -> int:
    request = search.save_request(to, combination, choose)
    state = search.state
    looks = state.all_test_looks
    if damage := search.session.damage_in_words(state):
        console.say(f"note: {damage}")
    for warning in search.save_warnings(request):
        console.say(f"note: {warning}")
    if looks:
        own = state.test_looks(request.combination)
        console.say(f"note: the test set was looked at before, {times(looks)}, {own} of them for this combination")
    if search.session.liveness().alive:
        scores = _ask_to_save(search.session, request, console)
    else:
        scores = search.save_best(
            request.path, request.combination, told=lambda event: console.tell(event, search.state)
        )
    if as_json:
        print_json({"combination": request.combination, "path": request.path, "test_scores": scores})
    else:
        for name, score in scores.items():
            print_text(f"test {name}  {score:.4f}")
        console.say(f"saved to {to}; what it is: {to.with_suffix('.json')}")
    return 0


def _ask_to_save(found: session.Session, request: requests.Save, console: Console) -> dict[str, float]:
    """Have the engine that works on the session save a model, and wait for it; its scores on the test set."""
    from engine.session import events

    follower = found.follow()
    state = session.replay(follower)
    found.request(request)
    console.say(f"{found.id}: asked its engine to save combination {request.combination}")
    while True:
        alive = found.liveness().alive  # what it said last is read after that
        for event in follower.poll():
            state.apply(event)
            if isinstance(event, events.RefitStarted | events.ModelSaved | events.SaveFailed):
                console.tell(event, state)
            if isinstance(event, events.TestScored) and event.request == request.request:
                return event.scores
            if isinstance(event, events.SaveFailed) and event.request == request.request:
                raise error_of(event.exit_code, event.error)
        console.draw(state)
        if not alive:
            message = f"{found.id}: its engine ended before the model was saved"
            raise FoldwatchError(message)
        time.sleep(_POLL_SECONDS)


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
