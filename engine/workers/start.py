"""Which worker runs where, and what it is told at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.data.cache_folder import private_folder
from engine.errors import UsageError
from engine.system.machine import check_devices, device_names
from engine.workers import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.plan.plan import Plan
    from engine.plan.prepared import Prepared
    from engine.session.session import Session
    from engine.workers.process_pool import Pool


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
    """Start a worker on its device, and let it import what the plan will ask of it."""
    environment = {
        "CUDA_VISIBLE_DEVICES": device.removeprefix("gpu:") if device != "cpu" else "-1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # numbers mean what they mean to the driver, and to `doctor`
        # Not the user's own, nor /tmp/.keras, where anybody can plant files.
        "KERAS_HOME": str(private_folder(None) / "keras"),
    }
    pool.start(number, environment)
    pool.send(number, messages.Warm(scoring=scoring, trainings=_unlike(plan)))


def data_order(session: Session, prepared: Prepared) -> messages.Prepare:
    """Where a worker finds the rows and the folds."""
    return messages.Prepare(
        dataset=str(prepared.dataset.folder),
        folds=str(session.folder / "folds.npy"),
        scoring=prepared.spec.scoring,
        seed=prepared.spec.seed,
        early_stopping=prepared.spec.stopping,
    )


def _unlike(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """One training of each kind that needs code of its own."""
    kinds: dict[tuple[object, ...], tuple[str, dict[str, Any]]] = {}
    for training in plan.trainings:
        params = training.params
        options = frozenset(name for name in params if name.startswith("optimizer"))
        kind = (training.trainer, params.get("optimizer"), options, bool(params.get("dropout")), bool(params.get("l2")))
        kinds.setdefault(kind, (training.trainer, {**params, "epochs": 1}))
    return list(kinds.values())
