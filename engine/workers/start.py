"""The start of workers: which pool they belong to, which device each has, and the orders that it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import UsageError
from engine.spec.models import KerasFunction
from engine.system.machine import check_devices, device_names
from engine.workers import messages
from engine.workers.pool import WorkerDeath
from engine.workers.process_pool import ProcessPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.plan.plan import Plan
    from engine.plan.prepared import Prepared
    from engine.session.session import Session
    from engine.workers.pool import Pool


_BUILD_WAIT = 60.0  # seconds at a time


def open_pool(logs: Path, command: Sequence[str] | None = None) -> Pool:
    """The pool that a search uses, without workers yet; whoever opens it closes it.

    `logs`: the folder for what workers print. `command`: what starts a worker process; None: foldwatch's own.
    """
    return ProcessPool(logs, command)


def devices(plan: Plan, workers: int, wanted: Sequence[str] | None = None) -> list[str]:
    """The device of each worker, dealt out in turn.

    Those that are `wanted`; else GPUs where Keras trains, and the CPU where there are none or only the kernel trains.
    Raises UsageError for a device that this machine does not have, or that would lie idle.
    """
    only_kernel = all(training.trainer == "kernel" for training in plan.trainings)
    if wanted is None:
        wanted = [] if only_kernel else [name for name in device_names() if name != "cpu"]
    else:
        check_devices(wanted)
        idle = next((name for name in wanted if name != "cpu"), None) if only_kernel else None
        if idle is not None:
            message = (
                f"devices: {idle!r} is not accepted here: the kernel trainer runs this whole search on the CPU; "
                'accepted: cpu, or trainer = "keras" in the spec'
            )
            raise UsageError(message)
    return [wanted[number % len(wanted)] if wanted else "cpu" for number in range(workers)]


def start_worker(pool: Pool, number: int, device: str, plan: Plan, scoring: list[str]) -> None:
    """Start a worker on its device, and let it import what the trainings of the plan need."""
    environment = {
        "CUDA_VISIBLE_DEVICES": device.removeprefix("gpu:") if device != "cpu" else "-1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # numbers mean what they mean to the driver, and to `doctor`
    }
    pool.start(number, environment)
    pool.send(number, messages.Warm(scoring=scoring, trainings=_kinds_of_trainings(plan)))


def built_once(logs: Path, number: int, command: Sequence[str] | None, **order: Any) -> messages.Built:
    """What a process of its own says of the first build of a user's own model; `order`: as `messages.Build`."""
    pool = open_pool(logs, command)
    try:
        pool.start(number, {"CUDA_VISIBLE_DEVICES": "-1"})
        pool.send(number, messages.Build(**order))
        while True:
            for report in pool.wait(_BUILD_WAIT):
                if isinstance(report, WorkerDeath):
                    name = order["model"].function
                    return messages.Built(error=f"{name}: the process that built its model ended: {report.reason}")
                if isinstance(report.message, messages.Built):
                    return report.message
    finally:
        pool.close()


def data_order(session: Session, prepared: Prepared) -> messages.Prepare:
    """The order that names the rows and the folds of a search."""
    model = prepared.spec.network
    return messages.Prepare(
        dataset=messages.Stored(digest=prepared.dataset.digest, path=str(prepared.dataset.folder)),
        folds=messages.Stored(digest=session.record.data.folds_sha256, path=str(session.folder / "folds.npy")),
        scoring=prepared.spec.scoring,
        seed=prepared.spec.seed,
        early_stopping=prepared.spec.stopping,
        model=model if isinstance(model, KerasFunction) else None,
        files=session.record.code,
    )


def _kinds_of_trainings(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """One training of each kind that needs code of its own."""
    kinds: dict[tuple[object, ...], tuple[str, dict[str, Any]]] = {}
    for training in plan.trainings:
        params = training.params
        options = frozenset(name for name in params if name.startswith("optimizer"))
        kind = (training.trainer, params.get("optimizer"), options, bool(params.get("dropout")), bool(params.get("l2")))
        kinds.setdefault(kind, (training.trainer, {**params, "epochs": 1}))
    return list(kinds.values())
