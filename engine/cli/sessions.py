"""The commands that read what lies on disk of sessions, or remove it: `list`, `show`, `logs`, `export`, `delete`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import AsJson, Identifier, Plain, Sessions
from engine.cli.printing import print_data, print_json, print_text, say, terminal_width
from engine.errors import UsageError, shortened
from engine.formatting.safe_text import clean
from engine.search.older_scores import scored_by_older_rules
from engine.session.follower import replay
from engine.session.listing import list_sessions
from engine.session.places import sessions_folder
from engine.session.session import Session, open_session
from engine.system.regular_files import open_regular
from engine.system.whole_files import write_for_user

if TYPE_CHECKING:
    from engine.session.events import Event
    from engine.session.state import SearchState

_LOG_BYTES = 4 << 20
_LONGEST_ESTIMATOR = 300  # characters
_DROPPED_SHOWN = 10  # reasons below the results, where no other number is asked for
_DAMAGES_SHOWN = 5


def list_(sessions: Sessions = None, as_json: AsJson = False, plain: Plain = False) -> None:
    """All sessions, newest first."""
    from engine.cli.tables import sessions_table

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
    from engine.analysis.results import as_values
    from engine.analysis.selection.wording import corrected_facts, corrected_values, find_corrected
    from engine.cli.tables import results_table
    from engine.formatting.tables import facts
    from engine.formatting.times import in_words, moment_in_words
    from engine.session.combination import mean_in_words
    from engine.session.narration import delay_in_words, saved_in_words
    from engine.spec.spelling import in_short

    session = open_session(identifier, sessions_folder(sessions))
    state = session.state()
    status = session.status(state)
    if as_json:
        print_json({**as_values(state, session.id, status), "honest": corrected_values(find_corrected(session, state))})
        return
    best = state.best
    looks = state.all_test_looks
    by_spec = [] if session.is_of_script else state.combinations
    trainers = Counter(f"{one.trainer} ({one.trainer_reason})" for one in by_spec)
    taken = Counter(name for combination in state.combinations for fit in combination.fits if (name := fit.taken_from))
    synthetic = " (synthetic)" if session.record.data.synthetic else ""
    print_text(
        facts(
            [
                ("session", session.id),
                ("owner", session.owner),
                ("state", f"{status}{': ' + state.message if state.message else ''}"),
                ("data", f"{clean(str(session.record.spec['dataset']))}{synthetic}, {session.record.data.rows} rows"),
                *_script_facts(session),
                ("fits", f"{state.fits_finished} of {state.fits_total}, {state.fits_failed} failed"),
                *(("taken over", f"{count} fits from {name}") for name, count in sorted(taken.items())),
                *(("versions", change) for change in state.changed_versions),
                *(("scored by an older rule", which) for which in scored_by_older_rules(state.combinations)),
                ("took", in_words(state.elapsed(time.time() if session.liveness().alive else None))),
                ("deadline", moment_in_words(state.deadline) if state.deadline else None),
                ("foreseen", delay_in_words(state.delay) if state.delay and not state.status.is_finished else None),
                *(("trainer", f"{count} x {why}") for why, count in sorted(trainers.items())),
                ("best", f"#{best.index}: {in_short(best.params)}" if best else None),
                *corrected_facts(find_corrected(session, state)),
                *((metric, mean_in_words(best, metric)) for metric in state.scoring[1:] if best),
                ("early stopping", None if session.is_of_script else session.spec.stopping),
                *(("changed", step.words) for step in state.steps),
                *(("saved", saved_in_words(one)) for one in state.saved),
                ("test set", f"looked at {looks} times: the best of its scores is too good" if looks > 1 else None),
                *_damage_facts(session, state),
            ]
        )
    )
    print_text("")
    print_text(results_table(state, terminal_width(), most))
    for combination in state.combinations:
        for fold, fit in enumerate(combination.fits):
            if fit.error is not None:
                print_text(f"combination {combination.index} fold {fold} failed: {clean(fit.error)}")
    dropped = [combination for combination in state.combinations if combination.evidence]
    limit = most or _DROPPED_SHOWN
    for combination in dropped[:limit]:
        why = f"{combination.dropped}: {combination.evidence}"
        print_text(f"combination {combination.index} dropped: {clean(why)}")
    if len(dropped) > limit:
        print_text(f"and {len(dropped) - limit} more were dropped; --json says why each")


def _script_facts(session: Session) -> list[tuple[str, str]]:
    """Where the search lives, if a script runs it."""
    script = session.record.script
    if script is None:
        return []
    return [
        ("script", clean(script.path)),
        ("search", clean(script.caller)),
        ("estimator", clean(script.estimator, longest=_LONGEST_ESTIMATOR)),
    ]


def _damage_facts(session: Session, state: SearchState) -> list[tuple[str, str]]:
    """What of the record is lost, and what helps."""
    if not (damages := state.damages):
        return []
    named = damages[:_DAMAGES_SHOWN]
    if len(damages) > len(named):
        named.append(f"and in {len(damages) - len(named)} more places")
    return [*(("damaged", one) for one in named), ("", f"to run again what is lost, {session.going_on()}")]


def logs(
    identifier: Identifier,
    sessions: Sessions = None,
    tail: Annotated[int, typer.Option(min=1, help="Lines of each worker's output.")] = 100,
    plain: Plain = False,
) -> None:
    """What happened, and what the workers printed."""
    from engine.session.narration import describe

    session = open_session(identifier, sessions_folder(sessions))

    def tell(event: Event, state: SearchState) -> None:
        if (words := describe(event, state)) is not None:
            print_text(f"{time.strftime('%H:%M:%S', time.localtime(event.time))}  {clean(words)}")

    state = replay(session.follow(), tell)
    say(session.damage_in_words(state))
    for combination in state.combinations:
        for fold, fit in enumerate(combination.fits):
            if fit.traceback:
                print_text(f"\ncombination {combination.index} fold {fold}:\n{clean(fit.traceback, lines=True)}")
    for log in sorted(session.folder.glob("*.log")):
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
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or json; by default what FILE ends with, else csv.")
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, not to standard output.")] = None,
    sessions: Sessions = None,
) -> None:
    """Results as a table in CSV, a row a combination, or as `show --json` has them."""
    chosen = format_ or (to.suffix.removeprefix(".") if to else "csv")
    if chosen not in ("csv", "json"):
        message = f"--format: {shortened(repr(chosen))} is not accepted; accepted: csv, json"
        raise UsageError(message)
    session = open_session(identifier, sessions_folder(sessions))
    if session.owner:
        say(f"{session.id} is a session of {session.owner}")
    content = _exported(session, chosen)
    if to is None:
        print_data(content.encode())
    else:
        # Whole or not at all: whatever goes wrong, a file that was there before stays as it is.
        write_for_user(to, content, "export")
        say(f"the results are in {to}")


def _exported(session: Session, chosen: str) -> str:
    from engine.analysis.results import as_values, to_csv
    from engine.analysis.selection.wording import corrected_values, find_corrected

    state = session.state()
    say(session.damage_in_words(state))
    if chosen == "csv":
        return to_csv(state)
    values = as_values(state, session.id, session.status(state))
    return json.dumps({**values, "honest": corrected_values(find_corrected(session, state))}, allow_nan=False) + "\n"


def delete(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
    sessions: Sessions = None,
) -> None:
    """Remove a session with all it holds."""
    session = open_session(identifier, sessions_folder(sessions))
    if not yes:
        if not sys.stdin.isatty():
            message = f"{identifier}: nobody is here to answer a question; to delete it without one: --yes"
            raise UsageError(message)
        typer.confirm(f"Delete {clean(str(session.folder))} with all scores and models in it?", abort=True, err=True)
    session.delete()
