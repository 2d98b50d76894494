"""Sessions of a script for tests of what shows them: a real one of a quick `watch`, and one of Keras made of events."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sklearn.model_selection import GridSearchCV

from engine import watch
from engine.session import events
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import this_process
from engine.session.record import DataRecord, ScriptRecord, SearchRecord
from engine.session.segments import Curve, Owner
from engine.session.session import Session, open_session
from tests.fakes import made_session
from tests.script_estimators import Recorded, data

if TYPE_CHECKING:
    from collections.abc import Iterable

SCRIPT = "/home/me/reuters_grid.py"
NOON = 1_750_000_000.0
PLANNED = [0.3, 0.24, 0.192, 0.1536]


def watched_session(sessions: Path, name: str = "mine", **options: Any) -> Session:
    """A grid of three, on two folds with train scores, searched by a real `watch`."""
    X, y = data()
    search = GridSearchCV(Recorded(**options), {"factor": [0.5, 1.0, -1.0]}, cv=2, return_train_score=True)
    with watch(name, sessions=sessions, workers=1):
        search.fit(X, y)
    return open_session(name, sessions)


def begun(*, workers: int = 1) -> list[events.AnyEvent]:
    """The start of a grid of two on two folds, and the first fit up to its second epoch of four."""
    params: list[dict[str, Any]] = [
        {"model__units": units, "model__decay_rate": rate, "epochs": 4} for units, rate in ((16, 0.8), (32, 0.9))
    ]
    made: list[events.AnyEvent] = [
        events.SearchStarted(
            time=NOON, session="quick", segment=1, dataset="reuters_grid.py", synthetic=False, rows=900, classes=0,
            splits=2, scoring=["score"], workers=workers, trainings=4, cost=0.0, host="h", pid=1, script=True,
        ),
        events.CombinationsAdded(
            time=NOON,
            combinations=[
                events.PlannedCombination(index=index, params=one, trainer="script") for index, one in enumerate(params)
            ],
        ),
        events.WorkerStarted(time=NOON + 1, worker=0, pid=os.getpid(), device="cpu"),
    ]  # fmt: skip
    return [*made, *fit(0, 0, training=0, epochs=2, is_scored=False)]


def fit(
    combination: int, fold: int, *, training: int, epochs: int = 4, is_scored: bool = True
) -> list[events.AnyEvent]:
    """A fit with its epochs, as a script's search records it; its curve is to be put into the score."""
    at = NOON + 2 + 10 * training
    made: list[events.AnyEvent] = [
        events.TrainingStarted(
            time=at, training=training, worker=0, fold=fold, fits=[events.ServedFit(combination, 1)], epochs=1,
            steps_per_epoch=1, cost=0.0, trainer="script", seed=0,
        )
    ]  # fmt: skip
    made += [
        events.EpochEnded(
            time=at + epoch, training=training, epoch=epoch, loss=1 / epoch, validation_loss=None,
            validation_score=None, learning_rate=PLANNED[epoch - 1], epochs=4,
            planned_rates=PLANNED if epoch == 1 else [],
        )
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    if is_scored:
        score = 0.5 + combination / 10 + fold / 100
        scored = events.FitScored(
            time=at + 5, combination=combination, fold=fold, training=training, epochs=epochs, scores={"score": score},
            seconds=4.0, rows=450,
        )  # fmt: skip
        made.append(scored)
    return made


def all_fits() -> list[events.AnyEvent]:
    """The rest of the search: every fit is scored, and the script refits the best, two epochs of four so far."""
    fits = [event for number in range(4) for event in fit(number // 2, number % 2, training=number)]
    refit: list[events.AnyEvent] = [
        events.RefitStarted(time=NOON + 50, combination=1, epochs=0, path=""),
        events.RefitEpochEnded(time=NOON + 51, combination=1, epoch=2, epochs=4, loss=0.5),
    ]
    return [*begun()[:3], *fits, *refit]


def keras_session(sessions: Path, made: Iterable[events.AnyEvent], *, alive: bool = True) -> Session:
    """A session of a script that trains Keras models, with these events; `alive`: this process runs the script."""
    spec = {"dataset": "reuters_grid.py", "strategy": "GridSearchCV", "scoring": ["score"], "folds": 2, "seed": None}
    nothing = DataRecord(
        source_sha256="", digest="", folds_sha256="", rows=900, test_rows=0, classes=0, synthetic=False
    )
    script = ScriptRecord(path=SCRIPT, caller="GridSearchCV", estimator="KerasClassifier(model=build)", digest="d")
    record = SearchRecord(
        format=1, id="quick", created=NOON, spec=spec, data=nothing, versions={}, host="h", cpu="c", script=script
    )
    session = made_session(sessions, record, None)
    owner = this_process() if alive else Owner(host="h", boot="none", pid=1, process_started=0.0)
    writer = JournalWriter(session.folder, owner)
    curves: dict[int, Curve] = {}
    for event in made:
        match event:
            case events.EpochEnded():
                curve = curves.setdefault(
                    event.training,
                    Curve(
                        training=event.training, loss=[], validation_loss=[], validation_score=[], learning_rate=[],
                        planned_rates=event.planned_rates,
                    ),
                )  # fmt: skip
                curve.loss.append(event.loss)
                curve.validation_loss.append(None)
                curve.validation_score.append(None)
                curve.learning_rate.append(event.learning_rate)
                writer.append_epoch(event)
            case events.FitScored() if event.training in curves:
                writer.append(msgspec.structs.replace(event, curve=writer.append_curve(curves[event.training])))
            case _:
                writer.append(event)
    writer.sync()
    writer.close()
    if not alive:
        # Its script has been silent for long: on another host that is all that tells.
        for path in session.folder.glob("journal.*"):
            os.utime(path, (NOON, NOON))
    return session
