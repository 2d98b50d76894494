"""The form that holds what a search's zoom proposes, with what was done to each hyperparameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from tui.processes.background import in_background
from tui.spec_text.form import Form, form_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message_pump import MessagePump

    from engine.analysis.zoom import Zoom
    from tui.navigation import WatchedSession


def propose_zoom(
    asking: MessagePump, session: WatchedSession, proposed: Callable[[Form, str], None], failed: Callable[[str], None]
) -> None:
    """Work the proposal out in a thread; the outcome is called in the thread of `asking`.

    `proposed` gets the form and what was changed in the search before, in words; `failed` gets why there is none.
    """

    def work() -> None:
        from engine.analysis.zoom import zoom

        try:
            record = session.record
            made = zoom(session.spec, session.state())
        except FoldwatchError as error:
            asking.call_later(failed, f"{session.id}: {error}")
            return
        form = form_of(made.spec.to_values(), workers=record.workers, devices=record.devices)
        asking.call_later(proposed, form, _in_words(made))

    in_background(work, "zooming", lambda why: asking.call_later(failed, why))


def _in_words(made: Zoom) -> str:
    count, scored = len(made.plan.combinations), len(made.scored)
    return "\n".join(
        [
            *made.lines,
            "",
            f"{count} combinations, {scored} of them scored already: an equal machine reuses those scores",
            "",
            "The form behind this text holds the proposal: change what you like, F5 starts it.",
        ]
    )
