"""The follow thread: batches, generations, requests and errors, with a scripted follower."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from engine.errors import UsageError
from engine.session.events import SearchPaused
from engine.session.requests import Pause
from engine.session.search_status import SearchStatus
from tests.tui_tests.scripted_search import Script, ScriptedSession
from tui.live.follow import BATCH_EVENTS, Changed, Feed, Follow, replay
from tui.processes.engine_command import EngineCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Watcher:
    """Follows a session and gathers feeds until something holds."""

    def __init__(
        self, session: ScriptedSession, *, liveness_seconds: float = 0.01, machine_seconds: float = 0.01
    ) -> None:
        self.changed = threading.Event()
        self.follow = Follow(
            session,
            self.changed.set,
            poll_seconds=0.002,
            liveness_seconds=liveness_seconds,
            machine_seconds=machine_seconds,
        )
        self.feeds: list[Feed] = []
        self.follow.start()

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end
            self.changed.wait(0.05)
            self.changed.clear()
            self.feeds.append(self.follow.drain())


@pytest.fixture
def session() -> ScriptedSession:
    script = Script()
    return ScriptedSession(script.half_way(), script.curves)


@pytest.fixture
def watcher(session: ScriptedSession) -> Iterator[Watcher]:
    watcher = Watcher(session)
    yield watcher
    watcher.follow.stop()
    watcher.follow.join(5)
    assert not watcher.follow.is_alive()


def test_the_past_comes_as_one_state(watcher: Watcher, session: ScriptedSession) -> None:
    watcher.until(lambda: any(feed.state for feed in watcher.feeds))
    state = next(feed.state for feed in watcher.feeds if feed.state)
    expected, history = replay(session.script_events)
    assert state.fits_finished == expected.fits_finished > 0
    assert len(history.log) > 10
    assert not any(feed.events for feed in watcher.feeds)


def test_what_happens_later_comes_as_events_in_order(watcher: Watcher, session: ScriptedSession) -> None:
    watcher.until(lambda: any(feed.state for feed in watcher.feeds))
    new = [SearchPaused(time=float(number)) for number in range(BATCH_EVENTS * 2 + 7)]
    session.script_events.extend(new)
    watcher.until(lambda: sum(len(feed.events) for feed in watcher.feeds) == len(new))
    assert [event for feed in watcher.feeds for event in feed.events] == new
    assert max(len(feed.events) for feed in watcher.feeds) <= BATCH_EVENTS


def test_a_new_generation_brings_a_new_state(watcher: Watcher, session: ScriptedSession) -> None:
    watcher.until(lambda: any(feed.state for feed in watcher.feeds))
    watcher.feeds.clear()
    session.script_events = [*Script().start(), SearchPaused(time=2e9)]
    session.generation += 1
    watcher.until(lambda: any(feed.state for feed in watcher.feeds))
    state = next(feed.state for feed in watcher.feeds if feed.state)
    assert state.status is SearchStatus.PAUSED
    assert state.fits_finished == 0


def test_requests_and_curves_go_through_the_thread(watcher: Watcher, session: ScriptedSession) -> None:
    place = next(iter(session.curves))
    watcher.follow.send([Pause()], "a pause was requested")
    watcher.follow.want_curves([place])
    watcher.until(lambda: any(feed.curves for feed in watcher.feeds) and any(feed.answers for feed in watcher.feeds))
    assert session.requests == [Pause()]
    assert next(feed.curves for feed in watcher.feeds if feed.curves) == {place: session.curves[place]}


@pytest.mark.parametrize("error", [UsageError("no engine works"), OSError("the server is away")])
def test_errors_are_told_once_and_the_thread_goes_on(
    watcher: Watcher, session: ScriptedSession, error: Exception
) -> None:
    session.problem = error
    watcher.until(lambda: any(str(error) in feed.problems for feed in watcher.feeds))
    session.problem = None
    watcher.feeds.clear()
    session.script_events.append(SearchPaused(time=1.0))
    watcher.until(lambda: any(feed.events for feed in watcher.feeds))
    assert not any(feed.problems for feed in watcher.feeds)


def test_a_plan_that_cannot_be_read_is_a_problem_not_an_end(watcher: Watcher) -> None:
    watcher.follow.want_plan(3, {"learning_rate": "Unheard", "optimizer": "adam"}, 10)
    watcher.until(lambda: any(3 in feed.planned for feed in watcher.feeds))
    assert any("combination 3" in problem for feed in watcher.feeds for problem in feed.problems)
    watcher.follow.want_plan(4, {"learning_rate": 0.1, "epochs": 2}, 10)
    watcher.until(lambda: any(feed.planned.get(4) for feed in watcher.feeds))


def test_a_command_that_fails_says_its_last_line(watcher: Watcher) -> None:
    watcher.follow.run_command(EngineCommand(["no-such-command"], "done"))
    watcher.until(lambda: any("no-such-command" in problem for feed in watcher.feeds for problem in feed.problems))


def test_an_engine_that_is_gone_is_seen_however_rarely_the_machine_is_read(session: ScriptedSession) -> None:
    watcher = Watcher(session, machine_seconds=1e9)
    watcher.until(lambda: any(feed.liveness and feed.liveness.alive for feed in watcher.feeds))
    session.alive = False
    watcher.until(lambda: any(feed.liveness and not feed.liveness.alive for feed in watcher.feeds))
    watcher.follow.stop()
    watcher.follow.join(5)


def test_an_engine_that_begins_is_seen_at_once(session: ScriptedSession) -> None:
    session.alive = False
    watcher = Watcher(session, liveness_seconds=1e9)
    watcher.until(lambda: any(feed.liveness for feed in watcher.feeds))
    session.alive = True
    session.script_events.append(Script().start()[0])
    watcher.until(lambda: any(feed.liveness and feed.liveness.alive for feed in watcher.feeds))
    watcher.follow.stop()
    watcher.follow.join(5)


def test_messages_that_mean_changed_replace_each_other() -> None:
    assert Changed().can_replace(Changed())


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.live.follow.QUEUE_EVENTS", 10)
    session = ScriptedSession(Script().start())
    watcher = Watcher(session)
    watcher.until(lambda: any(feed.state for feed in watcher.feeds))
    new = [SearchPaused(time=float(number)) for number in range(55)]
    session.script_events.extend(new)
    watcher.until(lambda: sum(len(feed.events) for feed in watcher.feeds) == 55)
    assert max(len(feed.events) for feed in watcher.feeds) <= 10
    assert [event for feed in watcher.feeds for event in feed.events] == new
    watcher.follow.stop()
    watcher.follow.join(5)
