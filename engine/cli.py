"""The headless commands: standard output is data, standard error is narration, the exit code is the result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from engine import control, session
from engine.console import Console
from engine.errors import FoldwatchError, UsageError
from engine.safe_text import clean

app = typer.Typer(
    name="foldwatch",
    help="Hyperparameter searches of Keras text classifiers. Without a command: the terminal app.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

# The base of what the parser raises: click's, or that of the copy of click which newer Typers bring.
_CommandLineError: Any = typer.BadParameter.__mro__[2]

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC.toml", help="What to search.")]
Identifier = Annotated[str, typer.Argument(metavar="ID", help="Name of a session; see: foldwatch list")]
Sessions = Annotated[Path | None, typer.Option(help="Folder of sessions.")]
DataDir = Annotated[Path | None, typer.Option(envvar="FOLDWATCH_DATA", help="Folder with reuters.npz or imdb.npz.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; else what the machine allows.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="space.epochs=[5,10]")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Detach = Annotated[bool, typer.Option(help="Leave it running in the background and return.")]
Notify = Annotated[str | None, typer.Option(metavar="COMMAND", help="Run this when the search has ended.")]
Combination = Annotated[int, typer.Option(min=0, help="Number of the combination.")]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        result = app(args=arguments, standalone_mode=False)
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
        _forget_stdout()
        return 141
    return result if isinstance(result, int) else 0


def _forget_stdout() -> None:
    """Whoever read our output has gone; Python would complain once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    sys.stderr.write(f"foldwatch: {clean(text)}\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _folder(sessions: Path | None) -> Path:
    return session.sessions_folder(sessions)


@app.callback(invoke_without_command=True)
def _callback(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from engine import __version__

        _print(__version__)
        raise typer.Exit


@app.command()
def plan(spec: SpecPath, set_: Overrides = None, workers: Workers = None, as_json: AsJson = False) -> None:
    """Say what a spec means; nothing runs."""
    from engine import machine
    from engine.plan import make_plan
    from engine.remaining import in_words
    from engine.space import combinations_of
    from engine.spec import SearchSpec
    from engine.tables import facts

    read = SearchSpec.read(spec, set_ or [])
    made = make_plan(read, combinations_of(read))
    uses_keras = any(training.trainer == "keras" for training in made.trainings)
    count = workers or machine.default_workers(len(made.trainings), uses_keras=uses_keras)
    seconds = made.cost / min(count, max(1, len(made.trainings)))
    trainers = sorted({combination.trainer for combination in made.combinations})
    if as_json:
        _print_json(
            {
                "combinations": [
                    {"index": c.index, "params": c.params, "trainer": c.trainer, "same_as": c.same_as}
                    for c in made.combinations
                ],
                "fits": made.fits,
                "trainings": len(made.trainings),
                "epochs": made.epochs,
                "epochs_unshared": made.unshared_epochs,
                "workers": count,
                "seconds": seconds,
                "notes": list(made.notes),
            }
        )
        return
    _print(
        facts(
            [
                ("data", f"{read.dataset}, {read.rows} rows{', synthetic' if read.dataset == 'sample' else ''}"),
                ("combinations", len(made.combinations)),
                ("fits", f"{made.fits} = {len(made.combinations)} combinations x {made.splits} splits"),
                ("trainings", f"{len(made.trainings)}, {made.epochs} epochs (unshared: {made.unshared_epochs})"),
                ("trainer", ", ".join(trainers)),
                ("time", f"roughly {in_words(seconds)} on {count} workers"),
                *(("note", note) for note in made.notes),
                *(("note", note) for note in _idle_gpus(trainers)),
            ]
        )
    )


def _idle_gpus(trainers: list[str]) -> list[str]:
    from engine.machine import gpus

    if "kernel" in trainers and gpus():
        return ['the kernel trainer runs on the CPU, so a GPU lies idle; trainer = "keras" uses it']
    return []


@app.command()
def run(
    spec: SpecPath,
    set_: Overrides = None,
    name: Annotated[str | None, typer.Option(help="Name of the session.")] = None,
    workers: Workers = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run fits again that earlier sessions have scored.")] = False,
    detach: Detach = False,
    notify: Notify = None,
    as_json: AsJson = False,
) -> int:
    """Run a search, showing scores as they land."""
    from engine.detached import start_detached
    from engine.search import Search
    from engine.spec import SearchSpec

    read = SearchSpec.read(spec, set_ or [])
    folder = _folder(sessions)
    if name is not None:
        session.check_identifier(name)
        if (folder / name).exists():
            message = f"session {name!r} exists; continue it with: foldwatch resume {name}"
            raise UsageError(message)
    if detach:
        chosen = name or session.new_identifier(folder, read.dataset)
        arguments = ["run", str(spec.absolute()), "--name", chosen]
        arguments += [part for override in set_ or [] for part in ("--set", override)]
        arguments += ["--fresh"] if fresh else []
        start_detached(arguments, folder, chosen, workers=workers, data_dir=data_dir, notify=notify)
        _print(chosen)
        return 0
    console = Console()
    search = Search(
        read,
        workers=workers,
        name=name,
        sessions=folder,
        data_dir=data_dir,
        fresh=fresh,
        progress=console.say,
    )
    return _watch(search, console, as_json=as_json, notify=notify)


@app.command()
def resume(
    identifier: Identifier,
    workers: Workers = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    detach: Detach = False,
    notify: Notify = None,
    as_json: AsJson = False,
) -> int:
    """Go on with what is missing: of a paused search, or of one whose engine has ended."""
    from engine.detached import start_detached
    from engine.search import Search

    folder = _folder(sessions)
    found = session.open_session(identifier, folder)
    console = Console()
    if found.liveness().alive and str(found.state().status) == "paused":
        found.request(control.Resume())
        console.say(f"{identifier}: asked its engine to go on")
        return 0
    if detach:
        start_detached(["resume", identifier], folder, identifier, workers=workers, data_dir=data_dir, notify=notify)
        _print(identifier)
        return 0
    search = Search.of_session(identifier, sessions=folder, workers=workers, data_dir=data_dir, progress=console.say)
    return _watch(search, console, as_json=as_json, notify=notify)


class _Terminated(Exception):  # noqa: N818 -- not an error: somebody asked for it
    """SIGTERM came."""


def _watch(search: Any, console: Console, *, as_json: bool, notify: str | None) -> int:
    """Run a search to its end, telling of it; the exit code."""
    import queue

    from engine import events
    from engine.notify import notify_user
    from engine.stall import StallWatch
    from engine.tables import results_table

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    # A terminal that closes must not end a search: it goes on, unseen, and can be attached to.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    subscriber = search.subscribe()
    code = 0
    # Before the start: whatever happens after it comes as an event, and must not be counted twice.
    seen = search.state
    stall, is_stalled = StallWatch(), False
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
                    if notify and search.session:
                        notify_user(notify, search.session.id, "stalled")
                is_stalled = quiet
                continue
            if event is None:
                break
            stall.hear(time.monotonic())
            is_stalled = False
            seen.apply(event)
            if as_json:
                sys.stdout.buffer.write(events.to_json(event) + b"\n")
                sys.stdout.buffer.flush()
            console.tell(event, seen)
            console.draw(seen)
    except (KeyboardInterrupt, _Terminated, BrokenPipeError) as stop:
        code = {KeyboardInterrupt: 130, _Terminated: 143}.get(type(stop), 141)
        search.interrupt()
        if code == 141:
            _forget_stdout()
    console.finish()
    outcome = search.wait()
    state = search.state
    identifier = search.session.id if search.session else ""
    if code:
        console.say(f"interrupted; go on with: foldwatch resume {identifier}")
        return code
    if not as_json and state.combinations:
        _print(results_table(state, _width(), most=None if len(state.combinations) <= 50 else 20))
        console.say(f"recorded as {identifier}; save the best with: foldwatch save {identifier} --to best.keras")
    if notify:
        notify_user(notify, identifier, str(outcome))
    if outcome == "failed":
        return 1
    return 3 if state.fits_failed else 0


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without the terminal app.")] = False,
    workers: Workers = None,
    sessions: Sessions = None,
) -> int:
    """Search the built-in synthetic sample, save the best model and score it on the test set."""
    from engine.demo import demo_spec
    from engine.search import Search

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
        progress=console.say,
    )
    code = _watch(search, console, as_json=False, notify=None)
    if code == 0 and search.session is not None:
        return _save(search, search.session.folder / "best.keras", None, as_json=False, console=console)
    return code


@app.command()
def save(
    identifier: Identifier,
    to: Annotated[Path, typer.Option(metavar="FILE.keras", help="Where to save the model.")],
    combination: Annotated[int | None, typer.Option(min=0, help="Else the best one.")] = None,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Refit on all training rows, save with Keras, score on the test set."""
    from engine.search import Search

    console = Console()
    search = Search.of_session(identifier, sessions=_folder(sessions), data_dir=data_dir, progress=console.say)
    return _save(search, to, combination, as_json=as_json, console=console)


def _save(search: Any, to: Path, combination: int | None, *, as_json: bool, console: Console) -> int:
    request = search.save_request(to, combination)
    state = search.state
    looks = state.test_looks(request.combination)
    for warning in search.save_warnings(request):
        console.say(f"note: {warning}")
    if looks:
        console.say(f"note: the test set has been looked at for this combination before ({looks} times)")
    console.say(f"refitting combination {request.combination} on all training rows")
    scores = search.save_best(request.path, request.combination)
    if as_json:
        _print_json({"combination": request.combination, "path": request.path, "test_scores": scores})
    else:
        for name, score in scores.items():
            _print(f"test {name}  {score:.4f}")
        console.say(f"saved to {to}; what it is: {to.with_suffix('.json')}")
    return 0


@app.command(name="list")
def list_(sessions: Sessions = None, as_json: AsJson = False) -> None:
    """All sessions, newest first."""
    from engine.tables import sessions_table

    folder = _folder(sessions)
    summaries = session.list_sessions(folder)
    if as_json:
        _print_json([{**vars(summary), "folder": str(summary.folder)} for summary in summaries])
    elif summaries:
        _print(sessions_table(summaries, _width()))
    else:
        sys.stderr.write(f"no sessions in {clean(str(folder))}; start one with: foldwatch demo --headless\n")


@app.command()
def show(
    identifier: Identifier,
    sessions: Sessions = None,
    most: Annotated[int | None, typer.Option(min=1, help="Show this many combinations.")] = None,
    as_json: AsJson = False,
) -> None:
    """A session's results: every combination, the best first."""
    from engine.narration import in_short
    from engine.remaining import in_words
    from engine.results import as_values
    from engine.tables import facts, results_table

    found = session.open_session(identifier, _folder(sessions))
    follower = found.follow()
    state = session.replay(follower)
    status = found.status(state)
    if as_json:
        _print_json(as_values(state, found.id, status))
        return
    best = state.best
    trainers = Counter(f"{one.trainer} ({one.trainer_reason})" for one in state.combinations)
    taken = Counter(name for combination in state.combinations for name in combination.taken_from if name)
    synthetic = " (synthetic)" if found.record.data.synthetic else ""
    _print(
        facts(
            [
                ("session", found.id),
                ("state", f"{status}{': ' + state.message if state.message else ''}"),
                ("data", f"{found.record.spec['dataset']}{synthetic}, {found.record.data.rows} rows"),
                ("fits", f"{state.fits_finished} of {state.fits_total}, {state.fits_failed} failed"),
                *(("taken over", f"{count} fits from {name}") for name, count in sorted(taken.items())),
                ("took", in_words(state.elapsed(time.time() if found.liveness().alive else None))),
                *(("trainer", f"{count} x {why}") for why, count in sorted(trainers.items())),
                ("best", f"#{best.index}: {in_short(best.params)}" if best else None),
                *(("saved", _saved(one)) for one in state.saved),
                *(("damaged", f"{d.file} at byte {d.offset}: {d.why}") for d in follower.damages),
            ]
        )
    )
    _print("")
    _print(results_table(state, _width(), most))
    for combination in state.combinations:
        for fold, (error, _) in sorted(combination.errors.items()):
            _print(f"combination {combination.index} fold {fold} failed: {clean(error)}")


def _saved(refit: Any) -> str:
    scores = ", ".join(f"{name} {score:.4f}" for name, score in refit.test_scores.items())
    return f"#{refit.combination} at {refit.path}, test set: {scores}"


@app.command()
def logs(
    identifier: Identifier,
    sessions: Sessions = None,
    tail: Annotated[int, typer.Option(min=1, help="Lines of each worker's output.")] = 100,
) -> None:
    """What happened, and what the workers printed."""
    from engine.narration import describe
    from engine.state import SearchState

    found = session.open_session(identifier, _folder(sessions))
    state = SearchState()
    for event in found.follow().poll():
        state.apply(event)
        if (words := describe(event, state)) is not None:
            _print(f"{time.strftime('%H:%M:%S', time.localtime(event.time))}  {clean(words)}")
    for combination in state.combinations:
        for fold, (_, traceback) in sorted(combination.errors.items()):
            if traceback:
                _print(f"\ncombination {combination.index} fold {fold}:\n{clean(traceback, lines=True)}")
    for log in sorted(found.folder.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-tail:]
        if lines:
            _print(f"\n{log.name}:")
            _print(clean("\n".join(lines), lines=True))


@app.command()
def export(
    identifier: Identifier,
    format_: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    sessions: Sessions = None,
) -> None:
    """Results as a table in CSV, a row a combination, or as `show --json` has them."""
    from engine.results import as_values, to_csv

    found = session.open_session(identifier, _folder(sessions))
    state = found.state()
    if format_ == "csv":
        sys.stdout.write(to_csv(state))
    elif format_ == "json":
        _print_json(as_values(state, found.id, found.status(state)))
    else:
        message = f"--format: {format_!r} is not accepted; accepted: csv, json"
        raise UsageError(message)


@app.command()
def delete(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    sessions: Sessions = None,
) -> None:
    """Remove a session with all it holds."""
    found = session.open_session(identifier, _folder(sessions))
    if not yes:
        if not sys.stdin.isatty():
            message = f"{identifier}: nobody is here to be asked; to delete it all the same: --yes"
            raise UsageError(message)
        typer.confirm(f"Delete {found.folder} with all scores and models in it?", abort=True, err=True)
    found.delete()


def _ask(identifier: str, sessions: Path | None, request: control.Request, what: str) -> None:
    session.open_session(identifier, _folder(sessions)).request(request)
    sys.stderr.write(f"{identifier}: asked its engine to {what}\n")


@app.command()
def pause(identifier: Identifier, sessions: Sessions = None) -> None:
    """Halt trainings at their next epoch's end, keeping their state."""
    _ask(identifier, sessions, control.Pause(), "pause")


@app.command()
def stop(
    identifier: Identifier,
    sessions: Sessions = None,
    at_once: Annotated[bool, typer.Option("--at-once", help="Leave running fits unfinished.")] = False,
) -> None:
    """Finish the fits that are running, and end."""
    _ask(identifier, sessions, control.Stop(at_once=at_once), "stop")


@app.command()
def skip(identifier: Identifier, combination: Combination, sessions: Sessions = None) -> None:
    """Leave out what is still missing of a combination."""
    _ask(identifier, sessions, control.Skip(combination=combination), f"skip combination {combination}")


@app.command()
def retry(identifier: Identifier, combination: Combination, sessions: Sessions = None) -> None:
    """Run failed or skipped fits of a combination after all."""
    _ask(identifier, sessions, control.Retry(combination=combination), f"finish combination {combination}")


@app.command()
def doctor(data_dir: DataDir = None, sessions: Sessions = None, as_json: AsJson = False) -> None:
    """What is installed, which GPUs, which data are at hand."""
    from engine.doctor import findings
    from engine.tables import facts

    found = findings(data_dir, _folder(sessions))
    if as_json:
        _print_json(dict(found))
    else:
        _print(facts(found))
