"""What is known of a search: `SearchState.apply(event)` is the one reducer that every reader uses.

Live view, headless output, replay after a crash and `cv_results_` are this reducer over the same events.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.session import events
from engine.session.combination import (
    DIVERGED,
    FAILED,
    RUNNING,
    SCORED,
    CombinationState,
    CombinationStatus,
    FitStatus,
)
from engine.session.journal_reader import Damage
from engine.session.ranking import ranks
from engine.session.record_limits import MOST_COMBINATIONS, MOST_FITS, MOST_LOST
from engine.spec.revisions import REVISION

MOST_ENDED = 400  # trainings: of what ended before them, less counts for the pace than a double can tell


class SearchStatus(enum.StrEnum):
    """Where a search stands, as its record says; whether its engine still lives is the session's matter."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """The last engine ended its work in order."""
        return self not in (SearchStatus.NEW, SearchStatus.RUNNING, SearchStatus.PAUSED, SearchStatus.STOPPING)

    @property
    def is_working(self) -> bool:
        """Trainings run."""
        return self in (SearchStatus.RUNNING, SearchStatus.STOPPING)


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
    first_epoch: int = 0  # it goes on after that many
    epoch: int = 0
    epoch_ended: float = 0.0
    validation_score: float | None = None


@dataclass(slots=True)
class WorkerState:
    """A worker process; `training` is what it holds, `has_trained` whether it ever held one."""

    worker: int
    pid: int
    device: str
    training: int | None = None
    has_trained: bool = False
    alive: bool = True


@dataclass(slots=True)
class RefitState:
    """The latest refit: how far it is, where the model is to lie and lies, what the test set said."""

    combination: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    target: str = ""
    path: str = ""
    sha256: str = ""
    test_scores: dict[str, float] = field(default_factory=dict)
    test_rows: int = 0
    error: str = ""
    is_of_script: bool = False  # the script that runs the search does it itself, and saves nothing

    @property
    def is_unfinished(self) -> bool:
        """It was neither saved nor said to have failed."""
        return (bool(self.target) or self.is_of_script) and not self.path and not self.error

    @property
    def in_words(self) -> str:
        """How far one is that is not finished."""
        if self.is_of_script:
            epoch = f": epoch {self.epoch}/{self.epochs}" if self.epoch else ""
            return f"the script is refitting #{self.combination} on all training rows{epoch}"
        if self.epoch and self.epoch == self.epochs:
            return f"saving #{self.combination} with Keras, then scoring it on the test set"
        return f"refitting #{self.combination} on all training rows: epoch {self.epoch}/{self.epochs}"


LOST = "its announcement was lost with a damaged line of the record"
_MOST_MISFITS = 100


class SearchState:
    """Everything a reader can know of a search, rebuilt by applying its events in order.

    `changed` holds the combinations touched since whoever draws them cleared it. How much work is left follows from
    the state by `engine.plan.workload.workload_of`.
    """

    def __init__(self) -> None:
        self.status = SearchStatus.NEW
        self.message = ""
        self.started: events.SearchStarted | None = None
        self.changed_versions: list[str] = []  # what some of its fits were scored with, unlike the first
        self.combinations: list[CombinationState] = []
        self.begun_with = 0  # combinations of the first announcement; a strategy, or somebody, added the others
        self.combinations_to_come = 0  # that the strategy means to add
        self.rounds: list[events.RoundDecided] = []
        self.steps: list[events.Steered] = []  # that were not taken back
        self.trainings: dict[int, TrainingState] = {}
        self.workers: dict[int, WorkerState] = {}
        self.refit: RefitState | None = None
        self.refits: dict[tuple[int, str], RefitState] = {}  # that have no end yet, by combination and request
        self.saved: list[RefitState] = []
        self.fits_finished = 0
        self.fits_failed = 0
        self.longest_training = 0.0  # seconds, of those that this engine ended; 0.0 before one did
        # For whoever plans what is left: combinations that something happened to, and trainings of this engine that
        # went to their end, as (combination of the longest fit, epochs, seconds); taken away as they are read.
        self.touched: set[int] = set()
        self.ended: deque[tuple[int, int, float]] = deque(maxlen=MOST_ENDED)
        self.engines = 0  # that began to work on the search
        self.deadline: float | None = None  # seconds since 1970
        self.delay: events.DelayForeseen | None = None  # foreseen last, by that deadline
        self.last_time = 0.0
        self.seconds_before = 0.0  # worked by engines before the present one
        self.lost_at: float | None = None  # last heard of the engine before, if it ended without saying so
        self.changed: set[int] = set()
        self._paused_at: float | None = None
        self._paused_seconds = 0.0
        self._test_looks: dict[int, int] = {}
        self._unplaced: list[events.Event] = []  # what speaks of combinations that are not announced yet
        self._lost: set[int] = set()  # combinations whose announcement is lost; others stand behind them
        self._misfits: list[str] = []  # what can not be of this search, since an engine last went to work on it
        self._damages: list[Damage] = []
        self._worked_on_in = 0  # the segment of the last engine that ran what was missing
        self._best: CombinationState | None = None
        self._best_key = (0, -math.inf, 0)

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
        """Fits of all combinations, also of those to come; of dropped ones those that were scored before."""
        dropped = sum(
            sum(not fit.is_finished for fit in combination.fits)
            for combination in self.combinations
            if combination.dropped
        )
        return (len(self.combinations) + self.combinations_to_come) * self.splits - dropped

    @property
    def damages(self) -> list[str]:
        """What of the record is lost and not run again yet, in words: the next engine that goes on does that."""
        damages = [str(one) for one in self._damages if one.segment >= self._worked_on_in]
        return [*damages, *self._misfits]

    @property
    def is_complete(self) -> bool:
        """Its engine completed it, and nothing of that is missing or lost: nothing is left to run."""
        is_finished = self.status is SearchStatus.COMPLETED and self.fits_finished >= self.fits_total
        return is_finished and not self.damages

    def note_damages(self, damages: Sequence[Damage]) -> None:
        """Whoever reads the record says, each time in full, what of it could not be read."""
        self._damages = list(damages)

    def elapsed(self, now: float | None = None) -> float:
        """Seconds that engines worked on the search, pauses left out; `now` while one is at work, else the record."""
        if self.started is None:
            return 0.0
        if self.started.only_save:
            return self.seconds_before
        end = self.last_time if now is None or self.status.is_finished else max(now, self.last_time)
        paused = self._paused_seconds + (end - self._paused_at if self._paused_at is not None else 0.0)
        return max(0.0, self.seconds_before + end - self.started.time - paused)

    def working_time(self, now: float) -> float:
        """The time by which running trainings are judged: `now`, or when the search paused."""
        return max(now, self.last_time) if self._paused_at is None else self._paused_at

    def ranked(self) -> list[tuple[int, CombinationState]]:
        """(rank, combination) of all that are complete, best first; ties in order of their index."""
        if not self.scoring:
            return []
        complete = [c for c in self.combinations if c.status is CombinationStatus.COMPLETE]
        means, stages = [c.mean(self.scoring[0])[0] for c in complete], [c.stage for c in complete]
        placed = zip(ranks(means, stages), complete, strict=True)
        return sorted(placed, key=lambda pair: (pair[0], pair[1].index))

    @property
    def first(self) -> list[int]:
        """Combinations that somebody put before all others, the foremost first."""
        return self.steps[-1].first if self.steps else []

    @property
    def best(self) -> CombinationState | None:
        """The complete combination of the latest stage with the highest mean of the first metric; first of several."""
        return self._best

    @property
    def best_score(self) -> float | None:
        """Its mean of the first metric; None where there is no best, or a fold does not define its score."""
        mean = self._best.mean(self.scoring[0])[0] if self._best is not None else math.nan
        return None if math.isnan(mean) else mean

    def test_looks(self, combination: int) -> int:
        """How often the test set was looked at for this combination."""
        return self._test_looks.get(combination, 0)

    @property
    def all_test_looks(self) -> int:
        """How often the test set was looked at, for whichever combination."""
        return sum(self._test_looks.values())

    # The reducer

    def apply(self, event: events.Event) -> bool:
        """Take one event into account, in the order of the record; whether it counts now.

        What is said of combinations that a damaged record no longer announces waits until they are announced again.
        What cannot be of this search is left out, and named among the `damages`.
        """
        check = _CHECKS.get(type(event))
        found = check(self, event) if check is not None else ""
        if not found:
            _RULES[type(event)](self, event)
        elif found is _WAITS:
            if isinstance(event, _LASTING):
                self._unplaced.append(event)
        elif found is not _PASSED_OVER and len(self._misfits) < _MOST_MISFITS:
            self._misfits.append(f"{type(event).__name__} does not fit the search: {found}")
        # Clocks jump; what has been seen is never un-seen.
        if event.time > self.last_time:
            self.last_time = event.time
        return not found

    # What an event speaks of: "" where that is known, _WAITS where it is not known yet, else why it is left out

    def _check_search_started(self, event: events.SearchStarted) -> str:
        if self.started is not None and event.splits != self.splits:
            return f"it has {self.splits} splits, not {event.splits}"
        if self.started is not None and event.scoring != self.scoring:
            return f"it is scored by {', '.join(self.scoring)}, not {', '.join(event.scoring)}"
        return ""

    def _check_combination(self, event: events.CombinationDropped | events.CombinationRestored) -> str:
        return self._check_all([event.combination])

    def _check_fit(self, event: events.FitScored | events.RungScored | events.FitFailed | events.FitRetried) -> str:
        if event.combination >= len(self.combinations):
            return _WAITS
        if event.fold >= self.splits:
            return f"split {event.fold} of {self.splits}"
        return _PASSED_OVER if event.combination in self._lost else ""

    def _check_training(self, event: events.TrainingStarted) -> str:
        if event.fold >= self.splits and self.started is not None:
            return f"split {event.fold} of {self.splits}"
        return self._check_all(fit.combination for fit in event.fits)

    def _check_all(self, combinations: Iterable[int]) -> str:
        known, lost = len(self.combinations), self._lost
        found = ""
        for combination in combinations:
            if combination >= known:
                return _WAITS
            found = _PASSED_OVER if combination in lost else found
        return found

    def _check_added(self, event: events.CombinationsAdded) -> str:
        return self._check_announced(event.combinations)

    def _check_round(self, event: events.RoundDecided) -> str:
        spoken_of = {one.combination for one in event.dropped} | {one.combination for one in event.allowed}
        return self._check_change(spoken_of, event.added)

    def _check_steered(self, event: events.Steered) -> str:
        return self._check_change({*event.dropped, *event.restored, *event.first}, event.added)

    def _check_change(self, spoken_of: set[int], added: list[events.PlannedCombination]) -> str:
        """The whole of a change waits for what it speaks of, some of which it may add itself."""
        known = added[-1].index + 1 if added else len(self.combinations)
        if max(spoken_of, default=-1) >= known or (added and not self.combinations):
            return _WAITS
        return self._check_announced(added)

    def _check_announced(self, planned: list[events.PlannedCombination]) -> str:
        if self.started is None:
            return _WAITS
        if not planned:
            return ""
        first, known = planned[0].index, len(self.combinations)
        if first < known:
            return f"combination {first} is announced twice"
        if first > known == 0:
            return _WAITS
        if any(one.index != index for index, one in enumerate(planned, start=first)):
            return f"its combinations are not numbered one after the other from {first}"
        if any(one.same_as is not None and one.same_as >= one.index for one in planned):
            return "a combination is said to be the same as one that comes later"
        if first > known + MOST_LOST:
            return f"combination {first} is announced after combination {known - 1}"
        count = first + len(planned)
        if count > MOST_COMBINATIONS or count * self.splits > MOST_FITS:
            most = f"{MOST_COMBINATIONS} combinations or {MOST_FITS} fits"
            return f"{count} combinations of {self.splits} splits each are more than {most}"
        return ""

    def _on_search_started(self, event: events.SearchStarted) -> None:
        if self.started is not None:
            self.seconds_before = self.elapsed()
        is_lost = self.started is not None and not self.status.is_finished
        self.lost_at = self.last_time if is_lost else None
        self.started = event
        self.changed_versions += [change for change in event.changed if change not in self.changed_versions]
        if not event.only_save:
            self.status, self.message = SearchStatus.RUNNING, ""
        self._paused_at, self._paused_seconds = None, 0.0
        self.deadline = self.delay = None
        self.last_time = event.time
        if not event.only_save:
            # It looks at what is missing and runs that, whatever was lost before.
            self._worked_on_in = event.segment
            self._misfits.clear()
        self.workers.clear()
        self.refits.clear()
        for training in list(self.trainings.values()):
            self._release(training.training)
        self.longest_training = 0.0
        self.ended.clear()
        self.engines += 1
        self._place()
        if self.combinations and self._unplaced:
            self._give_up_lost()

    def _place(self) -> None:
        unplaced, self._unplaced = self._unplaced, []
        for event in unplaced:
            self.apply(event)

    def _give_up_lost(self) -> None:
        """What is left speaks of combinations that nothing announces any more: new ones must not get their numbers."""
        known = len(self.combinations)
        most = min(known + MOST_LOST, MOST_COMBINATIONS, MOST_FITS // self.splits)
        self._count_as_lost(min(most, 1 + max(map(_highest, self._unplaced))))
        self._unplaced.clear()

    def _count_as_lost(self, known: int) -> None:
        """Keep the numbers up to `known` for combinations of which nothing is known but that they were there."""
        first = len(self.combinations)
        self._lost.update(range(first, known))
        self._append([events.PlannedCombination(index=n, params={}, trainer="") for n in range(first, known)])
        for combination in self.combinations[first:]:
            combination.dropped = LOST

    def _on_combinations_added(self, event: events.CombinationsAdded) -> None:
        self.begun_with = self.begun_with or len(event.combinations)
        self.combinations_to_come = event.to_come
        self._add(event.combinations)
        self._place()

    def _add(self, combinations: list[events.PlannedCombination]) -> None:
        if combinations:
            self._count_as_lost(combinations[0].index)
            self._append(combinations)

    def _append(self, combinations: list[events.PlannedCombination]) -> None:
        metrics, splits = self.scoring, self.splits
        for planned in combinations:
            self.combinations.append(
                CombinationState(
                    index=planned.index,
                    params=planned.params,
                    trainer=planned.trainer,
                    trainer_reason=planned.trainer_reason,
                    same_as=self._first_of(planned.same_as),
                    fits=[FitStatus.WAITING] * splits,
                    scores={metric: [None] * splits for metric in metrics},
                    seconds=[None] * splits,
                    score_seconds=[None] * splits,
                    curves=[None] * splits,
                    predictions=[None] * splits,
                    taken_from=[""] * splits,
                    stopped_at=[None] * splits,
                    stopped_scores=[None] * splits,
                    rung_curves=[None] * splits,
                    stage=planned.stage,
                    epochs_allowed=planned.epochs_allowed,
                    folds_allowed=planned.folds_allowed,
                )
            )
            self._touch(planned.index)

    def _first_of(self, same_as: int | None) -> int | None:
        """The first of those of equal effect: it is the same as no other."""
        if same_as is None or self.combinations[same_as].same_as is None:
            return same_as
        return self.combinations[same_as].same_as

    def _on_combination_dropped(self, event: events.CombinationDropped) -> None:
        self._drop(event.combination, event.reason, event.evidence, event.time)

    def _drop(self, index: int, reason: str, evidence: str, time: float) -> None:
        combination = self.combinations[index]
        combination.dropped, combination.evidence = reason, evidence
        self._touch(index)
        # Its worker leaves the training without a further word, unless others are served by it too.
        for training in list(self.trainings.values()):
            if any(fit.combination == index for fit in training.fits):
                if combination.fits[training.fold] is FitStatus.RUNNING:
                    self._set_fit(index, training.fold, FitStatus.WAITING)
                self._end_training_if_served(training.training, time)

    def _on_round_decided(self, event: events.RoundDecided) -> None:
        self._add(event.added)
        for one in event.dropped:
            self._drop(one.combination, event.strategy, one.evidence, event.time)
        for allowance in event.allowed:
            combination = self.combinations[allowance.combination]
            combination.epochs_allowed, combination.folds_allowed = allowance.epochs, allowance.folds
            self._touch(allowance.combination)
        self.combinations_to_come = event.to_come
        self.rounds.append(event)

    def _on_steered(self, event: events.Steered) -> None:
        self._add(event.added)
        for index in event.dropped:
            self._drop(index, event.words, "", event.time)
        for index in event.restored:
            if index not in self._lost:
                self.combinations[index].dropped = self.combinations[index].evidence = ""
                self.changed.add(index)
        if not event.undoes:
            self.steps.append(event)
        elif self.steps:
            self.steps.pop()

    def _on_combination_restored(self, event: events.CombinationRestored) -> None:
        combination = self.combinations[event.combination]
        combination.dropped = combination.evidence = ""
        combination.epochs_allowed = combination.folds_allowed = None
        for fold, fit in enumerate(combination.fits):
            if fit is FitStatus.FAILED:
                combination.fits[fold] = FitStatus.WAITING
                self.fits_finished -= 1
                self.fits_failed -= 1
        combination.errors.clear()
        self._touch(event.combination)

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
            self._set_fit(fit.combination, event.fold, RUNNING)
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
            first_epoch=event.start,
            epoch=event.start,
        )
        if event.worker in self.workers:
            worker = self.workers[event.worker]
            worker.training, worker.has_trained = event.training, True

    def _on_epoch_ended(self, event: events.EpochEnded) -> None:
        training = self.trainings.get(event.training)
        if training is None or event.epoch <= training.epoch:
            return
        training.epoch, training.epoch_ended = event.epoch, event.time
        training.epochs = max(event.epochs or training.epochs, event.epoch)
        training.validation_score = event.validation_score
        self.changed.update(fit.combination for fit in training.fits)

    def _on_rung_scored(self, event: events.RungScored) -> None:
        combination = self.combinations[event.combination]
        rung = combination.rungs.setdefault(event.epochs, [None] * self.splits)
        if rung[event.fold] is None:
            rung[event.fold] = event.scores.get(self.scoring[0])
            combination.seconds[event.fold] = event.seconds
            combination.rung_curves[event.fold] = event.curve
            places = combination.rung_predictions.setdefault(event.epochs, [None] * self.splits)
            places[event.fold] = event.predictions
        self._set_fit(event.combination, event.fold, FitStatus.WAITING)
        self._end_training_if_served(event.training, event.time)

    def _on_fit_scored(self, event: events.FitScored) -> None:
        combination = self.combinations[event.combination]
        if combination.fits[event.fold] is SCORED:
            self._end_training_if_served(event.training, event.time)
            return  # the first score counts, whoever sends another
        for metric in combination.scores:
            combination.scores[metric][event.fold] = event.scores.get(metric)
        if self.started is not None and self.started.revision != REVISION:
            combination.older_revisions[event.fold] = self.started.revision
        combination.seconds[event.fold] = event.seconds
        combination.score_seconds[event.fold] = event.score_seconds
        combination.curves[event.fold] = event.curve
        combination.predictions[event.fold] = event.predictions
        combination.taken_from[event.fold] = event.taken_from
        combination.stopped_at[event.fold] = event.stopped_at
        combination.stopped_scores[event.fold] = event.stopped_score
        self._set_fit(event.combination, event.fold, DIVERGED if event.diverged else SCORED)
        self._end_training_if_served(event.training, event.time)
        if combination.is_complete:
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

    def _on_search_stopping(self, event: events.SearchStopping) -> None:
        self._end_pause(event.time)
        self.status = SearchStatus.STOPPING

    def _on_search_resumed(self, event: events.SearchResumed) -> None:
        self.status = SearchStatus.RUNNING
        self._end_pause(event.time)

    def _end_pause(self, time: float) -> None:
        if self._paused_at is not None:
            paused = max(0.0, time - self._paused_at)
            self._paused_seconds += paused
            self._paused_at = None
            for training in self.trainings.values():
                training.started += paused
                training.epoch_ended += paused

    def _on_deadline_set(self, event: events.DeadlineSet) -> None:
        self.deadline, self.delay = event.at, None

    def _on_delay_foreseen(self, event: events.DelayForeseen) -> None:
        self.delay = event

    def _on_refit_started(self, event: events.RefitStarted) -> None:
        refit = RefitState(event.combination, epochs=event.epochs, target=event.path, is_of_script=not event.path)
        self.refit = self.refits[event.combination, event.request] = refit

    def _on_refit_epoch_ended(self, event: events.RefitEpochEnded) -> None:
        refit = self._refit_of(event)
        refit.epoch, refit.epochs, refit.loss, refit.target = event.epoch, event.epochs, event.loss, event.path

    def _on_model_saved(self, event: events.ModelSaved) -> None:
        refit = self._refit_of(event)
        refit.path, refit.sha256 = event.path, event.sha256
        self.saved.append(refit)

    def _on_test_scored(self, event: events.TestScored) -> None:
        self._test_looks[event.combination] = self.test_looks(event.combination) + 1
        refit = self._refit_of(event)
        refit.test_scores, refit.test_rows = event.scores, event.rows
        del self.refits[event.combination, event.request]

    def _on_save_failed(self, event: events.SaveFailed) -> None:
        self.refits.pop((event.combination, event.request), None)
        self.refit = RefitState(event.combination, error=event.error)

    def _refit_of(self, event: events.RefitEpochEnded | events.ModelSaved | events.TestScored) -> RefitState:
        """The refit that an event is about: the latest one now."""
        key = event.combination, event.request
        self.refit = self.refits.setdefault(key, RefitState(event.combination))
        return self.refit

    def _on_search_finished(self, event: events.SearchFinished) -> None:
        self.status, self.message = SearchStatus(event.outcome), event.message
        if self.refit is not None and self.refit.is_of_script:
            self.refit = None
            self.refits.clear()
        for training in list(self.trainings.values()):
            self._release(training.training)
        for worker in self.workers.values():
            worker.alive, worker.training = False, None

    def _set_fit(self, index: int, fold: int, status: FitStatus) -> None:
        combination = self.combinations[index]
        before = combination.fits[fold]
        if before is SCORED:
            return  # a score that counts is never taken back
        combination.fits[fold] = status
        self.fits_finished += status.is_finished - before.is_finished
        self.fits_failed += (status is FAILED) - (before is FAILED)
        self._touch(index)

    def _touch(self, index: int) -> None:
        self.changed.add(index)
        self.touched.add(index)

    def _compare_with_best(self, combination: CombinationState) -> None:
        """A complete combination never changes again, so the best need not be looked for among all."""
        mean = combination.mean(self.scoring[0])[0]
        if math.isnan(mean):  # ranks after all others
            mean = -math.inf
        key = (combination.stage, mean, -combination.index)
        if self._best is None or key > self._best_key:
            self._best, self._best_key = combination, key

    def _end_training_if_served(self, number: int, time: float) -> None:
        training = self.trainings.get(number)
        if training is None:
            return
        for fit in training.fits:
            if self.combinations[fit.combination].fits[training.fold] is RUNNING:
                return
        self._learn(training, max(0.0, time - training.started))
        self._forget(training)

    def _learn(self, training: TrainingState, seconds: float) -> None:
        """What a training took, if it went to its end: one that diverged or was left says little of others."""
        self.longest_training = max(self.longest_training, seconds)
        last = training.fits[-1]
        combination, fold = self.combinations[last.combination], training.fold
        reached = combination.fits[fold] is SCORED or combination.epochs_behind(fold) >= last.epochs
        if not reached:
            return
        stopped = combination.stopped_at[fold]
        ended_early = stopped is not None and combination.stopped_scores[fold] is None
        epochs = stopped if ended_early and stopped else training.epochs
        self.ended.append((last.combination, epochs - training.first_epoch, seconds))

    def _release(self, number: int) -> None:
        """The training runs no more; fits it still owed wait again, and the work on them is to be done again."""
        training = self.trainings.get(number)
        if training is None:
            return
        owed = [f for f in training.fits if self.combinations[f.combination].fits[training.fold] is RUNNING]
        for fit in owed:
            self._set_fit(fit.combination, training.fold, FitStatus.WAITING)
        self._forget(training)

    def _forget(self, training: TrainingState) -> None:
        del self.trainings[training.training]
        worker = self.workers.get(training.worker)
        if worker is not None and worker.training == training.training:
            worker.training = None


# Findings of the checks below, beside the words for what does not fit.
_WAITS = "it waits"
_PASSED_OVER = "it is passed over"

# What still holds when it is placed late; a training that was said to begin does not.
_LASTING = (
    events.CombinationsAdded
    | events.CombinationDropped
    | events.CombinationRestored
    | events.RoundDecided
    | events.Steered
    | events.RungScored
    | events.FitScored
    | events.FitFailed
)


def _highest(event: events.Event) -> int:
    """The highest number of a combination that a lasting event speaks of; -1 if none."""
    match event:
        case events.CombinationsAdded():
            numbers = [one.index for one in event.combinations]
        case events.RoundDecided():
            spoken_of = [one.combination for one in event.dropped] + [one.combination for one in event.allowed]
            numbers = [*spoken_of, *(one.index for one in event.added)]
        case events.Steered():
            numbers = [*event.dropped, *event.restored, *event.first, *(one.index for one in event.added)]
        case _:
            numbers = [getattr(event, "combination", -1)]
    return max(numbers, default=-1)


_CHECKS: dict[type[events.Event], Callable[[SearchState, Any], str]] = {
    events.SearchStarted: SearchState._check_search_started,
    events.CombinationsAdded: SearchState._check_added,
    events.CombinationDropped: SearchState._check_combination,
    events.CombinationRestored: SearchState._check_combination,
    events.RoundDecided: SearchState._check_round,
    events.Steered: SearchState._check_steered,
    events.TrainingStarted: SearchState._check_training,
    events.RungScored: SearchState._check_fit,
    events.FitScored: SearchState._check_fit,
    events.FitFailed: SearchState._check_fit,
    events.FitRetried: SearchState._check_fit,
}

_RULES: dict[type[events.Event], Callable[[SearchState, Any], None]] = {
    events.SearchStarted: SearchState._on_search_started,
    events.CombinationsAdded: SearchState._on_combinations_added,
    events.CombinationDropped: SearchState._on_combination_dropped,
    events.CombinationRestored: SearchState._on_combination_restored,
    events.RoundDecided: SearchState._on_round_decided,
    events.Steered: SearchState._on_steered,
    events.RungScored: SearchState._on_rung_scored,
    events.WorkerStarted: SearchState._on_worker_started,
    events.TrainingStarted: SearchState._on_training_started,
    events.EpochEnded: SearchState._on_epoch_ended,
    events.FitScored: SearchState._on_fit_scored,
    events.FitFailed: SearchState._on_fit_failed,
    events.FitRetried: SearchState._on_fit_retried,
    events.SearchStopping: SearchState._on_search_stopping,
    events.SearchPaused: SearchState._on_search_paused,
    events.SearchResumed: SearchState._on_search_resumed,
    events.DeadlineSet: SearchState._on_deadline_set,
    events.DelayForeseen: SearchState._on_delay_foreseen,
    events.RefitStarted: SearchState._on_refit_started,
    events.RefitEpochEnded: SearchState._on_refit_epoch_ended,
    events.ModelSaved: SearchState._on_model_saved,
    events.TestScored: SearchState._on_test_scored,
    events.SaveFailed: SearchState._on_save_failed,
    events.SearchFinished: SearchState._on_search_finished,
    events.WorkerDied: SearchState._on_worker_ended,
    events.WorkerRecycled: SearchState._on_worker_ended,
}


def status_of(status: SearchStatus, *, alive: bool, is_damaged: bool) -> str:
    """The status as somebody sees it who knows whether an engine is alive, and whether the record is damaged."""
    if is_damaged and not alive:
        return "damaged"
    return str(status) if alive or status.is_finished or status is SearchStatus.NEW else "crashed"
