"""What a search still trains: its plan and queue, as the strategy and whoever steers it change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from engine.plan.folds import fold_rows
from engine.plan.plan import extended
from engine.search import changes
from engine.search.checkpoint_folder import CheckpointFiles
from engine.search.model_description import model_record, refit_epochs
from engine.search.queue import TrainingQueue
from engine.search.strategies import Candidate, strategy_of
from engine.search.worker_events import fit_taken_over, is_rung, known_curve, rung_taken_over
from engine.session import events
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.plan.plan import Training
    from engine.plan.prepared import Prepared
    from engine.search.recorder import Recorder
    from engine.search.reuse import KnownFit
    from engine.search.strategies import Decision
    from engine.search.worker_events import Refit, Work
    from engine.session.session import Session
    from engine.session.state import SearchState


class Controller:
    """The way through a search. `queue` has what waits; every change goes through `record` first.

    `known`: fits to take over as soon as they are due, by combination and fold.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        state: SearchState,
        record: Recorder,
        known: Mapping[tuple[int, int], KnownFit],
        clock: Callable[[], float],
    ) -> None:
        self._session, self._prepared, self._state = session, prepared, state
        self._record, self._known, self._clock = record, known, clock
        self._plan = prepared.plan
        self.queue = TrainingQueue(prepared.plan, state)
        self._begun_with = state.begun_with or prepared.begun_with or len(prepared.plan.combinations)
        first = prepared.plan.combinations[0].params
        self._strategy = strategy_of(prepared.spec, self._begun_with, first, session.predictions)
        origin = f"{prepared.dataset.digest} {session.record.data.folds_sha256} {prepared.spec.seed}"
        self._checkpoints = CheckpointFiles(session.folder, origin)
        self.is_undecided = True  # something came that the strategy has not been asked about

    def unfinished(self) -> list[Training]:
        """Trainings that have fits left which are not known; before the search has begun all of them are left."""
        return [training for training in self._plan.trainings if self._is_unfinished(training)]

    def _is_unfinished(self, training: Training) -> bool:
        """Whether a training has fits left that are not known; before the search has begun all of them are left."""
        combinations = self._state.combinations
        for fit in training.fits:
            # What a damaged record lost is announced again when the search has begun.
            one = combinations[fit.combination] if fit.combination < len(combinations) else None
            is_left = one is None or not (one.dropped or one.fits[training.fold].status.is_finished)
            if is_left and (fit.combination, training.fold) not in self._known:
                return True
        return False

    def begin(self) -> None:
        """Announce what the search begins with, take over what is known, and put the rest on the queue."""
        if not self._state.combinations:
            self._emit(
                events.CombinationsAdded(
                    time=self._clock(),
                    combinations=self._first_combinations(),
                    to_come=len(self._strategy.to_come(self._begun_with)),
                )
            )
        self._take_over(self._plan.trainings)
        self.queue.fill()
        self.queue.put_first(self._state.first)

    def _first_combinations(self) -> list[events.PlannedCombination]:
        planned = []
        # What was added later stands in the record, and counts as soon as these are announced again.
        for combination in self._plan.combinations[: self._begun_with]:
            epochs, folds = self._strategy.first(combination.index)
            planned.append(structs.replace(combination, epochs_allowed=epochs, folds_allowed=folds))
        return planned

    def decide(self) -> None:
        """Ask the strategy until it waits for more scores."""
        while self.is_undecided:
            decision = self._strategy.ask(self._state)
            if decision is None:
                self.is_undecided = False
            else:
                self._carry_out(decision)

    def _extend_plan(self, candidates: Sequence[Candidate]) -> list[events.PlannedCombination]:
        """Plan more combinations; nothing is announced yet. Raises SpecError."""
        first = len(self._plan.combinations)
        if candidates:
            self._plan = extended(
                self._plan,
                self._prepared.spec,
                [candidate.params for candidate in candidates],
                fold_rows(self._prepared.spec, self._prepared.folds),
                [candidate.stage for candidate in candidates],
            )
            self.queue.extend(self._plan)
        return list(self._plan.combinations[first:])

    def _carry_out(self, decision: Decision) -> None:
        added = self._extend_plan(decision.added)
        self._emit(
            events.RoundDecided(
                time=self._clock(),
                strategy=self._strategy.name,
                words=decision.words,
                dropped=list(decision.dropped),
                allowed=list(decision.allowed),
                added=added,
                to_come=decision.to_come,
            )
        )
        self._discard_unwanted(one.combination for one in decision.dropped)
        self._admit([*(one.combination for one in decision.allowed), *(one.index for one in added)])

    def _admit(self, combinations: Sequence[int]) -> None:
        """What these combinations miss now is taken over, or waits for a worker."""
        self._take_over(self.queue.trainings_of(combinations))
        self.queue.admit(combinations)
        self.queue.put_first(self._state.first)

    def steer(self, request: changes.Request) -> None:
        """Do what somebody asks for. Raises FoldwatchError where it means nothing; then nothing has changed."""
        step = changes.step_of(request, self._prepared.spec, self._state)
        stage = max(one.stage for one in self._state.combinations)
        added = self._extend_plan([Candidate(params, stage) for params in step.added])
        self._emit(
            events.Steered(
                time=self._clock(),
                words=step.words,
                added=added,
                dropped=list(step.dropped),
                restored=list(step.restored),
                first=list(step.first),
                widened=dict(step.widened),
                undoes=step.undoes,
            )
        )
        self._discard_unwanted(step.dropped)
        self.is_undecided = True
        self._admit([*step.restored, *(one.index for one in added)])

    def prefer_complete(self) -> None:
        """There is not the time for everything."""
        self.queue.whole_first()
        self.queue.put_first(self._state.first)

    def skip(self, combination: int) -> None:
        """Leave out what is missing of a combination."""
        self._emit(events.CombinationDropped(time=self._clock(), combination=combination, reason="skipped on request"))
        self._discard_unwanted([combination])
        self.is_undecided = True

    def restore(self, combination: int) -> None:
        """Finish a combination after all: in full, whatever the strategy allowed it."""
        self._emit(events.CombinationRestored(time=self._clock(), combination=combination))
        self.queue.restore(combination)
        self.is_undecided = True

    def _take_over(self, trainings: Iterable[Training]) -> None:
        """Fits that another session has scored count here too, as soon as they are due."""
        for training in trainings:
            for fit in self.queue.missing(training):
                known = self._known.get((fit.combination, training.fold))
                if known is None:
                    continue
                curve, now = known_curve(training, fit, known), self._clock()
                place = self._record.journal.append_curve(curve) if curve else None
                if not is_rung(training, fit):
                    predictions = self._record.keep_predictions(known.read_predictions())
                    self._emit(fit_taken_over(training, fit, known, place, predictions, now))
                elif curve is not None and place is not None:
                    self._emit(rung_taken_over(training, fit, curve, place, self._state.scoring[0], now))

    def order(self, work: Work) -> messages.Train:
        """What a worker is told: where it may go on, and whether it leaves a checkpoint because it stops on a rung."""
        training = work.training
        key = self._checkpoints.key(training)
        return messages.Train(
            training=training.number,
            trainer=training.trainer,
            fold=training.split,
            params=training.params,
            stops=work.stops,
            checkpoint=str(self._checkpoints.path(key)),
            key=key,
            keeps_last=work.stops[-1] < training.epochs,
        )

    def refit_order(self, refit: Refit) -> messages.Refit:
        """What a worker is told that is to train and save a model."""
        combination = self._state.combinations[refit.combination]
        key = self._checkpoints.refit_key(combination.trainer, combination.params)
        return messages.Refit(
            request=refit.request,
            trainer=combination.trainer,
            params=combination.params,
            epochs=refit_epochs(combination, self._prepared.spec),
            path=refit.path,
            record=model_record(self._session, self._state, refit.combination),
            checkpoint=str(self._checkpoints.path(key)),
            key=key,
        )

    def ended(self, training: Training) -> None:
        """A worker is done with a training: its checkpoint stays while somebody may still go on from it."""
        if not self.queue.is_wanted(training):
            self._checkpoints.discard(self._checkpoints.key(training))

    def _discard_unwanted(self, dropped: Iterable[int]) -> None:
        for training in self.queue.trainings_of(dropped):
            self.ended(training)

    def refit_ended(self, refit: Refit) -> None:
        """A model was saved, or never will be."""
        combination = self._state.combinations[refit.combination]
        self._checkpoints.discard(self._checkpoints.refit_key(combination.trainer, combination.params))

    def end(self) -> None:
        """The search is complete: nothing goes on from any checkpoint."""
        self._checkpoints.discard_all()

    def _emit(self, event: events.Event) -> None:
        self._record.emit(event)
