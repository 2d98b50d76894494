"""The record of a session: what it holds of the search, and whether that is still true when the search is resumed."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from engine.errors import SessionUnreadableError
from engine.plan.folds import fold_rows
from engine.plan.plan import make_plan
from engine.plan.prepared import Prepared, announce_again, load_data
from engine.session.record import FORMAT, DataRecord, SearchRecord
from engine.session.session import Session
from engine.spec.strategy_options import packages_of
from engine.system import machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Scores come from the other packages alone: scikeras is the estimator's, and Python only calls them. What this one
# changes has a revision.
_NO_MATTER = ("python", "scikeras", "foldwatch")


def make_record(
    prepared: Prepared,
    identifier: str,
    *,
    workers: int | None,
    devices: list[str] | None,
    data_dir: Path | None,
    code: dict[str, str],
) -> SearchRecord:
    """The contents of a new session's `search.json`."""
    dataset = prepared.dataset
    return SearchRecord(
        format=FORMAT,
        id=identifier,
        created=time.time(),
        spec=prepared.spec.to_values(),
        data=DataRecord(
            source_sha256=dataset.source_sha256,
            digest=dataset.digest,
            folds_sha256=hashlib.sha256(prepared.folds.tobytes()).hexdigest(),
            rows=prepared.rows,
            test_rows=len(dataset.test),
            classes=dataset.training.classes,
            synthetic=dataset.synthetic,
        ),
        versions=_versions(prepared.spec.strategy),
        host=socket.gethostname(),
        cpu=machine.cpu_model(),
        workers=workers,
        devices=devices,
        data_dir=str(data_dir) if data_dir else None,
        spec_sha256=_spec_sha256(prepared.spec.to_values()),
        code=code,
    )


def _versions(strategy: object) -> dict[str, str]:
    return machine.versions(*packages_of(strategy))


def _spec_sha256(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def changed_versions(record: SearchRecord) -> list[str]:
    """Versions, and the CPU, that decide the last bits of a score and have changed, as "numpy 2.1.0, now 2.2.0"."""
    then = {**record.versions, "CPU": record.cpu}
    now = {**_versions(record.spec.get("strategy")), "CPU": machine.cpu_model()}
    return [
        f"{name} {then.get(name, 'none')}, now {now.get(name, 'none')}"
        for name in sorted(then.keys() | now.keys())
        if name not in _NO_MATTER and then.get(name) != now.get(name)
    ]


def prepare_again(session: Session, data_dir: Path | None, progress: Callable[[str], None] | None) -> Prepared:
    """What is settled before a session that exists goes on, from its record.

    Raises SessionUnreadableError if its spec or its data have changed.
    """
    recorded, now = session.record.spec_sha256, _spec_sha256(session.record.spec)
    if recorded and recorded != now:
        message = (
            f"{session.folder / 'search.json'}: the spec has been changed since the search began: then {recorded}, "
            f"now {now}; a changed spec is a new search, which takes over the scores that it shares"
        )
        raise SessionUnreadableError(message)
    spec = session.spec
    dataset = load_data(spec, data_dir, progress)
    if dataset.digest != session.record.data.digest:
        message = (
            f"{session.id}: the data have changed since the search began: "
            f"then {session.record.data.digest}, now {dataset.digest}"
        )
        raise SessionUnreadableError(message)
    folds = session.folds()
    state = session.state()
    announce_again(state, spec)
    # Of a combination whose announcement is lost nothing is run: any parameters keep its place in the plan.
    params = [combination.params or state.combinations[0].params for combination in state.combinations]
    stages = [combination.stage for combination in state.combinations]
    plan = make_plan(spec, params, fold_rows(spec, folds), stages, recorded=True)
    return Prepared(spec, dataset, folds, plan, state.begun_with)
