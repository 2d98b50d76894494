"""What the home screen says of the session under the cursor: what was spec, what is best, the note."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from engine.session.narration import saved_in_words
from engine.session.session import open_session
from engine.spec.spelling import in_short
from tui.home.notes import read_note
from tui.home.session_columns import state_of, took, when
from tui.spec_text.form import HYPERPARAMETER_NAMES, form_of

if TYPE_CHECKING:
    from engine.session.listing import SessionSummary
    from engine.session.record import SearchRecord

_SMALL_RECORD = 4 << 20  # bytes of record that are read for the best combination's parameters alone


@dataclass(frozen=True, slots=True)
class About:
    """Text, all of it from outside; `best`: the parameters of the best combination, in short.

    `changes`: what was added to the running search or dropped from it; `saved`: models with their test scores.
    """

    id: str
    standing: str = ""
    spec: str = ""
    spaces: tuple[tuple[tuple[str, str], ...], ...] = ()
    best: str = ""
    note: str = ""
    problem: str = ""
    changes: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    has_form: bool = True

    @property
    def all_of_it(self) -> str:
        """Where the rest is to be read."""
        return "; d shows all of it as a form" if self.has_form else ""


def about(summary: SessionSummary) -> About:
    """Read it; what cannot be read is in `problem`."""
    if summary.problem:
        return About(summary.id, problem=summary.problem)
    try:
        session = open_session(summary.id, summary.folder.parent)
        best, changes, saved = "", tuple[str, ...](), tuple[str, ...]()
        if _record_bytes(summary) <= _SMALL_RECORD:
            state = session.state()
            if summary.best_combination is not None:
                combination = state.combinations[summary.best_combination]
                best = f"#{combination.index}: {in_short(combination.params)}"
            changes = tuple(step.words for step in state.steps)
            saved = tuple(saved_in_words(one) for one in state.saved)
        spec, spaces = spec_in_words(session.record)
        note = read_note(summary.folder)
        return About(
            summary.id,
            _standing(summary),
            spec,
            spaces,
            best,
            note,
            changes=changes,
            saved=saved,
            has_form=not session.is_of_script,
        )
    except (FoldwatchError, OSError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # The record is a file that anybody can have edited: what it holds may have any shape.
        return About(summary.id, problem=f"{summary.folder}: cannot be read: {error!r}")


def _standing(summary: SessionSummary) -> str:
    """Where it stands, when it began, how long engines worked on it, where; whose it is."""
    _, word, _ = state_of(summary)
    places = f"damaged in {summary.damages} place{'s' if summary.damages != 1 else ''}" if summary.damages else ""
    if word == "damaged" and places:
        word, places = places, ""
    done = f"{word}, {summary.fits_finished} of {summary.fits_total} fits" if summary.fits_total else word
    failed = f", {summary.fits_failed} failed" if summary.fits_failed else ""
    damaged = f", {places}" if places else ""
    worked = f" · took {took(summary.seconds)}" if summary.seconds else ""
    theirs = f" · a session of {summary.owner}" if summary.owner else ""
    return f"{done}{failed}{damaged} · started {when(summary.created, time.time())}{worked} · {summary.host}{theirs}"


def spec_in_words(record: SearchRecord) -> tuple[str, tuple[tuple[tuple[str, str], ...], ...]]:
    """The spec in a line, and the (hyperparameter, values) of each of its spaces."""
    spec, script = record.spec, record.script
    if script is not None:
        parts = [f"{record.data.rows:,} rows", f"{spec.get('folds')} splits", script.caller, script.path]
        return " · ".join(parts), ((("estimator", script.estimator),),)
    form = form_of(spec)
    repeats = f" x {spec['repeats']} repeats" if spec.get("repeats", 1) != 1 else ""
    parts = [
        f"{form.text('dataset')}{' (synthetic)' if record.data.synthetic else ''}",
        f"{record.data.rows:,} rows, {record.data.classes} classes",
        f"{form.text('folds')} folds{repeats}",
        form.text("scoring"),
        form.text("strategy"),
        f"seed {form.text('seed')}",
    ]
    if form.text("early_stopping"):
        parts.append(f"early stopping with {form.text('early_stopping')}")
    if form.text("trainer") != "auto":
        parts.append(f"trainer {form.text('trainer')}")
    spaces = tuple(
        tuple((name, space[name]) for name in HYPERPARAMETER_NAMES if name in space) for space in form.spaces
    )
    return " · ".join(parts), spaces


def _record_bytes(summary: SessionSummary) -> int:
    return sum(path.stat().st_size for path in summary.folder.glob("journal.*.jsonl"))
