"""The form that holds what a search's zoom proposes, with what was done to each hyperparameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import FoldwatchError
from tui.new_search.form import Form, form_of
from tui.processes.background import in_background

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

    from engine.analysis.zoom import Zoom
    from tui.navigation import WatchedSession


def open_zoom(
    screen: Screen[Any], session: WatchedSession, failed: Callable[[str], None], left: Callable[[Form | None], None]
) -> None:
    """Work the proposal out in a thread, then show it in the new-search form, what was done above it.

    `failed` is told why there is none; `left` gets what the form held when it was left without starting.
    """

    def show(form: Form, text: str) -> None:
        from tui.new_search.screen import NewSearchScreen
        from tui.parts.dialogs import TextScreen

        if screen.is_current:  # somebody may have gone elsewhere meanwhile
            screen.app.push_screen(NewSearchScreen(form), left)
            title = f"zoom into {session.id}: proposed, nothing runs yet"
            screen.app.push_screen(TextScreen(title, text, "escape goes on to the form"))

    def work() -> None:
        from engine.analysis.zoom import zoom

        try:
            record = session.record
            made = zoom(session.spec, session.state())
        except FoldwatchError as error:
            screen.call_later(failed, f"{session.id}: {error}")
            return
        form = form_of(made.spec.to_values(), workers=record.workers, devices=record.devices)
        screen.call_later(show, form, _in_words(made))

    in_background(work, "zooming", lambda why: screen.call_later(failed, why))


def _in_words(made: Zoom) -> str:
    count, scored = len(made.plan.combinations), len(made.scored)
    return "\n".join(
        [
            *made.lines,
            "",
            f"{count} combinations, {scored} of them scored already: taken over on an equal machine",
            "",
            "The form behind this holds it: change what you like, F5 starts it.",
        ]
    )
