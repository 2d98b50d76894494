"""The command `zoom`: from a search that has ended, a finer one around what was good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import AllowLarge, AsJson, Identifier, Plain, Sessions
from engine.cli.printing import print_json, print_text, say
from engine.errors import UsageError
from engine.formatting.safe_text import clean
from engine.system.regular_files import is_there
from engine.system.whole_files import write_for_user

if TYPE_CHECKING:
    from engine.analysis.forecast.remaining import Forecast
    from engine.analysis.zoom import Zoom

To = Annotated[Path | None, typer.Option(metavar="SPEC.toml", help="Write the proposed spec here.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def zoom(
    identifier: Identifier,
    to: To = None,
    force: Force = False,
    allow_large: AllowLarge = False,
    sessions: Sessions = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> None:
    """Propose a finer search around what was good; nothing runs."""
    from engine.analysis import zoom as zooming
    from engine.session.places import sessions_folder
    from engine.session.session import open_session

    if to is not None and is_there(to) and not force:
        message = f"{to}: is there already; to replace it: --force"
        raise UsageError(message)
    session = open_session(identifier, sessions_folder(sessions))
    spec, state = session.spec, session.state()
    say(session.damage_in_words(state))
    proposal = zooming.zoom(spec, state, allow_large=allow_large)
    if to is not None:
        write_for_user(to, proposal.spec.to_toml(), "spec")
    if as_json:
        print_json({**_as_values(proposal), "damages": state.damages})
    else:
        print_text(_as_text(proposal).removesuffix("\n"))
    if to is not None:
        say(f"the spec is in {to}; run it with: foldwatch run {to}")


def _as_text(proposal: Zoom) -> str:
    from engine.formatting.tables import facts
    from engine.formatting.times import in_words

    count, scored = len(proposal.plan.combinations), len(proposal.scored)
    expected, workers = _forecast(proposal)
    what = facts(
        [
            ("combinations", f"{count}, {scored} of them scored already: taken over on an equal machine"),
            ("fits", f"{proposal.plan.fits}, {scored * proposal.plan.splits} of them scored already"),
            ("time", f"{in_words(expected.least)} to {in_words(expected.most)} on {workers} workers, a first guess"),
            *(("note", note) for note in proposal.plan.notes),
        ]
    )
    lines = "\n".join(clean(line) for line in proposal.lines)
    return f"{lines}\n\n{what}\n\n{proposal.spec.to_toml()}"


def _as_values(proposal: Zoom) -> dict[str, Any]:
    expected, workers = _forecast(proposal)
    return {
        "hyperparameters": [
            {"name": one.name, "tried": one.tried, "proposed": one.proposed, "why": one.why}
            for one in proposal.refinements
        ],
        "combinations": len(proposal.plan.combinations),
        "combinations_scored": len(proposal.scored),
        "fits": proposal.plan.fits,
        "fits_scored": len(proposal.scored) * proposal.plan.splits,
        "workers": workers,
        "seconds": expected.estimate,
        "seconds_interval": [expected.least, expected.most],
        "spec": proposal.spec.to_values(),
    }


def _forecast(proposal: Zoom) -> tuple[Forecast, int]:
    """How long what is not scored yet is expected to take, and on how many workers."""
    from engine.analysis.forecast.deadline import forecast_of_plan
    from engine.system import machine

    uses_keras = any(training.trainer == "keras" for training in proposal.rest.trainings)
    workers = machine.default_workers(len(proposal.rest.trainings), uses_keras=uses_keras)
    return forecast_of_plan(proposal.spec, proposal.rest, workers, None)[0], workers
