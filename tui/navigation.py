"""What screens may ask of the app, which alone knows them all: to open one another, and how it was started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.dom import DOMNode

    from engine.session.events import AnyEvent, CurvePlace
    from engine.session.journal_reader import Damage
    from engine.session.liveness import Liveness
    from engine.session.record import SearchRecord
    from engine.session.requests import Request
    from engine.session.segments import Curve
    from engine.session.state import SearchState
    from engine.spec.spec import SearchSpec
    from tui.plots.data import FoldCurve, RateLine
    from tui.results.brushes import Brushes
    from tui.results.table import ResultsTable
    from tui.spec_text.form import Form
    from tui.terminal.farewell import Whereabouts


class FollowedEvents(Protocol):
    """What `engine.session.follower.Follower` offers."""

    @property
    def generation(self) -> int:
        """Rises when earlier events no longer count."""

    @property
    def damages(self) -> list[Damage]:
        """Places of the record that could not be read so far."""

    def poll(self) -> list[AnyEvent]:
        """Every event since the last poll."""


class WatchedSession(Protocol):
    """What a live view needs of `engine.session.session.Session`."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def record(self) -> SearchRecord:
        """What was asked for."""

    @property
    def spec(self) -> SearchSpec:
        """What was asked for, checked."""

    def liveness(self) -> Liveness:
        """Whether an engine works on it."""

    def state(self) -> SearchState:
        """Its state by its record now."""

    def follow(self) -> FollowedEvents:
        """Start to read it from the beginning."""

    def curve(self, place: CurvePlace) -> Curve | None:
        """The epochs of a scored fit."""

    def request(self, request: Request) -> None:
        """Send a request to its engine."""


class WatchedSearch(Protocol):
    """What the trends need of the live view's model, which goes on below them."""

    @property
    def session(self) -> WatchedSession:
        """Whose search it is."""

    @property
    def state(self) -> SearchState:
        """As its events have it by now."""

    def curves(self, combination: int) -> list[FoldCurve]:
        """The curves of one combination, as far as they are known."""

    def rate_line(self, combination: int) -> RateLine | None:
        """The learning rates of one combination, if they are known."""


class Navigation(Protocol):
    """The app as screens see it."""

    @property
    def sessions(self) -> Path:
        """The folder of sessions."""

    @property
    def explicit_sessions(self) -> Path | None:
        """The folder of sessions if it was named on the command line; commands that are shown name it too."""

    @property
    def data_folder(self) -> Path | None:
        """Where data sets lie, if that was named on the command line."""

    @property
    def read_only(self) -> bool:
        """Whether whatever changes something is refused."""

    @property
    def low_bandwidth(self) -> bool:
        """Whether to draw every few seconds only."""

    @property
    def visited(self) -> dict[Path, Whereabouts]:
        """What was watched or listed, by its folder, as it was seen last; screens write it."""

    def entitle(self, text: str) -> None:
        """Name the terminal's window; nothing for the app alone."""

    def open_live(self, session: WatchedSession | str) -> None:
        """Watch a session, by name or as an object. Raises FoldwatchError if it cannot be opened."""

    def switch_to_live(self, name: str) -> None:
        """Watch a session in place of the screen on top. Raises FoldwatchError if it cannot be opened."""

    def open_starting(self, arguments: list[str], name: str) -> None:
        """Run an engine command that makes the session `name`, and watch that once it is there."""

    def start_demo(self) -> None:
        """Run the built-in sample search and watch it."""

    def open_new_search(self, form: Form | None, left: Callable[[Form | None], None]) -> None:
        """The form of a new search. `left` gets what it held when it was left without starting, else None."""

    def open_zoom(
        self, session: WatchedSession, failed: Callable[[str], None], left: Callable[[Form | None], None]
    ) -> None:
        """Work out in a thread what a zoom into a session proposes, and open it as a new search.

        `failed` gets the reason if there is none; `left` as in `open_new_search`.
        """

    def open_trends(
        self, search: WatchedSearch, table: ResultsTable, brushes: Brushes, select: Callable[[str], None]
    ) -> None:
        """The trends of the whole grid; `select` puts a filter on `table`, which is the live view's own."""


def navigation_of(node: DOMNode) -> Navigation:
    """The app that a screen or widget belongs to."""
    return cast("Navigation", node.app)
