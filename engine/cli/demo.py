"""The built-in search: small, on the synthetic sample, and whole, from spec to saved model."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.console import Console
from engine.cli.options import GroupReadable, Plain, Sessions, Workers
from engine.cli.save import save_model
from engine.cli.watching import watch_search
from engine.errors import UsageError
from engine.session.places import new_identifier, sessions_folder
from engine.spec.spec import SearchSpec


def demo_spec() -> SearchSpec:
    """Constant and decaying rates against each other, on two sizes of network."""
    decay = {
        "schedule": "ExponentialDecay",
        "initial_learning_rate": [0.1, 0.5],
        "decay_epochs": 1,
        "decay_rate": [0.8, 0.96],
    }
    return SearchSpec.from_values(
        {
            "dataset": "sample",
            "space": [
                {"epochs": [5, 10], "batch_size": [128], "hidden_units": [16, 64], "optimizer": ["rmsprop", "adam"]},
                {
                    "epochs": [5, 10],
                    "batch_size": [128],
                    "hidden_units": [64],
                    "optimizer": [{"name": "sgd", "momentum": 0.9}],
                    "learning_rate": [0.1, decay],
                },
            ],
        }
    )


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without the terminal app.")] = False,
    workers: Workers = None,
    sessions: Sessions = None,
    group_readable: GroupReadable = False,
    plain: Plain = False,
) -> int:
    """Search the built-in synthetic sample, save the best model and score it on the test set."""
    from engine.search.search import Search

    if not headless:
        message = "the demo needs a terminal; without one: foldwatch demo --headless"
        raise UsageError(message)
    console = Console()
    console.say("the built-in sample is synthetic: made-up topics and words, with Reuters' class sizes")
    folder = sessions_folder(sessions)
    search = Search(
        demo_spec(),
        workers=workers,
        sessions=folder,
        name=new_identifier(folder, "demo"),
        group_readable=group_readable,
        progress=console.say,
    )
    code = watch_search(search, console, as_json=False, notify=None)
    if code == 0 and search.session is not None:
        return save_model(search, search.session.folder / "best.keras", None, "best", as_json=False, console=console)
    return code
