"""Opens the app on the terminal, with as little work as that takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from engine.cli.printing import say
from engine.formatting.characters import is_plain
from engine.session.places import sessions_folder
from engine.session.session import open_session
from tui.parts.garbage import uncollected
from tui.terminal.farewell import farewell

if TYPE_CHECKING:
    from pathlib import Path


def run_app(
    identifier: str | None,
    *,
    sessions: Path | None,
    data_folder: Path | None,
    read_only: bool,
    low_bandwidth: bool,
    is_demo: bool,
    theme: str | None,
) -> int:
    """Draw the app until it is left; the exit code. Opens on a session, on a demo, or at home.

    Raises FoldwatchError if the session cannot be opened.
    """
    session = open_session(identifier, sessions_folder(sessions)) if identifier else None
    with uncollected():
        from tui.app import FoldwatchApp

        if session is None and not is_demo:
            import tui.home.screen
        else:
            import tui.live.screen  # noqa: F401
    app = FoldwatchApp(
        session=session,
        sessions=sessions,
        data_folder=data_folder,
        read_only=read_only,
        low_bandwidth=low_bandwidth,
        demo=is_demo,
        theme=theme,
        is_plain=is_plain(sys.stderr),  # where it draws
    )
    app.run()
    for line in farewell(app.visited.values()):
        say(line)
    return app.return_code or 0
