"""`foldwatch save`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.console import Console
from engine.cli.options import AsJson, DataDir, Identifier, Plain, Sessions
from engine.cli.printing import print_json, print_text
from engine.errors import FoldwatchError, error_of
from engine.session import requests, session
from engine.session.follower import replay
from engine.session.narration import times
from engine.session.places import sessions_folder

_POLL_SECONDS = 0.2  # between two looks at what another process records


def save(
    identifier: Identifier,
    to: Annotated[Path, typer.Option(metavar="FILE.keras", help="Where to save the model.")],
    combination: Annotated[int | None, typer.Option(min=0, help="Number of one; by default as --choose says.")] = None,
    choose: Annotated[str, typer.Option(help="best, one-standard-error or cheapest-tied.")] = "best",
    sessions: Sessions = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> int:
    """Refit on all training rows, save with Keras, score on the test set."""
    from engine.search.search import Search

    console = Console()
    opened = session.open_session(identifier, sessions_folder(sessions))
    opened.check_has_spec()
    search = Search.of_session(identifier, sessions=opened.folder.parent, data_dir=data_dir, progress=console.say)
    return save_model(search, to, combination, choose, as_json=as_json, console=console)


def save_model(search: Any, to: Path, combination: int | None, choose: str, *, as_json: bool, console: Console) -> int:
    """Save a search's model, by its engine if one works on it, and print its scores on the test set."""
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


def _ask_to_save(opened: session.Session, request: requests.Save, console: Console) -> dict[str, float]:
    """Have the engine that works on the session save a model, and wait for it; its scores on the test set."""
    from engine.session import events

    follower = opened.follow()
    state = replay(follower)
    opened.request(request)
    console.say(f"{opened.id}: asked its engine to save combination {request.combination}")
    while True:
        alive = opened.liveness().alive  # what it recorded last is read after that
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
            message = f"{opened.id}: its engine ended before the model was saved"
            raise FoldwatchError(message)
        time.sleep(_POLL_SECONDS)
