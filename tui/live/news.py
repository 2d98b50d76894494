"""Tells the user about the news of a feed: answers, saves, damage, the end, a stall; rings the bell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.session.events import SaveFailed, SearchFinished, TestScored
from tui.parts import numbers

if TYPE_CHECKING:
    from tui.live.follow import Feed
    from tui.live.model import LiveModel
    from tui.parts.control_panel import ControlPanel


class News:
    """Shows news in `panel`; the bell rings once when a search that was watched ends or stalls."""

    def __init__(self, live: LiveModel, panel: ControlPanel) -> None:
        self._live = live
        self._panel = panel
        self._is_stalled = False

    def show(self, feed: Feed, standing_before: str) -> None:
        """After the model has taken the feed; `standing_before`: where the search stood until then."""
        live, panel = self._live, self._panel
        if live.standing != standing_before:
            panel.forget()  # the last request was obeyed, or cannot be any more
        for answer in feed.answers:
            panel.say(answer)
        for problem in feed.problems:
            panel.say(problem, problem=True)
        if feed.damages and (damages := live.state.damages):
            again = "a resume" if live.script is None else "the script, run again,"
            panel.say(f"the record is damaged: {damages[0]}; {again} runs the lost fits again", problem=True)
        self._show_saves(feed)
        has_crashed = live.standing == "crashed" and standing_before not in ("opening", "crashed")
        if has_crashed or any(isinstance(event, SearchFinished) for event in feed.events):
            panel.app.bell()

    def _show_saves(self, feed: Feed) -> None:
        """The outcome of a save, beside its command; the log keeps it."""
        for event in feed.events:
            if isinstance(event, SaveFailed):
                self._panel.say(f"saving #{event.combination} failed: {event.error}", problem=True)
            elif isinstance(event, TestScored) and self._live.state.saved:
                scores = ", ".join(f"{name} {numbers.score(score)}" for name, score in event.scores.items())
                saved = self._live.state.saved[-1]
                self._panel.say(
                    f"{scores} on the test set ({event.rows} rows) · saved #{saved.combination} to {saved.path}"
                )

    def check_stall(self, now: float) -> None:
        """Ring and warn once when nothing progresses for longer than a training takes; `now`: seconds since 1970."""
        quiet = self._live.quiet_seconds(now)
        if quiet and not self._is_stalled:
            self._panel.app.bell()
            self._panel.say(
                f"no progress for {numbers.in_words(quiet)}, longer than a training takes",
                f"foldwatch logs {self._live.session.id}",
                problem=True,
            )
        self._is_stalled = bool(quiet)
