"""Events in plain words, for logs and for output without the terminal app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.formatting.times import in_words, moment_in_words
from engine.session import events
from engine.spec.spelling import in_short

if TYPE_CHECKING:
    from engine.session.activity import RefitState
    from engine.session.state import SearchState


def times(count: int) -> str:
    """`once`, or `3 times`."""
    return "once" if count == 1 else f"{count} times"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 worker`, `3 workers`; `many` where that is more than an s behind `one`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def saved_in_words(refit: RefitState) -> str:
    """A saved model in words: its combination, its path, and its scores on the test set."""
    scores = ", ".join(f"{name} {score:.4f}" for name, score in refit.test_scores.items())
    return f"#{refit.combination} at {refit.path}{f', test set: {scores}' if scores else ''}"


def describe(event: events.Event, state: SearchState) -> str | None:
    """What happened, in a line; None for an event that deserves none. `state` has already applied the event."""
    match event:
        case events.SearchStarted() if event.only_save:
            return None
        case events.SearchStarted():
            what = "search started" if event.segment == 1 else "search goes on"
            if state.lost_at is not None:
                last = moment_in_words(state.lost_at)
                what += f" (the previous engine did not record its end; its last event was at {last})"
            synthetic = " (synthetic)" if event.synthetic else ""
            classes = "" if event.script else f"{counted(event.classes, 'class', 'classes')}, "
            work = counted(event.trainings, "fit" if event.script else "training") if event.trainings else "nothing"
            passed_over = f", {in_sessions(event.passed_over)} of others passed over" if event.passed_over else ""
            return (
                f"{what}: {event.dataset}{synthetic}, {event.rows} rows, {classes}"
                f"{counted(event.splits, 'split')}, {counted(event.workers, 'worker')}, {work} to run{passed_over}"
                f"{''.join(f'; scored by an older rule: {which}' for which in event.older)}"
                f"{f', each for up to {event.time_limit:g} s' if event.time_limit else ''}"
            )
        case events.CombinationDropped():
            evidence = f" ({event.evidence})" if event.evidence else ""
            return f"combination {event.combination} dropped: {event.reason}{evidence}"
        case events.RoundDecided():
            return f"{event.strategy}: {event.words}"
        case events.Steered():
            return event.words
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
        case events.SearchStopping():
            return _stopping(event, len(state.trainings))
        case events.TrainingStarted():
            return _goes_on(event, state)
        case events.SearchPaused():
            return "paused"
        case events.SearchResumed():
            return "resumed"
        case events.DeadlineSet():
            return "no deadline any more" if event.at is None else f"deadline at {moment_in_words(event.at)}"
        case events.DelayForeseen():
            return delay_in_words(event)
        case events.RefitStarted() if not event.path:
            return f"the script refits combination {event.combination} on all training rows"
        case events.RefitStarted():
            return f"combination {event.combination} is refitted on all training rows, {event.epochs} epochs"
        case events.ModelSaved():
            return f"combination {event.combination} saved to {event.path}"
        case events.TestScored():
            scores = ", ".join(f"{name} {score:.4f}" for name, score in event.scores.items())
            return f"test set, {event.rows} rows: {scores}"
        case events.SaveFailed():
            return f"combination {event.combination} could not be saved: {event.error}"
        case events.SearchFinished() if state.started is not None and state.started.only_save:
            return event.message or None
        case events.SearchFinished():
            message = f": {event.message}" if event.message else ""
            return f"search {event.outcome} after {in_words(state.elapsed())}{message}"
    return None


def in_sessions(count: int) -> str:
    """1 session, 2 sessions."""
    return counted(count, "session")


def delay_in_words(delay: events.DelayForeseen) -> str:
    """How long the search will take, how much time is left, and what would save how much of it."""
    will = "will" if delay.is_certain else "may"
    left = in_words(max(0.0, delay.left))
    text = f"it {will} take {in_words(delay.least)} to {in_words(delay.most)}, {left} is left until the deadline"
    return f"{text}: {'; or '.join(delay.proposals)}" if delay.proposals else text


def _stopping(event: events.SearchStopping, running: int) -> str:
    what = counted(running, "training")
    how = f"{what} left, with checkpoints" if event.at_once else f"{what} finished first"
    return f"stopping: {how}" if running else "stopping"


def _goes_on(event: events.TrainingStarted, state: SearchState) -> str | None:
    """A line where a training was interrupted before; none where it goes on from a rung, as its strategy decided."""
    rungs = [state.combinations[fit.combination].fits[event.fold].epochs_behind for fit in event.fits]
    if event.start <= max(rungs, default=0) and not event.start_step:
        return None
    step = f" and {event.start_step} of {event.steps_per_epoch} steps" if event.start_step else ""
    return (
        f"combination {event.fits[-1].combination} fold {event.fold} goes on after {event.start} of "
        f"{event.epochs} epochs{step}"
    )


def _scored(event: events.FitScored, state: SearchState) -> str | None:
    """A line when a combination is complete, so that a log has one for each, not one for each fold."""
    combination = state.combinations[event.combination]
    if not combination.is_complete:
        return None
    taken = f", taken over from {event.taken_from}" if event.taken_from else ""
    means = {metric: combination.mean(metric) for metric in state.scoring}
    shown = ", ".join(f"{metric} {mean:.4f} ± {deviation:.4f}" for metric, (mean, deviation) in means.items())
    lead = "best so far: " if state.best is combination else ""
    return f"{lead}combination {event.combination} {shown} ({in_short(combination.params)}){taken}"
