"""What a search would find on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine import data
from engine.cli.options import AsJson, DataDir, Sessions
from engine.cli.printing import print_json, print_text
from engine.session.places import sessions_folder
from engine.system import machine

if TYPE_CHECKING:
    from pathlib import Path


def findings(data_dir: Path | None, sessions: Path) -> list[tuple[str, str]]:
    """Names and values: versions, processors, memory, GPUs, where data would come from, where sessions lie."""
    named = list(machine.versions().items())
    named.append(("processor", machine.cpu_model()))
    named.append(("CPUs allowed", str(machine.allowed_cpus())))
    named.append(("memory available", f"{machine.available_memory() / 2**30:.1f} GiB"))
    cards = machine.gpus()
    named += [(f"GPU {gpu.index}", f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB") for gpu in cards]
    if not cards:
        named.append(("GPU", "none; searches run on the CPU"))
    named.append(("--devices", ", ".join(["cpu", *(f"gpu:{gpu.index}" for gpu in cards)])))
    for name in data.DATASETS:
        named.append((f"data: {name}", str(data.whereabouts(name, data_dir))))
    nearest = next(folder for folder in (sessions, *sessions.parents) if folder.exists())
    writable = os.access(nearest, os.W_OK)
    named.append(("sessions", f"{sessions}{'' if writable else ' (cannot be written)'}"))
    return named


def doctor(data_dir: DataDir = None, sessions: Sessions = None, as_json: AsJson = False) -> None:
    """What is installed, which GPUs, which data are at hand."""
    from engine.formatting.tables import facts

    named = findings(data_dir, sessions_folder(sessions))
    if as_json:
        print_json(dict(named))
    else:
        print_text(facts(named))
