"""Narrates a search that runs in this process, until it ends or is interrupted."""

from __future__ import annotations

import signal
import time
from typing import Any

from engine.cli.console import Console
from engine.cli.printing import complain, print_data, print_text, terminal_width
from engine.errors import OutputError

_PATIENCE_SECONDS = 5.0  # for an interrupted search to end


class _Interruption:
    """What ctrl-C and SIGTERM do: end the search so that it can be resumed; 130 or 143 is the exit code then.

    They often come twice, from a nervous finger or to a whole group of processes: what comes while the search ends
    is passed over, until that takes long.
    """

    def __init__(self) -> None:
        self.code = 0
        self._patient_until = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle_signal)

    def _handle_signal(self, number: int, frame: object) -> None:
        if time.monotonic() >= self._patient_until:
            self.code = 128 + number
            self._patient_until = time.monotonic() + _PATIENCE_SECONDS
            raise KeyboardInterrupt


def watch_search(search: Any, console: Console, *, as_json: bool, notify: str | None) -> int:
    """Run a search to its end and narrate it; returns the exit code."""
    import queue

    from engine.analysis.forecast.stall import StallWatch
    from engine.cli.tables import results_table
    from engine.session import events
    from engine.system.notify import Notifier

    interruption = _Interruption()
    # A terminal that closes must not end a search: it goes on, unseen, and can be attached to.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    subscriber = search.subscribe()
    code = 0
    # Before the start: whatever happens after it comes as an event, and must not be counted twice.
    seen = search.state
    stall, is_stalled = StallWatch(), False
    notifier = Notifier(notify, "--notify")
    try:
        search.start()
        while True:
            try:
                event = subscriber.get(timeout=0.25)
            except queue.Empty:
                console.draw(seen)
                quiet = bool(stall.quiet_seconds(seen, time.monotonic()))
                if quiet and not is_stalled:
                    console.say("no progress for longer than trainings take")
                    if search.session:
                        notifier.notify(search.session.id, "stalled")
                is_stalled = quiet
                continue
            if event is None:
                break
            stall.hear(time.monotonic())
            is_stalled = False
            seen.apply(event)
            if as_json:
                print_data(events.to_json(event) + b"\n")
            console.tell(event, seen)
            console.draw(seen)
    except (KeyboardInterrupt, BrokenPipeError) as stop:
        code = 141 if isinstance(stop, BrokenPipeError) else interruption.code
        search.interrupt()
    except OutputError as error:
        code = error.exit_code
        search.interrupt()
        complain(str(error))
    console.finish()
    outcome = search.wait()
    state = search.state
    identifier = search.session.id if search.session else ""
    if code:
        go_on = f"go on with: {search.session.command('resume')}" if search.session else "nothing has been recorded yet"
        console.say(f"interrupted; {go_on}")
        return code
    if not as_json and state.combinations:
        print_text(results_table(state, terminal_width(), most=None if len(state.combinations) <= 50 else 20))
        assert search.session is not None
        save = f"save the best with: {search.session.command('save', '--to', 'best.keras')}"
        console.say(f"recorded as {identifier}; {save if state.best else 'no combination is complete on every fold'}")
    notifier.notify(identifier, str(outcome))
    notifier.close()
    if outcome == "failed":
        return 1
    return 3 if state.fits_failed or (state.best is None and outcome == "completed") else 0
