"""A search as a script of events, and a session that plays it: what the screens are tested and looked at with."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.session import events
from engine.session.journal_reader import Damage
from engine.session.liveness import Liveness
from engine.session.record import DataRecord, SearchRecord
from engine.session.segments import Curve
from engine.session.state import SearchState
from engine.spec.spec import SearchSpec
from tui.live.follow import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.session.requests import Request

NOON = 1_750_000_000.0
SPACE: dict[str, list[Any]] = {
    "batch_size": [128, 512],
    "epochs": [5, 10, 20],
    "hidden_units": [64, 128],
    "optimizer": ["adam", "rmsprop"],
}


def combinations(space: dict[str, list[Any]] | None = None) -> list[dict[str, Any]]:
    """The grid of a space, with a decaying learning rate."""
    space = SPACE if space is None else space
    names = sorted(space)
    decay = {
        "learning_rate": "ExponentialDecay",
        "learning_rate__initial_learning_rate": 0.05,
        "learning_rate__decay_epochs": 1,
        "learning_rate__decay_rate": 0.8,
    }
    grid = itertools.product(*(space[name] for name in names))
    return [dict(zip(names, values, strict=True)) | decay for values in grid]


@dataclass
class Script:
    """Makes events in a plausible order; `seed` makes them the same every time."""

    params: list[dict[str, Any]] = field(default_factory=combinations)
    splits: int = 3
    scoring: list[str] = field(default_factory=lambda: ["accuracy", "f1_macro"])
    workers: int = 2
    seed: int = 0
    clock: float = NOON
    curves: dict[events.CurvePlace, Curve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._trainings = itertools.count()
        self._offsets = itertools.count()

    def start(self) -> list[events.AnyEvent]:
        """Search, combinations, workers."""
        return [
            events.SearchStarted(
                time=self.clock,
                session="reuters-01",
                segment=1,
                dataset="reuters",
                synthetic=False,
                rows=8982,
                classes=46,
                splits=self.splits,
                scoring=self.scoring,
                workers=self.workers,
                trainings=len(self.params) * self.splits,
                cost=float(len(self.params) * self.splits),
                host="gpu-box",
                pid=4711,
            ),
            events.CombinationsAdded(
                time=self.clock,
                combinations=[
                    events.PlannedCombination(index=index, params=params, trainer="kernel")
                    for index, params in enumerate(self.params)
                ],
            ),
            *(
                events.WorkerStarted(time=self.clock, worker=worker, pid=10_000_000 + worker, device="cpu")
                for worker in range(self.workers)
            ),
        ]

    def quality(self, index: int) -> float:
        """How good a combination is in the end, by its parameters."""
        params = self.params[index]
        epochs, batch = params.get("epochs", 10), params.get("batch_size", 128)
        bonus = 0.01 * math.log2(epochs) - 0.004 * math.log2(batch / 64)
        return 0.76 + bonus + (0.008 if params.get("optimizer") == "adam" else 0.0)

    def begin(self, index: int, fold: int, worker: int = 0) -> tuple[int, list[events.AnyEvent]]:
        """A training's start."""
        self.clock += 0.05
        training, epochs = next(self._trainings), int(self.params[index].get("epochs", 10))
        return training, [
            events.TrainingStarted(
                time=self.clock,
                training=training,
                worker=worker,
                fold=fold,
                fits=[events.ServedFit(index, epochs)],
                epochs=epochs,
                steps_per_epoch=-(-5988 // int(self.params[index].get("batch_size", 128))),
                cost=1.0,
                trainer="kernel",
                seed=1234 + fold,
            )
        ]

    def epochs(self, training: int, index: int, fold: int, first: int, last: int) -> list[events.AnyEvent]:
        """Epochs `first` to `last`, both included."""
        quality, made = self.quality(index), list[events.AnyEvent]()
        for epoch in range(first, last + 1):
            self.clock += 0.1
            share = 1 - math.exp(-0.45 * epoch)
            made.append(
                events.EpochEnded(
                    time=self.clock,
                    training=training,
                    epoch=epoch,
                    loss=3.2 * math.exp(-0.35 * epoch) + 0.02,
                    validation_loss=2.2 * math.exp(-0.4 * epoch) + 0.85 + 0.012 * epoch + 0.05 * fold,
                    validation_score=quality * share + 0.01 * fold * share,
                    learning_rate=0.05 * 0.8**epoch,
                )
            )
        return made

    def scored(self, training: int, index: int, fold: int) -> list[events.AnyEvent]:
        """A fit's scores, with its curve put where the session will look."""
        epochs = int(self.params[index].get("epochs", 10))
        place = events.CurvePlace(1, next(self._offsets), 1)
        past = self.epochs(training, index, fold, 1, epochs)
        self.curves[place] = Curve(
            training=training,
            loss=[event.loss for event in past if isinstance(event, events.EpochEnded)],
            validation_loss=[event.validation_loss for event in past if isinstance(event, events.EpochEnded)],
            validation_score=[event.validation_score for event in past if isinstance(event, events.EpochEnded)],
            learning_rate=[event.learning_rate for event in past if isinstance(event, events.EpochEnded)],
        )
        score = round(self.quality(index) + self._random.gauss(0, 0.004), 6)
        return [
            events.FitScored(
                time=self.clock,
                combination=index,
                fold=fold,
                training=training,
                epochs=epochs,
                scores={metric: score - 0.2 * number for number, metric in enumerate(self.scoring)},
                seconds=round(0.4 * epochs + self._random.random(), 2),
                curve=place,
            )
        ]

    def fit(self, index: int, fold: int, worker: int = 0) -> list[events.AnyEvent]:
        """A whole fit."""
        training, made = self.begin(index, fold, worker)
        last = int(self.params[index].get("epochs", 10))
        return [*made, *self.epochs(training, index, fold, 1, last), *self.scored(training, index, fold)]

    def failed(self, index: int, fold: int, error: str, traceback: str) -> list[events.AnyEvent]:
        """A fit that raised."""
        training, made = self.begin(index, fold)
        failure = events.FitFailed(
            time=self.clock, combination=index, fold=fold, training=training, error=error, traceback=traceback
        )
        return [*made, failure]

    def half_way(self, complete: int = 13) -> list[events.AnyEvent]:
        """Some combinations complete, one failed, one diverged, two folds running, the rest waiting."""
        made = self.start()
        for index in range(complete):
            for fold in range(self.splits):
                made += self.fit(index, fold, fold % self.workers)
        made += self.failed(
            complete,
            0,
            "ResourceExhaustedError: out of memory",
            'Traceback (most recent call last):\n  File "kernel.py", line 7, in train\nMemoryError',
        )
        training, begun = self.begin(complete + 1, 0)
        made += [
            *begun,
            events.FitScored(
                time=self.clock,
                combination=complete + 1,
                fold=0,
                training=training,
                epochs=5,
                scores={},
                seconds=1.0,
                diverged=True,
            ),
        ]
        made += self.fit(complete + 2, 0)
        for worker in range(min(2, self.workers)):
            training, begun = self.begin(complete + 2, 1 + worker, worker)
            made += begun
            made += self.epochs(training, complete + 2, 1 + worker, 1, 3 + worker)
        return made

    def everything(self) -> Iterator[events.AnyEvent]:
        """A search from beginning to end."""
        yield from self.start()
        for index in range(len(self.params)):
            for fold in range(self.splits):
                yield from self.fit(index, fold, fold % self.workers)
        yield events.SearchFinished(time=self.clock, outcome="completed")


@dataclass
class ScriptedFollower:
    """Gives what the test has put in."""

    session: ScriptedSession
    _given: int = 0
    _generation: int = 0

    @property
    def generation(self) -> int:
        return self.session.generation

    @property
    def damages(self) -> list[Damage]:
        return self.session.damages

    def poll(self) -> list[events.AnyEvent]:
        if self._generation != self.session.generation:
            self._generation, self._given = self.session.generation, 0
        new = self.session.script_events[self._given :]
        self._given += len(new)
        return new


@dataclass
class ScriptedSession:
    """A session that is nowhere: plays events and keeps requests."""

    script_events: list[events.AnyEvent]
    curves: dict[events.CurvePlace, Curve] = field(default_factory=dict)
    id: str = "reuters-01"
    folder: Path = Path("/nowhere/sessions/reuters-01")
    alive: bool = True
    generation: int = 0
    requests: list[Request] = field(default_factory=list)
    problem: Exception | None = None
    damages: list[Damage] = field(default_factory=list)

    @property
    def spec(self) -> SearchSpec:
        return SearchSpec.from_values(self.record.spec)

    def state(self) -> SearchState:
        return replay(ScriptedFollower(self).poll())[0]

    @property
    def record(self) -> SearchRecord:
        spec = {
            "dataset": "reuters",
            "num_words": 10000,
            "subsample": 1.0,
            "folds": 3,
            "repeats": 1,
            "scoring": ["accuracy", "f1_macro"],
            "strategy": "grid",
            "seed": 0,
            "trainer": "auto",
            "space": SPACE,
        }
        data = DataRecord(
            source_sha256="", digest="", folds_sha256="", rows=8982, test_rows=2246, classes=46, synthetic=False
        )
        return SearchRecord(
            format=1, id=self.id, created=NOON, spec=spec, data=data, versions={}, host="gpu-box", cpu="a CPU"
        )

    def liveness(self) -> Liveness:
        if self.problem is not None:
            raise self.problem
        return Liveness(alive=self.alive, owner="pid 4711 on gpu-box")

    def follow(self) -> ScriptedFollower:
        return ScriptedFollower(self)

    def curve(self, place: events.CurvePlace) -> Curve | None:
        return self.curves.get(place)

    def request(self, request: Request) -> None:
        if self.problem is not None:
            raise self.problem
        self.requests.append(request)


def half_way_session() -> ScriptedSession:
    """The session that most tests look at."""
    script = Script()
    return ScriptedSession(script.half_way(), script.curves)
