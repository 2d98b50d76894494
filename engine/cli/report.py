"""The command `report`: trends of a whole search as text, JSON or one page that opens offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import AsJson, Identifier, Plain, Sessions
from engine.cli.printing import print_data, print_text, say, terminal_width
from engine.errors import UsageError, shortened
from engine.system.whole_files import write_for_user

if TYPE_CHECKING:
    from engine.analysis.report.contents import Report

_FORMATS = ("text", "json", "html")

Format = Annotated[
    str | None, typer.Option("--format", help="text, json or html; else by how FILE ends: .txt, .json, .html.")
]
To = Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, not to standard output.")]
Pair = Annotated[tuple[str, str] | None, typer.Option(metavar="DOWN ACROSS", help="Hyperparameters of the heat map.")]


def report(
    identifier: Identifier,
    format_: Format = None,
    as_json: AsJson = False,
    to: To = None,
    pair: Pair = None,
    sessions: Sessions = None,
    plain: Plain = False,
) -> None:
    """Review a whole search: what matters, main effects, heat map, the top, and remarks on the best."""
    from engine.analysis.report.contents import make_report
    from engine.session.places import sessions_folder
    from engine.session.session import open_session

    ending = to.suffix.removeprefix(".") if to else ""
    if as_json and format_ not in (None, "json"):
        message = f"--format: {shortened(repr(format_))} is not accepted beside --json; accepted: json"
        raise UsageError(message)
    chosen = "json" if as_json else format_ or {"": "text", "txt": "text"}.get(ending, ending)
    if chosen not in _FORMATS:
        message = f"--format: {shortened(repr(chosen))} is not accepted; accepted: {', '.join(_FORMATS)}"
        raise UsageError(message)
    session = open_session(identifier, sessions_folder(sessions))
    findings = make_report(session, pair)
    say(session.damage_in_words(findings.state))
    content = _written(findings, chosen, to)
    if to is None:
        if chosen == "text":
            print_text(content.removesuffix("\n"))
        else:
            print_data(content.encode())
    else:
        write_for_user(to, content, "report")
        say(f"the report is in {to}")


def _written(findings: Report, chosen: str, to: Path | None) -> str:
    if chosen == "json":
        return json.dumps(findings.as_values(), allow_nan=False) + "\n"
    if chosen == "html":
        return findings.to_html()
    return findings.to_text(100 if to else terminal_width()) + "\n"
