"""A model of the user's own in a search: built once before anything is recorded, run again only if it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UsageError, UserCodeError
from engine.spec.models import KerasFunction
from engine.training.user_code import changed_files
from engine.workers.start import built_once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.plan.prepared import Prepared
    from engine.session.session import Session


def check_own_model(
    prepared: Prepared, worker: int, logs: Path, worker_command: Sequence[str] | None
) -> dict[str, str]:
    """Have the model of the first combination built; the SHA-256 of each file that it needs, none if it is built in.

    `worker`: the number of the process that does it, which ends then. Raises UserCodeError with what is wrong.
    """
    spec = prepared.spec
    if not isinstance(spec.network, KerasFunction):
        return {}
    rows = prepared.dataset.training
    built = built_once(
        logs,
        worker,
        worker_command,
        model=spec.network,
        params=prepared.plan.combinations[0].params,
        rows=prepared.rows - prepared.rows // spec.folds,
        width=rows.width,
        classes=rows.classes,
        seed=spec.seed,
    )
    if built.error:
        raise UserCodeError(built.error, built.traceback)
    return built.files


def check_code(session: Session) -> None:
    """Raises UsageError unless each file of the session's own model is what it was when the search began."""
    if isinstance(session.spec.network, KerasFunction) and not session.record.code:
        message = f"{session.id}: does not say which files its model {session.spec.network.function} needs: none is run"
        raise UsageError(message)
    changed = changed_files(session.record.code)
    if changed:
        message = (
            f"{session.id}: {changed[0]} has changed since the search began, and is not run: put it back, or "
            "begin a new search"
        )
        raise UsageError(message)
