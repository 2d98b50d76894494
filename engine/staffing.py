"""Which worker runs where, and what it is told at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import messages
from engine.data.cache_folder import private_folder
from engine.machine import gpus

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.pool import Pool
    from engine.preparing import Prepared
    from engine.session import Session


def devices(plan: Plan, workers: int) -> list[str]:
    """The device of each worker: GPUs dealt out in turn where Keras trains, the CPU where only the kernel does."""
    if all(training.trainer == "kernel" for training in plan.trainings):
        return ["cpu"] * workers
    found = gpus()
    return [f"gpu:{found[number % len(found)].index}" if found else "cpu" for number in range(workers)]


def start_worker(pool: Pool, number: int, device: str, plan: Plan, scoring: list[str]) -> None:
    """Start a worker on its device, and let it import what the plan will ask of it."""
    environment = {
        "CUDA_VISIBLE_DEVICES": device.removeprefix("gpu:") if device != "cpu" else "-1",
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
