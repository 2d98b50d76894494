"""Events in plain words, for logs and plain output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import events
from engine.remaining import in_words

if TYPE_CHECKING:
    from engine.state import SearchState


def in_short(params: dict[str, Any]) -> str:
    """Parameters as `name=value` pairs, in order of their names."""
    return ", ".join(f"{name}={show_value(value)}" for name, value in sorted(params.items()))


def show_value(value: object) -> str:
    """A parameter's value as a spec would have it, floats to six digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show_value(item) for item in value) + "]"
    return str(value)


def describe(event: events.Event, state: SearchState) -> str | None:
    """What happened, in a line; None for what is not worth one. `state` has already applied the event."""
    match event:
        case events.SearchStarted():
            what = "search started" if event.segment == 1 else "search goes on"
            synthetic = " (synthetic)" if event.synthetic else ""
            return (
                f"{what}: {event.dataset}{synthetic}, {event.rows} rows, {event.classes} classes, "
                f"{event.splits} splits, {event.workers} workers, {event.trainings} trainings to run"
            )
        case events.CombinationDropped():
            evidence = f" ({event.evidence})" if event.evidence else ""
            return f"combination {event.combination} dropped: {event.reason}{evidence}"
        case events.CombinationRestored():
            return f"combination {event.combination} is to be finished"
        case events.WorkerDied():
            how = f"killed by {event.signal}" if event.signal else f"exit code {event.exit_code}"
            return f"worker {event.worker} died: {event.reason or how}"
        case events.WorkerRecycled():
            return f"worker {event.worker} replaced: {event.reason}"
        case events.FitFailed():
            return f"combination {event.combination} fold {event.fold} failed: {event.error}"
        case events.FitRetried():
            return f"combination {event.combination} fold {event.fold} runs again: {event.reason}"
        case events.FitScored() if event.diverged:
            return f"combination {event.combination} fold {event.fold} diverged"
        case events.FitScored():
            return _scored(event, state)
        case events.SearchPaused():
            return "paused"
        case events.SearchResumed():
            return "resumed"
        case events.ModelSaved():
            return f"combination {event.combination} saved to {event.path}"
        case events.TestScored():
            scores = ", ".join(f"{name} {score:.4f}" for name, score in event.scores.items())
            return f"test set, {event.rows} rows: {scores}"
        case events.SaveFailed():
            return f"combination {event.combination} could not be saved: {event.error}"
        case events.SearchFinished():
            message = f": {event.message}" if event.message else ""
            return f"search {event.outcome} after {in_words(state.elapsed())}{message}"
    return None


def _scored(event: events.FitScored, state: SearchState) -> str | None:
    """A line when a combination is complete, so that a log has one for each, not one for each fold."""
    combination = state.combinations[event.combination]
    if not all(fit.is_finished for fit in combination.fits):
        return None
    taken = f", taken over from {event.taken_from}" if event.taken_from else ""
    mean, deviation = combination.mean(state.scoring[0])
    lead = "best so far: " if state.best is combination else ""
    return (
        f"{lead}combination {event.combination} {state.scoring[0]} {mean:.4f} ± {deviation:.4f} "
        f"({in_short(combination.params)}){taken}"
    )
