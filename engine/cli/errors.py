"""The command `errors`: which classes a combination confuses, as text or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engine.cli.options import AsJson, DataDir, Identifier, Plain, Sessions
from engine.cli.printing import print_json, print_text, say, terminal_width


def errors(
    identifier: Identifier,
    combination: Annotated[int | None, typer.Option(min=0, help="Number of one; by default the best.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Show this many pairs of classes, and rows.")] = 10,
    sessions: Sessions = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> None:
    """Which classes and which training rows a combination gets wrong, by its out-of-fold predictions."""
    from engine.analysis.confusion import errors_of
    from engine.cli.confusion_tables import errors_text
    from engine.session.places import sessions_folder
    from engine.session.session import open_session

    session = open_session(identifier, sessions_folder(sessions))
    state = session.state()
    say(session.damage_in_words(state))
    wrong = errors_of(session, state, combination, most=most, data_dir=data_dir)
    if as_json:
        print_json({"session": session.id, **asdict(wrong), "damages": state.damages})
    else:
        print_text(errors_text(wrong, state.splits, terminal_width()))
