"""What screens may ask the app to open; only the app knows them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.session.state import SearchState

if TYPE_CHECKING:
    from pathlib import Path

    from engine.session.events import AnyEvent, CurvePlace
    from engine.session.journal_reader import Damage
    from engine.session.liveness import Liveness
    from engine.session.record import SearchRecord
    from engine.session.requests import Request
    from engine.session.segments import Curve
    from engine.spec.spec import SearchSpec


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
        """The same, checked."""

    def liveness(self) -> Liveness:
        """Whether an engine works on it."""

    def state(self) -> SearchState:
        """What its record says now."""

    def follow(self) -> FollowedEvents:
        """Start to read it from the beginning."""

    def curve(self, place: CurvePlace) -> Curve | None:
        """The epochs of a scored fit."""

    def request(self, request: Request) -> None:
        """Ask something of its engine."""
