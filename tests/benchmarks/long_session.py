"""A session of 10,000 combinations on disk, nearly complete, and an engine that goes on with it at a given pace.

python -m tests.benchmarks.long_session FOLDER EVENTS_A_SECOND (an engine that ends when its stdin does, and prints
how many fits were finished and when, in seconds of `time.monotonic`)
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.search.recorder import Recorder
from engine.session import events
from engine.session.combination import FitStatus
from engine.session.record import DataRecord, SearchRecord
from engine.session.segments import Curve
from engine.session.session import Session, open_session
from engine.session.state import SearchState
from tests.fakes import made_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IDENTIFIER = "long-01"
FOLDS = 5
EPOCHS = 5
WORKERS = 8
LEFT = 800  # combinations without a score yet
SPACE: dict[str, list[Any]] = {
    "batch_size": [32, 64, 128, 256, 512],
    "dropout": [round(0.05 * step, 2) for step in range(10)],
    "epochs": [EPOCHS, 10, 15, 20],
    "hidden_units": [16, 32, 48, 64, 96, 128, 192, 256, 384, 512],
    "optimizer": ["adam", "nadam", "rmsprop", "sgd", "adamw"],
}
_QUIET_SECONDS = 0.05


def make(sessions: Path) -> Session:
    """Write it: all but the last `LEFT` combinations are complete; its engine ended without a word."""
    folds = np.zeros((1, 4), np.int16)
    spec = {
        "dataset": "reuters",
        "num_words": 10000,
        "subsample": 1.0,
        "folds": FOLDS,
        "repeats": 1,
        "scoring": ["accuracy"],
        "strategy": "grid",
        "seed": 0,
        "trainer": "auto",
        "space": SPACE | {"learning_rate": [0.001]},
    }
    digest = hashlib.sha256(folds.tobytes()).hexdigest()
    data = DataRecord(
        source_sha256="", digest="d", folds_sha256=digest, rows=8982, test_rows=2246, classes=46, synthetic=False
    )
    record = SearchRecord(
        format=1,
        id=IDENTIFIER,
        created=time.time(),
        spec=spec,
        data=data,
        versions={"foldwatch": "0.1.0"},
        host="here",
        cpu="a CPU",
    )
    session = made_session(sessions, record, folds)
    engine = Engine(session, SearchState())
    engine.begin()
    last = len(engine.state.combinations) - LEFT
    for combination, fold in itertools.product(range(last), range(FOLDS)):
        for event in engine.fit(combination, fold, worker=(combination * FOLDS + fold) % WORKERS, watched=False):
            engine.emit(event)
    engine.recorder.flush_all(patient=False)
    engine.recorder.beat(ended=True)
    engine.recorder.journal.close()
    return session


class Engine:
    """Emits what an engine would, and trains nothing."""

    def __init__(self, session: Session, state: SearchState) -> None:
        self.state = state
        self._session = session
        self._random = random.Random(len(state.combinations))
        # Trainings are numbered anew by each engine, in the order of their start.
        self._trainings = itertools.count()
        self.recorder = Recorder(session, state, lambda event: None, _complain, time.time)

    def emit(self, event: events.Event) -> None:
        """Record it; synced as often as an engine does."""
        self.recorder.emit(event)
        self.recorder.flush_if_due()

    def begin(self, workers: Sequence[int] = range(4_000_000, 4_000_000 + WORKERS)) -> None:
        """The search, its combinations if it has none, and workers by pid: those that are gone again, or live ones."""
        self.emit(
            events.SearchStarted(
                time=time.time(),
                session=IDENTIFIER,
                segment=self.recorder.journal.segment,
                dataset="reuters",
                synthetic=False,
                rows=8982,
                classes=46,
                splits=FOLDS,
                scoring=["accuracy"],
                workers=WORKERS,
                trainings=10_000 * FOLDS,
                cost=10_000.0 * FOLDS,
                host="here",
                pid=1,
            )
        )
        if not self.state.combinations:
            names = sorted(SPACE)
            grid = itertools.product(*(SPACE[name] for name in names))
            planned = [
                events.PlannedCombination(
                    index=index,
                    params=dict(zip(names, values, strict=True)) | {"learning_rate": 0.001},
                    trainer="kernel",
                )
                for index, values in enumerate(grid)
            ]
            self.emit(events.CombinationsAdded(time=time.time(), combinations=planned))
        for worker, pid in enumerate(workers):
            self.emit(events.WorkerStarted(time=time.time(), worker=worker, pid=pid, device="cpu"))

    def fit(self, combination: int, fold: int, worker: int, *, watched: bool) -> Iterator[events.Event]:
        """One fit from its start to its score; `watched`: with the epochs in between, which are not in the record."""
        training = next(self._trainings)
        epochs = int(self.state.combinations[combination].params["epochs"])
        best = 0.7 + 0.1 * self._random.random()
        yield events.TrainingStarted(
            time=time.time(),
            training=training,
            worker=worker,
            fold=fold,
            fits=[events.ServedFit(combination, epochs)],
            epochs=epochs,
            steps_per_epoch=57,
            cost=1.0,
            trainer="kernel",
            seed=1,
        )
        if watched:
            for epoch in range(1, epochs + 1):
                yield events.EpochEnded(
                    time=time.time(),
                    training=training,
                    epoch=epoch,
                    loss=3.0 / epoch,
                    validation_loss=2.0 / epoch + 0.8,
                    validation_score=best * epoch / epochs,
                    learning_rate=0.001,
                )
        steps = range(1, epochs + 1)
        place = self.recorder.journal.append_curve(
            Curve(
                training=training,
                loss=[3.0 / step for step in steps],
                validation_loss=[2.0 / step + 0.8 for step in steps],
                validation_score=[best * step / epochs for step in steps],
                learning_rate=[0.001] * epochs,
            )
        )
        yield events.FitScored(
            time=time.time(),
            combination=combination,
            fold=fold,
            training=training,
            epochs=epochs,
            scores={"accuracy": best},
            seconds=1.5,
            curve=place,
        )

    def goes_on(self) -> Iterator[events.Event]:
        """What all its workers do, in turn, until nothing is left."""
        waiting = (
            (combination.index, fold)
            for combination in self.state.combinations
            for fold, fit in enumerate(combination.fits)
            if fit.status is FitStatus.WAITING
        )
        busy: dict[int, Iterator[events.Event]] = {}
        while True:
            for worker in range(WORKERS):
                event = next(busy[worker], None) if worker in busy else None
                if event is None:
                    found = next(waiting, None)
                    if found is None:
                        return
                    busy[worker] = self.fit(*found, worker, watched=True)
                    event = next(busy[worker])
                yield event


def _complain(said: str) -> None:
    sys.stderr.write(f"{said}\n")


@contextlib.contextmanager
def idle_processes() -> Iterator[list[int]]:
    """Processes to read the memory and the processor of, which wait for their input to end."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        for _ in range(WORKERS)
    ]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.communicate()


def go_on(folder: Path, rate: float, workers: Sequence[int]) -> None:
    """Be the engine of a session at so many events a second, until stdin ends; none at all for 0."""
    session = open_session(folder.name, folder.parent)
    engine = Engine(session, session.state())
    engine.begin(workers)
    coming = engine.goes_on()
    due = time.monotonic()
    while True:
        engine.recorder.flush_if_due()
        engine.recorder.beat_if_due()
        patience = engine.recorder.patience(_QUIET_SECONDS)
        if rate:
            patience = min(patience, due - time.monotonic())
        if select.select([sys.stdin], [], [], max(0.0, patience))[0]:
            return
        while rate and due <= time.monotonic():
            due += 1 / rate
            event = next(coming, None)
            if event is None:
                return
            at = time.monotonic()
            engine.recorder.emit(event)
            if isinstance(event, events.FitScored):
                sys.stdout.write(f"{engine.state.fits_finished} {at}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    with idle_processes() as pids:
        go_on(Path(sys.argv[1]), float(sys.argv[2]), pids)
