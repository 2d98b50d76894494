"""Small real session folders for the screens that list, compare and make sessions; no engine runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.session import events
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import this_process
from engine.session.record import DataRecord, SearchRecord
from engine.session.segments import Owner
from engine.session.session import Session
from tests.fakes import made_session
from tests.tui_tests.scripted_search import NOON, SPACE, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

NOBODY = Owner(host="gpu-box", boot="none", pid=1, process_started=0.0)
SPEC: dict[str, Any] = {
    "dataset": "reuters",
    "num_words": 10000,
    "subsample": 1.0,
    "folds": 3,
    "repeats": 1,
    "scoring": ["accuracy", "f1_macro"],
    "strategy": "grid",
    "seed": 0,
    "trainer": "auto",
    "space": {
        **SPACE,
        "learning_rate": [
            {
                "schedule": "ExponentialDecay",
                "initial_learning_rate": 0.05,
                "decay_epochs": 1,
                "decay_rate": 0.8,
            }
        ],
    },
}


def make_session(
    sessions: Path,
    identifier: str,
    made: Iterable[events.AnyEvent] = (),
    *,
    created: float = NOON,
    alive: bool = False,
    host: str = "gpu-box",
    digest: str = "d1",
    **spec: Any,
) -> Session:
    """A session with a record of these events; `alive`: this process is its engine."""
    folds = np.zeros((1, 4), np.int16)
    data = DataRecord(
        source_sha256="",
        digest=digest,
        folds_sha256=hashlib.sha256(folds.tobytes()).hexdigest(),
        rows=8982,
        test_rows=2246,
        classes=46,
        synthetic=spec.get("dataset") == "sample",
    )
    record = SearchRecord(
        format=1,
        id=identifier,
        created=created,
        spec={**SPEC, **spec},
        data=data,
        versions={"foldwatch": "0.1.0", "keras": "3.15.1", "tensorflow": "2.21.0"},
        host=host,
        cpu="a CPU",
        workers=2,
    )
    session = made_session(sessions, record, folds)
    made = list(made)
    if made:
        writer = JournalWriter(session.folder, this_process() if alive else NOBODY)
        for event in made:
            if isinstance(event, events.EpochEnded):
                writer.append_epoch(event)
            else:
                writer.append(event)
        writer.sync()
        writer.close()
        if not alive:
            # Its engine has been silent for long: on another host that is all that tells.
            for path in session.folder.glob("journal.*"):
                os.utime(path, (created, created))
    return session


def some_sessions(sessions: Path) -> None:
    """Completed, running, crashed, stopped, new, synthetic, and one that cannot be read."""
    make_session(sessions, "reuters-01", Script().everything(), created=NOON)
    make_session(sessions, "reuters-02", Script(seed=1).everything(), created=NOON + 9_000, seed=1)
    half = Script(seed=2).half_way()
    make_session(sessions, "reuters-wide-layers", half, created=NOON + 400_000, alive=True)
    make_session(sessions, "imdb-01", Script(seed=3).half_way(4), created=NOON + 300_000, dataset="imdb")
    stopped = Script(seed=4)
    made = [*stopped.half_way(6), events.SearchFinished(time=stopped.clock, outcome="stopped")]
    make_session(sessions, "demo-01", made, created=NOON + 200_000, dataset="sample", host="laptop")
    broken = sessions / "broken-01"
    broken.mkdir()
    (broken / "search.json").write_text("{")
