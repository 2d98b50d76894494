"""What is known of a search: `SearchState.apply(event)` is the one reducer that every reader uses.

Live view, headless output, replay after a crash and `cv_results_` are this reducer over the same events.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine import events


class FitStatus(enum.StrEnum):
    """Where a fit stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SCORED = "scored"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to it unless somebody asks."""
        return self in (FitStatus.SCORED, FitStatus.DIVERGED, FitStatus.FAILED)


class CombinationStatus(enum.StrEnum):
    """Where a combination stands, all folds together."""

    WAITING = "waiting"
    RUNNING = "running"
    PARTIAL = "partial"  # some folds are done, none is running
    COMPLETE = "complete"
    DIVERGED = "diverged"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to it unless somebody asks."""
        return self in (
            CombinationStatus.COMPLETE,
            CombinationStatus.DIVERGED,
            CombinationStatus.FAILED,
            CombinationStatus.DROPPED,
        )


class SearchStatus(enum.StrEnum):
    """Where a search stands, as its record says; whether its engine still lives is the session's matter."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """The last engine ended its work in order."""
        return self not in (SearchStatus.NEW, SearchStatus.RUNNING, SearchStatus.PAUSED)


def mean_and_deviation(values: list[float]) -> tuple[float, float]:
    """Mean and population standard deviation, to the last bit as `cv_results_` has them; (nan, nan) of nothing."""
    if not values:
        return math.nan, math.nan
    mean = _sum(values) / len(values)
    return mean, math.sqrt(_sum([(value - mean) ** 2 for value in values]) / len(values))


def _sum(values: list[float]) -> float:
    """A sum in NumPy's order (pairwise, blocks of 8 in eight lanes), so that ties are ties where they are in NumPy."""
    count = len(values)
    if count < 8:
        total = -0.0
        for value in values:
            total += value
        return total
    if count > 128:
        half = count // 2 - count // 2 % 8
        return _sum(values[:half]) + _sum(values[half:])
    lanes = values[:8]
    whole = count - count % 8
    for start in range(8, whole, 8):
        lanes = [lane + value for lane, value in zip(lanes, values[start : start + 8], strict=True)]
    total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    for value in values[whole:]:
        total += value
    return total


def ranks(means: list[float]) -> list[int]:
    """Rank 1 for the highest mean, ties sharing the lowest rank, NaN after all others, as scikit-learn ranks."""
    ordered = [-math.inf if math.isnan(mean) else mean for mean in means]
    first: dict[float, int] = {}
    for place, value in enumerate(sorted(ordered, reverse=True), start=1):
        first.setdefault(value, place)
    return [first[value] for value in ordered]


@dataclass(slots=True)
class CombinationState:
    """One combination: parameters and what each fold brought.

    `scores[metric][fold]`, `seconds[fold]` and `fits[fold]`; a missing score is None.
    """

    index: int
    params: dict[str, Any]
    trainer: str
    trainer_reason: str
    same_as: int | None
    fits: list[FitStatus]
    scores: dict[str, list[float | None]]
    seconds: list[float | None]
    curves: list[events.CurvePlace | None]
    taken_from: list[str]
    dropped: str = ""
    evidence: str = ""
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)  # fold -> error, traceback

    @property
    def status(self) -> CombinationStatus:
        """All folds together; a dropped combination is dropped unless it was complete before."""
        fits = self.fits
        if fits.count(FitStatus.SCORED) == len(fits):
            return CombinationStatus.COMPLETE
        if self.dropped:
            return CombinationStatus.DROPPED
        if FitStatus.RUNNING in fits:
            return CombinationStatus.RUNNING
        if FitStatus.WAITING in fits:
            return CombinationStatus.PARTIAL if any(fit.is_finished for fit in fits) else CombinationStatus.WAITING
        return CombinationStatus.FAILED if FitStatus.FAILED in fits else CombinationStatus.DIVERGED

    def mean(self, metric: str) -> tuple[float, float]:
        """Mean and standard deviation over the folds scored so far; (nan, nan) if there are none."""
        return mean_and_deviation([score for score in self.scores[metric] if score is not None])

    @property
    def total_seconds(self) -> float:
        """Training time of its folds so far."""
        return math.fsum(seconds for seconds in self.seconds if seconds is not None)


@dataclass(slots=True)
class TrainingState:
    """A training that is running: what it serves and how far it is."""

    training: int
    worker: int
    fold: int
    fits: list[events.ServedFit]
    epochs: int
    steps_per_epoch: int
    cost: float
    trainer: str
    started: float
    epoch: int = 0
    validation_score: float | None = None


@dataclass(slots=True)
class WorkerState:
    """A worker process; `training` is what it holds."""

    worker: int
    pid: int
    device: str
    training: int | None = None
    alive: bool = True


@dataclass(slots=True)
class RefitState:
    """The latest refit: how far it is, where the model lies, what the test set said."""

    combination: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    path: str = ""
    sha256: str = ""
    test_scores: dict[str, float] = field(default_factory=dict)
    test_rows: int = 0
    error: str = ""


class SearchState:
    """Everything a reader can know of a search, rebuilt by applying its events in order.

    `changed` holds the combinations touched since whoever draws them cleared it.
    """

    def __init__(self) -> None:
        self.status = SearchStatus.NEW
        self.message = ""
        self.started: events.SearchStarted | None = None
        self.combinations: list[CombinationState] = []
        self.trainings: dict[int, TrainingState] = {}
        self.workers: dict[int, WorkerState] = {}
        self.refit: RefitState | None = None
        self.saved: list[RefitState] = []
        self.fits_finished = 0
        self.fits_failed = 0
        self.cost_done = 0.0
        self.paces: list[tuple[float, float]] = []  # expected and real seconds of trainings that ended
        self.last_time = 0.0
        self.seconds_before = 0.0  # worked by engines before the present one
        self.changed: set[int] = set()
        self._paused_at: float | None = None
        self._paused_seconds = 0.0
        self._test_looks: dict[int, int] = {}
        self._unplaced: list[events.Event] = []
        self._best: CombinationState | None = None

    # What readers ask

    @property
    def splits(self) -> int:
        """Number of train/validation splits: folds x repeats."""
        return self.started.splits if self.started else 0

    @property
    def scoring(self) -> list[str]:
        """Names of the metrics; the first one ranks."""
        return self.started.scoring if self.started else []

    @property
    def fits_total(self) -> int:
        """Fits of all combinations that were not dropped, and those that were scored before they were."""
        dropped = sum(
            sum(not fit.is_finished for fit in combination.fits)
            for combination in self.combinations
            if combination.dropped
        )
        return len(self.combinations) * self.splits - dropped

    def elapsed(self, now: float | None = None) -> float:
        """Seconds that engines worked on the search, pauses left out; `now` while one is at work, else the record."""
        if self.started is None:
            return 0.0
        end = self.last_time if now is None or self.status.is_finished else max(now, self.last_time)
        paused = self._paused_seconds + (end - self._paused_at if self._paused_at is not None else 0.0)
        return max(0.0, self.seconds_before + end - self.started.time - paused)

    def ranked(self) -> list[tuple[int, CombinationState]]:
        """(rank, combination) of all that are complete, best first; ties in order of their index."""
        if not self.scoring:
            return []
        complete = [c for c in self.combinations if c.status is CombinationStatus.COMPLETE]
        placed = zip(ranks([c.mean(self.scoring[0])[0] for c in complete]), complete, strict=True)
        return sorted(placed, key=lambda pair: (pair[0], pair[1].index))

    @property
    def best(self) -> CombinationState | None:
        """The complete combination with the highest mean of the first metric; the first of several."""
        return self._best

    def test_looks(self, combination: int) -> int:
        """How often the test set was looked at for this combination."""
        return self._test_looks.get(combination, 0)

    # The reducer

    def apply(self, event: events.Event) -> None:
        """Take one event into account; events come in the order of the record.

        What is said of combinations that a damaged record no longer announces waits until they are announced again.
        """
        try:
            _RULES[type(event)](self, event)
        except IndexError:
            if isinstance(event, _LASTING):
                self._unplaced.append(event)
        # Clocks jump; what has been seen is never un-seen.
        self.last_time = max(self.last_time, event.time)

    def _on_search_started(self, event: events.SearchStarted) -> None:
        if self.started is not None:
            self.seconds_before = self.elapsed()
        self.started = event
        self.status, self.message = SearchStatus.RUNNING, ""
        self._paused_at, self._paused_seconds = None, 0.0
        self.last_time = event.time
        self.workers.clear()
        for training in list(self.trainings.values()):
            self._release(training.training)
        self.cost_done = 0.0
        self.paces.clear()
        self._place()

    def _place(self) -> None:
        unplaced, self._unplaced = self._unplaced, []
        for event in unplaced:
            self.apply(event)

    def _on_combinations_added(self, event: events.CombinationsAdded) -> None:
        if self.started is None:
            self._unplaced.append(event)
            return
        metrics, splits = self.scoring, self.splits
        for planned in event.combinations:
            self.combinations.append(
                CombinationState(
                    index=planned.index,
                    params=planned.params,
                    trainer=planned.trainer,
                    trainer_reason=planned.trainer_reason,
                    same_as=planned.same_as,
                    fits=[FitStatus.WAITING] * splits,
                    scores={metric: [None] * splits for metric in metrics},
                    seconds=[None] * splits,
                    curves=[None] * splits,
                    taken_from=[""] * splits,
                )
            )
            self.changed.add(planned.index)
        self._place()

    def _on_combination_dropped(self, event: events.CombinationDropped) -> None:
        combination = self.combinations[event.combination]
        combination.dropped, combination.evidence = event.reason, event.evidence
        self.changed.add(event.combination)
        # Its worker leaves the training without a further word, unless others are served by it too.
        for training in list(self.trainings.values()):
            if any(fit.combination == event.combination for fit in training.fits):
                if combination.fits[training.fold] is FitStatus.RUNNING:
                    self._set_fit(event.combination, training.fold, FitStatus.WAITING)
                self._end_training_if_served(training.training, event.time)

    def _on_combination_restored(self, event: events.CombinationRestored) -> None:
        combination = self.combinations[event.combination]
        combination.dropped = combination.evidence = ""
        for fold, fit in enumerate(combination.fits):
            if fit is FitStatus.FAILED:
                combination.fits[fold] = FitStatus.WAITING
                self.fits_finished -= 1
                self.fits_failed -= 1
        combination.errors.clear()
        self.changed.add(event.combination)

    def _on_worker_started(self, event: events.WorkerStarted) -> None:
        self.workers[event.worker] = WorkerState(event.worker, event.pid, event.device)

    def _on_worker_ended(self, event: events.WorkerDied | events.WorkerRecycled) -> None:
        worker = self.workers.get(event.worker)
        if worker is not None:
            worker.alive = False
            if worker.training is not None:
                self._release(worker.training)

    def _on_training_started(self, event: events.TrainingStarted) -> None:
        for fit in event.fits:
            self._set_fit(fit.combination, event.fold, FitStatus.RUNNING)
        self.trainings[event.training] = TrainingState(
            event.training,
            event.worker,
            event.fold,
            event.fits,
            event.epochs,
            event.steps_per_epoch,
            event.cost,
            event.trainer,
            event.time,
        )
        if event.worker in self.workers:
            self.workers[event.worker].training = event.training

    def _on_epoch_ended(self, event: events.EpochEnded) -> None:
        training = self.trainings.get(event.training)
        if training is None or event.epoch <= training.epoch:
            return
        self.cost_done += training.cost * (event.epoch - training.epoch) / training.epochs
        training.epoch = event.epoch
        training.validation_score = event.validation_score
        self.changed.update(fit.combination for fit in training.fits)

    def _on_fit_scored(self, event: events.FitScored) -> None:
        combination = self.combinations[event.combination]
        if combination.fits[event.fold] is FitStatus.SCORED:
            self._end_training_if_served(event.training, event.time)
            return  # the first score counts, whoever sends another
        for metric in combination.scores:
            combination.scores[metric][event.fold] = event.scores.get(metric)
        combination.seconds[event.fold] = event.seconds
        combination.curves[event.fold] = event.curve
        combination.taken_from[event.fold] = event.taken_from
        self._set_fit(event.combination, event.fold, FitStatus.DIVERGED if event.diverged else FitStatus.SCORED)
        self._end_training_if_served(event.training, event.time)
        if combination.status is CombinationStatus.COMPLETE:
            self._compare_with_best(combination)

    def _on_fit_failed(self, event: events.FitFailed) -> None:
        self.combinations[event.combination].errors[event.fold] = event.error, event.traceback
        self._set_fit(event.combination, event.fold, FitStatus.FAILED)
        self._end_training_if_served(event.training, event.time)

    def _on_fit_retried(self, event: events.FitRetried) -> None:
        self._set_fit(event.combination, event.fold, FitStatus.WAITING)
        self._end_training_if_served(event.training, event.time)

    def _on_search_paused(self, event: events.SearchPaused) -> None:
        self.status = SearchStatus.PAUSED
        self._paused_at = event.time

    def _on_search_resumed(self, event: events.SearchResumed) -> None:
        self.status = SearchStatus.RUNNING
        if self._paused_at is not None:
            paused = max(0.0, event.time - self._paused_at)
            self._paused_seconds += paused
            self._paused_at = None
            for training in self.trainings.values():
                training.started += paused

    def _on_refit_epoch_ended(self, event: events.RefitEpochEnded) -> None:
        if self.refit is None or self.refit.combination != event.combination or self.refit.path:
            self.refit = RefitState(event.combination)
        self.refit.epoch, self.refit.epochs, self.refit.loss = event.epoch, event.epochs, event.loss

    def _on_model_saved(self, event: events.ModelSaved) -> None:
        if self.refit is None or self.refit.combination != event.combination:
            self.refit = RefitState(event.combination)
        self.refit.path, self.refit.sha256 = event.path, event.sha256
        self.saved.append(self.refit)

    def _on_test_scored(self, event: events.TestScored) -> None:
        self._test_looks[event.combination] = self.test_looks(event.combination) + 1
        if self.refit is not None and self.refit.combination == event.combination:
            self.refit.test_scores, self.refit.test_rows = event.scores, event.rows

    def _on_save_failed(self, event: events.SaveFailed) -> None:
        self.refit = RefitState(event.combination, error=event.error)

    def _on_search_finished(self, event: events.SearchFinished) -> None:
        self.status, self.message = SearchStatus(event.outcome), event.message
        for training in list(self.trainings.values()):
            self._release(training.training)
        for worker in self.workers.values():
            worker.alive, worker.training = False, None

    def _set_fit(self, index: int, fold: int, status: FitStatus) -> None:
        combination = self.combinations[index]
        before = combination.fits[fold]
        if before is FitStatus.SCORED:
            return  # a score that counts is never taken back
        combination.fits[fold] = status
        self.fits_finished += status.is_finished - before.is_finished
        self.fits_failed += (status is FitStatus.FAILED) - (before is FitStatus.FAILED)
        self.changed.add(index)

    def _compare_with_best(self, combination: CombinationState) -> None:
        """A complete combination never changes again, so the best need not be looked for among all."""
        metric = self.scoring[0]
        mean = combination.mean(metric)[0]
        best = self._best
        best_mean = best.mean(metric)[0] if best else -math.inf
        if best is None or mean > best_mean or (mean == best_mean and combination.index < best.index):
            self._best = combination

    def _end_training_if_served(self, number: int, time: float) -> None:
        training = self.trainings.get(number)
        if training is None:
            return
        fits = (self.combinations[fit.combination].fits[training.fold] for fit in training.fits)
        if all(fit is not FitStatus.RUNNING for fit in fits):
            self.cost_done += training.cost * (training.epochs - training.epoch) / training.epochs
            self.paces.append((training.cost, max(0.0, time - training.started)))
            self._release(number)

    def _release(self, number: int) -> None:
        """The training runs no more; fits it still owed wait again, and the work on them is to be done again."""
        training = self.trainings.pop(number)
        owed = [f for f in training.fits if self.combinations[f.combination].fits[training.fold] is FitStatus.RUNNING]
        for fit in owed:
            self._set_fit(fit.combination, training.fold, FitStatus.WAITING)
        if owed:
            self.cost_done -= training.cost * training.epoch / training.epochs
        worker = self.workers.get(training.worker)
        if worker is not None and worker.training == number:
            worker.training = None


# What still holds when it is placed late; a training that was said to begin does not.
_LASTING = events.CombinationDropped | events.CombinationRestored | events.FitScored | events.FitFailed

_RULES: dict[type[events.Event], Callable[[SearchState, Any], None]] = {
    events.SearchStarted: SearchState._on_search_started,
    events.CombinationsAdded: SearchState._on_combinations_added,
    events.CombinationDropped: SearchState._on_combination_dropped,
    events.CombinationRestored: SearchState._on_combination_restored,
    events.WorkerStarted: SearchState._on_worker_started,
    events.TrainingStarted: SearchState._on_training_started,
    events.EpochEnded: SearchState._on_epoch_ended,
    events.FitScored: SearchState._on_fit_scored,
    events.FitFailed: SearchState._on_fit_failed,
    events.FitRetried: SearchState._on_fit_retried,
    events.SearchPaused: SearchState._on_search_paused,
    events.SearchResumed: SearchState._on_search_resumed,
    events.RefitEpochEnded: SearchState._on_refit_epoch_ended,
    events.ModelSaved: SearchState._on_model_saved,
    events.TestScored: SearchState._on_test_scored,
    events.SaveFailed: SearchState._on_save_failed,
    events.SearchFinished: SearchState._on_search_finished,
    events.WorkerDied: SearchState._on_worker_ended,
    events.WorkerRecycled: SearchState._on_worker_ended,
}
