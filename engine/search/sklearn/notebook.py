"""The table of a script's search under the cell of a notebook, drawn anew while the search runs."""

from __future__ import annotations

import html
import importlib
import sys
import time
from typing import TYPE_CHECKING, Any

from engine.formatting.safe_text import clean
from engine.formatting.times import in_words
from engine.search.published_state import PublishedState
from engine.session.combination import mean_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.session.events import Event
    from engine.session.session import Session
    from engine.session.state import SearchState

_SECONDS = 1.0  # between two drawings
_MOST_ROWS = 5
_LONGEST_PARAMS = 300  # characters


def is_in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. Nothing is imported to find out."""
    shell = sys.modules.get("IPython")
    return "ipykernel" in sys.modules and shell is not None and hasattr(shell.get_ipython(), "kernel")


class LiveTable:
    """Shows what of a session is on disk, from its segment `segment` on; make it in the thread that runs the cell.

    `warn` hears of a table that cannot be drawn any more: the search goes on without it.
    """

    def __init__(self, session: Session, segment: int, warn: Callable[[str], None]) -> None:
        shown: Any = importlib.import_module("IPython.display")  # there in a notebook, and nowhere else needed
        self._session, self._warn = session, warn
        self._published = PublishedState(session, segment)
        self._drawn_at = time.monotonic()
        self._html: Callable[[str], Any] = shown.HTML
        self._handle: Any = shown.display(shown.HTML(""), display_id=True)

    def put(self, event: Event) -> None:
        """Take a published event into account; the next drawing shows it."""
        self._published.put(event)

    def draw_if_due(self) -> None:
        """Draw, at most once a second."""
        if time.monotonic() - self._drawn_at >= _SECONDS:
            self.draw()

    def draw(self) -> None:
        """Draw what is known now in the place of what was drawn before."""
        self._drawn_at = time.monotonic()
        if self._handle is None:
            return
        try:
            with self._published.held() as state:
                text = table_in_html(state, self._session.id, self._session.command("attach"), time.time())
            self._handle.update(self._html(text))
        except Exception as error:
            self._handle = None
            self._warn(f"the table in the notebook is not drawn any more: {type(error).__name__}: {error}")


def table_in_html(state: SearchState, name: str, attach: str, now: float) -> str:
    """Progress, the best combinations and the command `attach`; all that comes from outside is escaped."""
    failed = f", {state.fits_failed} failed" if state.fits_failed else ""
    done = f"{state.fits_finished} of {state.fits_total} fits{failed}, {in_words(state.elapsed(now))}"
    lines = [
        f"<p><b>{_escaped(name)}</b>: {_escaped(str(state.status))}, {done} ",
        f'<progress max="{max(1, state.fits_total)}" value="{state.fits_finished}"></progress></p>',
    ]
    if state.message:
        lines.append(f"<p>{_escaped(state.message)}</p>")
    rows = state.ranked()[:_MOST_ROWS]
    if rows:
        head = "".join(f"<th>{_escaped(text)}</th>" for text in ("rank", state.scoring[0], "combination", "parameters"))
        lines.append(f"<table><tr>{head}</tr>")
        for rank, combination in rows:
            params = ", ".join(f"{name}={value}" for name, value in combination.params.items())
            cells = (str(rank), mean_in_words(combination, state.scoring[0]), str(combination.index), params)
            lines.append(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in cells)}</tr>")
        lines.append("</table>")
    lines.append(f"<p>in a terminal: <code>{_escaped(attach)}</code></p>")
    return "".join(lines)


def _escaped(text: str) -> str:
    return html.escape(clean(text, longest=_LONGEST_PARAMS))
