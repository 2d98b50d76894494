"""The commands that read what lies on disk of sessions, or remove it: `list`, `show`, `logs`, `export`, `delete`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from engine.options import AsJson, Identifier, Plain, Sessions
from engine.printing import print_data, print_json, print_text, say, terminal_width
from engine.regular_files import open_regular
from engine.safe_text import clean
from engine.session import list_sessions, open_session, replay, sessions_folder

_LOG_BYTES = 4 << 20
_DROPPED_SHOWN = 10  # reasons below the results, where no other number is asked for


def list_(sessions: Sessions = None, as_json: AsJson = False, plain: Plain = False) -> None:
    """All sessions, newest first."""
    from engine.tables import sessions_table

    folder = sessions_folder(sessions)
    summaries = list_sessions(folder)
    if as_json:
        print_json([{**vars(summary), "folder": str(summary.folder)} for summary in summaries])
    elif summaries:
        print_text(sessions_table(summaries, terminal_width()))
    else:
        say(f"no sessions in {folder}; start one with: foldwatch demo --headless")


def show(
    identifier: Identifier,
    sessions: Sessions = None,
    most: Annotated[int | None, typer.Option(min=1, help="Show this many combinations.")] = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> None:
    """A session's results: every combination, the best first."""
    from engine.narration import delay_in_words, in_short, moment_in_words, saved_in_words
    from engine.remaining import in_words
    from engine.results import as_values
    from engine.selection.wording import find_honest, honest_facts, honest_values
    from engine.spec import SearchSpec
    from engine.tables import facts, results_table

    found = open_session(identifier, sessions_folder(sessions))
    follower = found.follow()
    state = replay(follower)
    status = found.status(state)
    if as_json:
        print_json({**as_values(state, found.id, status), "honest": honest_values(find_honest(found, state))})
        return
    best = state.best
    looks = state.all_test_looks
    trainers = Counter(f"{one.trainer} ({one.trainer_reason})" for one in state.combinations)
    taken = Counter(name for combination in state.combinations for name in combination.taken_from if name)
    synthetic = " (synthetic)" if found.record.data.synthetic else ""
    print_text(
        facts(
            [
                ("session", found.id),
                ("owner", found.owner),
                ("state", f"{status}{': ' + state.message if state.message else ''}"),
                ("data", f"{found.record.spec['dataset']}{synthetic}, {found.record.data.rows} rows"),
                ("fits", f"{state.fits_finished} of {state.fits_total}, {state.fits_failed} failed"),
                *(("taken over", f"{count} fits from {name}") for name, count in sorted(taken.items())),
                *(("versions", change) for change in state.changed_versions),
                ("took", in_words(state.elapsed(time.time() if found.liveness().alive else None))),
                ("deadline", moment_in_words(state.deadline) if state.deadline else None),
                ("foreseen", delay_in_words(state.delay) if state.delay and not state.status.is_finished else None),
                *(("trainer", f"{count} x {why}") for why, count in sorted(trainers.items())),
                ("best", f"#{best.index}: {in_short(best.params)}" if best else None),
                *honest_facts(find_honest(found, state)),
                ("early stopping", SearchSpec.from_values(found.record.spec).stopping),
                *(("changed", step.words) for step in state.steps),
                *(("saved", saved_in_words(one)) for one in state.saved),
                ("test set", f"looked at {looks} times: the best of its scores is too good" if looks > 1 else None),
                *(("damaged", f"{d.file} at byte {d.offset}: {d.why}") for d in follower.damages),
            ]
        )
    )
    print_text("")
    print_text(results_table(state, terminal_width(), most))
    for combination in state.combinations:
        for fold, (error, _) in sorted(combination.errors.items()):
            print_text(f"combination {combination.index} fold {fold} failed: {clean(error)}")
    dropped = [combination for combination in state.combinations if combination.evidence]
    limit = most or _DROPPED_SHOWN
    for combination in dropped[:limit]:
        why = f"{combination.dropped}: {combination.evidence}"
        print_text(f"combination {combination.index} dropped: {clean(why)}")
    if len(dropped) > limit:
        print_text(f"and {len(dropped) - limit} more were dropped; --json says why each")


def logs(
    identifier: Identifier,
    sessions: Sessions = None,
    tail: Annotated[int, typer.Option(min=1, help="Lines of each worker's output.")] = 100,
    plain: Plain = False,
) -> None:
    """What happened, and what the workers printed."""
    from engine.narration import describe
    from engine.state import SearchState

    found = open_session(identifier, sessions_folder(sessions))
    state = SearchState()
    for event in found.follow().poll():
        state.apply(event)
        if (words := describe(event, state)) is not None:
            print_text(f"{time.strftime('%H:%M:%S', time.localtime(event.time))}  {clean(words)}")
    for combination in state.combinations:
        for fold, (_, traceback) in sorted(combination.errors.items()):
            if traceback:
                print_text(f"\ncombination {combination.index} fold {fold}:\n{clean(traceback, lines=True)}")
    for log in sorted(found.folder.glob("*.log")):
        try:
            lines = _last_lines(log, tail)
        except OSError as error:
            print_text(f"\n{clean(log.name)}: cannot be read: {error.strerror}")
            continue
        if lines:
            print_text(f"\n{clean(log.name)}:")
            print_text("\n".join(map(clean, lines)))


def _last_lines(log: Path, most: int) -> list[str]:
    """The last lines of a log, as far as they lie within its last megabytes. Raises OSError."""
    with open_regular(log) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LOG_BYTES))
        return file.read(_LOG_BYTES).decode(errors="replace").splitlines()[-most:]


def export(
    identifier: Identifier,
    format_: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    sessions: Sessions = None,
) -> None:
    """Results as a table in CSV, a row a combination, or as `show --json` has them."""
    from engine.results import as_values, to_csv
    from engine.selection.wording import find_honest, honest_values

    found = open_session(identifier, sessions_folder(sessions))
    if found.owner:
        say(f"{found.id} is a session of {found.owner}")
    state = found.state()
    if format_ == "csv":
        print_data(to_csv(state).encode())
    elif format_ == "json":
        values = as_values(state, found.id, found.status(state))
        print_json({**values, "honest": honest_values(find_honest(found, state))})
    else:
        message = f"--format: {format_!r} is not accepted; accepted: csv, json"
        raise UsageError(message)


def delete(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    sessions: Sessions = None,
) -> None:
    """Remove a session with all it holds."""
    found = open_session(identifier, sessions_folder(sessions))
    if not yes:
        if not sys.stdin.isatty():
            message = f"{identifier}: nobody is here to be asked; to delete it all the same: --yes"
            raise UsageError(message)
        typer.confirm(f"Delete {clean(str(found.folder))} with all scores and models in it?", abort=True, err=True)
    found.delete()
