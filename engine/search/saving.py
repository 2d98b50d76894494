"""A model that somebody wants to be saved: which request that is, and what the engine answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.analysis import results
from engine.analysis.selection.choices import CHOICES
from engine.errors import FoldwatchError, UsageError, error_of, shortened
from engine.session import events
from engine.session.requests import Save, new_name
from engine.training.model_path import check_model_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.analysis.selection.choices import Choice, CorrectedBest
    from engine.search.engine_thread import Subscriber
    from engine.session.state import SearchState


def make_request(
    state: SearchState,
    path: str | Path,
    combination: int | None,
    choose: Choice,
    corrected_best: Callable[[], CorrectedBest],
) -> Save:
    """The request that saves a combination, or the one that `choose` chooses if none is named.

    Raises UsageError for what means nothing, NoBestError if no combination is complete.
    """
    if choose not in CHOICES:
        message = f"choose: {shortened(repr(choose))} is not accepted; accepted: {', '.join(CHOICES)}"
        raise UsageError(message)
    if combination is not None and choose != "best":
        message = f"combination {combination} is named, so there is nothing to choose by {choose}"
        raise UsageError(message)
    if combination is None:
        combination = results.best_of(state).index if choose == "best" else corrected_best().chosen(choose)
    elif not 0 <= combination < len(state.combinations):
        message = f"combination {combination} is not accepted; accepted: 0 to {len(state.combinations) - 1}"
        raise UsageError(message)
    elif not state.combinations[combination].is_complete:
        message = f"combination {combination} is {state.combinations[combination].status}, not complete"
        raise UsageError(message)
    target = Path(path).absolute()
    check_model_place(target)
    return Save(path=str(target), combination=combination, request=new_name())


def answer_to(
    request: Save, subscriber: Subscriber, listener: Callable[[events.Event], None]
) -> events.TestScored | events.SaveFailed | None:
    """Wait for the engine's answer; None if it ended without one. `listener` gets every event meanwhile."""
    while (event := subscriber.get()) is not None:
        listener(event)
        if isinstance(event, events.TestScored | events.SaveFailed) and event.request == request.request:
            return event
    return None


def scores_of(answer: events.TestScored | events.SaveFailed | None) -> dict[str, float]:
    """The scores of the saved model on the test set. Raises what saving failed with."""
    if answer is None:
        message = "the search ended before the model was saved"
        raise FoldwatchError(message)
    if isinstance(answer, events.SaveFailed):
        raise error_of(answer.exit_code, answer.error)
    return answer.scores
