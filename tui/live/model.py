"""What a live view knows of one session, put together from the follow thread's feeds; no widgets in here."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from engine.analysis.forecast.progress import share_done
from engine.analysis.forecast.remaining import remaining_seconds
from engine.analysis.forecast.stall import StallWatch
from engine.errors import SessionUnreadableError, UsageError
from engine.formatting.times import moment_in_words
from engine.session.combination import FitStatus
from engine.session.search_status import SearchStatus
from engine.session.state import SearchState
from engine.spec.spec import SearchSpec
from engine.spec.strategy_options import strategy_in_words, strategy_name
from tui.live.drawn import HeaderFacts
from tui.live.history import Epochs, History
from tui.parts import numbers
from tui.plots.data import FoldCurve, RateLine
from tui.results.model import in_few_words
from tui.terminal.farewell import Whereabouts

if TYPE_CHECKING:
    from engine.session.events import CurvePlace
    from engine.session.liveness import Liveness
    from engine.session.record import ScriptRecord
    from engine.session.segments import Curve
    from engine.spec.rate_curve import PlannedRates
    from tui.live.follow import Feed, Follow
    from tui.live.process_usage import MachineReading
    from tui.navigation import WatchedSession
    from tui.results.model import ResultsModel

_CURVES_KEPT = 400
_PLANS_KEPT = 400
_MOST_OF_SCRIPT = 0.99


class LiveModel:
    """State, history, curves and plans of one session; what is missing is requested from the follow thread."""

    def __init__(self, session: WatchedSession, follow: Follow) -> None:
        self.session = session
        self._follow = follow
        self.state = SearchState()
        self.history = History()
        self.liveness: Liveness | None = None
        self.machine: MachineReading | None = None
        self.has_opened = False
        self.requested = ""  # `pausing` or `stopping`, until that has come to be
        self._stall = StallWatch()
        self._curves: OrderedDict[CurvePlace, Curve | None] = OrderedDict()
        self._plans: OrderedDict[int, PlannedRates | None] = OrderedDict()
        self._asked_plans: set[int] = set()
        self._asked_curves: set[CurvePlace] = set()

    def take(self, feed: Feed, now: float) -> bool:
        """Apply a feed; returns whether the record was read anew, so that nothing drawn before counts."""
        is_new = feed.state is not None
        if feed.state is not None and feed.history is not None:
            self.state, self.history = feed.state, feed.history
            self._plans.clear()
            self._asked_plans.clear()
            self.has_opened = True
        for event in feed.events:
            if self.state.apply(event):
                self.history.take(event, self.state)
        self.history.take_printed(feed.printed)
        if feed.damages is not None:
            self.state.note_damages(feed.damages)
        self.liveness = feed.liveness or self.liveness
        if self.state.status is not SearchStatus.RUNNING or not self.is_alive:
            self.requested = ""
        self.machine = feed.machine or self.machine
        for place, curve in feed.curves.items():
            self._curves[place] = curve
            self._asked_curves.discard(place)
        while len(self._curves) > _CURVES_KEPT:
            self._curves.popitem(last=False)
        for combination, plan in feed.planned.items():
            self._plans[combination] = plan
        while len(self._plans) > _PLANS_KEPT:
            self._asked_plans.discard(self._plans.popitem(last=False)[0])
        same_host = self.liveness is not None and self.liveness.alive and self.liveness.same_host
        if is_new:
            # How long it had been quiet before is known only where its clock is ours.
            self._stall.hear(min(now, self.state.last_time) if same_host else now)
        elif feed.events:
            self._stall.hear(now)
        self._follow.watch_processes(
            [worker.pid for worker in self.state.workers.values() if worker.alive] if same_host else []
        )
        return is_new

    @property
    def script(self) -> ScriptRecord | None:
        """Where the search lives, if a script runs it."""
        return self.session.record.script

    @property
    def is_refitting_script(self) -> bool:
        """Whether the script that runs the search refits the best."""
        refit = self.state.refit
        return refit is not None and refit.is_of_script and refit.is_unfinished

    @property
    def is_alive(self) -> bool:
        """Whether an engine works on the session."""
        return self.liveness is not None and self.liveness.alive

    @property
    def is_complete(self) -> bool:
        """Whether the search has ended and nothing is left to run."""
        return self.standing == "completed" and self.state.is_complete

    @property
    def standing(self) -> str:
        """The word for where the search stands: the record's, corrected by whether its engine lives."""
        if not self.has_opened:
            return "opening"
        status = self.state.status
        if self.liveness is not None and not self.liveness.alive and self.state.damages:
            return "damaged"
        if self.liveness is not None and not self.liveness.alive and not status.is_finished:
            return "crashed" if status is not SearchStatus.NEW else "new"
        started, refit = self.state.started, self.state.refit
        if self.is_alive and started is not None and started.only_save and refit is not None and refit.is_unfinished:
            return "saving"
        return self.requested or str(status)

    def whereabouts(self) -> Whereabouts:
        """For when the view is left: what goes on without it."""
        state = self.state
        return Whereabouts(
            self.session.folder, self.standing, state.fits_finished, state.fits_total, is_worked_on=self.is_alive
        )

    def quiet_seconds(self, now: float) -> float:
        """How long an engine that lives has made no progress, where that is longer than it should be; else 0.0."""
        return self._stall.quiet_seconds(self.state, now) if self.is_alive else 0.0

    @property
    def remote_host(self) -> str:
        """The engine's host where that is another one."""
        if self.liveness is not None and self.liveness.alive and not self.liveness.same_host:
            return self.liveness.owner
        return ""

    def header(self, model: ResultsModel, now: float, marks: str = "") -> HeaderFacts:
        """The facts above the view; `now` in seconds since 1970."""
        state = self.state
        clock = now if self.is_alive else None
        # How long a script's refit takes, nobody knows.
        has_remaining = self.is_alive and not self.requested and not self.is_refitting_script
        return HeaderFacts(
            name=self.session.id,
            about=about(self.session.record.spec, state),
            state="stalled" if self.quiet_seconds(now) else self.standing,
            fits_finished=state.fits_finished,
            fits_total=state.fits_total,
            fits_failed=state.fits_failed,
            elapsed=state.elapsed(clock),
            remaining=remaining_seconds(state, now) if has_remaining else None,
            deadline=moment_in_words(state.deadline) if self.is_alive and state.deadline is not None else "",
            is_late=state.delay is not None,
            best=self._best(model),
            refit=state.refit.in_words if state.refit is not None and state.refit.is_unfinished else "",
            marks=marks,
            share=self._share(),
        )

    def _share(self) -> float:
        state, spec = self.state, self._spec
        if spec is not None:
            return share_done(state, spec)
        share = state.fits_finished / state.fits_total if state.fits_total else 0.0
        # A script that refits the best, or is about to ask for more fits, is not done yet.
        return share if self.script is None or state.status.is_finished else min(share, _MOST_OF_SCRIPT)

    @functools.cached_property
    def _spec(self) -> SearchSpec | None:
        """None where the record has one that this version does not accept, and of a script's search."""
        try:
            return self.session.spec
        except (SessionUnreadableError, UsageError):
            return None

    def _best(self, model: ResultsModel) -> str:
        best = model.best
        if best is None:
            return ""
        params = self.state.combinations[best].params
        mean, deviation = model.values["mean"][best], model.values["std"][best]
        metric = self.state.scoring[0]
        scored = f"{metric} {numbers.with_deviation(mean, deviation)}{self._tested(best, metric)}"
        return f"{scored}  #{best} {in_few_words(params, model.params)}".rstrip()

    def _tested(self, combination: int, metric: str) -> str:
        """Its score on the test set when it was saved last; the outcome of every save is in the log."""
        for saved in reversed(self.state.saved):
            if saved.combination == combination and metric in saved.test_scores:
                return f", {numbers.score(saved.test_scores[metric])} on the test set"
        return ""

    # Curves and schedules of one combination

    def curves(self, combination: int) -> list[FoldCurve]:
        """The folds that have epochs; those not read yet are requested and come with a later feed."""
        state, curves = self.state.combinations[combination], list[FoldCurve]()
        for fold in range(len(state.fits)):
            epochs = self._epochs(combination, fold)
            if epochs is not None and epochs.loss:
                curves.append(FoldCurve(fold, epochs.loss, epochs.validation_loss, epochs.validation_score))
        return curves

    def rate_line(self, combination: int) -> RateLine | None:
        """The plan and the rates used so far, by the fold that is furthest; None until the plan is there.

        What a script's optimizer plans comes with the epochs: until then there is none.
        """
        plan = None if self.script is not None else self._plan(combination)
        if plan is None and self.script is None:
            return None
        used, by_epoch = list[float](), list[float]()
        for fold in range(len(self.state.combinations[combination].fits)):
            epochs = self._epochs(combination, fold)
            if epochs is not None and len(epochs.learning_rate) > len(used):
                used, by_epoch = list(epochs.learning_rate), list(epochs.planned_rates)
        return RateLine(combination, plan, used, by_epoch) if plan is not None or used else None

    def without_epochs(self, combination: int) -> str:
        """Why there is nothing to draw of a script's fits; empty where there is, or may be soon."""
        fits = self.state.combinations[combination].fits
        known = [fit for fit in fits if fit.status is FitStatus.SCORED]
        if self.script is None or not known or any(fit.curve is not None for fit in known):
            return ""
        return "no epochs are recorded of these fits"

    def _plan(self, combination: int) -> PlannedRates | None:
        if combination not in self._asked_plans:
            self._asked_plans.add(combination)
            params = self.state.combinations[combination].params
            self._follow.want_plan(combination, params, self.steps_per_epoch(combination))
        return self._plans.get(combination)

    def steps_per_epoch(self, combination: int) -> int:
        """From its training; before that began, from the number of a fold's training rows."""
        known = self.history.steps_per_epoch.get(combination)
        if known is not None:
            return known
        rows = self.state.started.rows if self.state.started else 1
        folds = _whole(self.session.record.spec.get("folds"), 3)
        batch_size = _whole(self.state.combinations[combination].params.get("batch_size"), 128)
        return max(1, -(-(rows * (folds - 1) // folds) // batch_size))

    def _epochs(self, combination: int, fold: int) -> Epochs | Curve | None:
        record = self.state.combinations[combination].fits[fold]
        place = record.curve
        if place is None and record.rungs and record.status is not FitStatus.RUNNING:
            place = record.rungs[-1].curve
        if place is not None:
            if place in self._curves:
                self._curves.move_to_end(place)
                return self._curves[place]
            if place not in self._asked_curves:
                self._asked_curves.add(place)
                self._follow.want_curves([place])
            return None
        if record.status is not FitStatus.RUNNING:
            return None
        for training in self.state.trainings.values():
            if training.fold != fold:
                continue
            for fit in training.fits:
                if fit.combination == combination:
                    epochs = self.history.epochs.get(training.training)
                    if epochs is None:
                        return None
                    upto = fit.epochs
                    return Epochs(
                        epochs.loss[:upto],
                        epochs.validation_loss[:upto],
                        epochs.validation_score[:upto],
                        epochs.learning_rate[:upto],
                        epochs.planned_rates,
                    )
        return None


def about(spec: dict[str, Any], state: SearchState) -> str:
    """`reuters · 3 folds · grid 24`, or `halving 60, factor=3 + 5` where some were added later."""
    started = state.started
    dataset = started.dataset if started else str(spec.get("dataset", ""))
    synthetic = " (synthetic)" if started and started.synthetic else ""
    folds, repeats = _whole(spec.get("folds"), state.splits), _whole(spec.get("repeats"), 1)
    splits = f"{folds} folds" if repeats == 1 else f"{folds} folds × {repeats}"
    return " · ".join([f"{dataset}{synthetic}", splits, *_strategy(spec, state)])


def _strategy(spec: dict[str, Any], state: SearchState) -> list[str]:
    """`halving 60, factor=3`, how many were added later, and how many stages there are."""
    value, begun = spec.get("strategy", "grid"), state.begun_with
    if not isinstance(value, dict):
        value = {str(value): "grid"}
    count = value.get(strategy_name(value))
    words = strategy_in_words({name: begun if item == "grid" else item for name, item in value.items()})
    added = len(state.combinations) - max(begun, _whole(count, 0))
    parts = [f"{words} + {added}" if added > 0 else words]
    stages = spec.get("stage")
    return [*parts, f"{len(stages)} stages"] if isinstance(stages, list) and stages else parts


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
