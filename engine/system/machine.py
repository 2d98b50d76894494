"""What this machine offers a search: CPUs it may use, memory that is free, GPUs, and what is installed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEVICE = re.compile(r"cpu|gpu:[0-9]{1,4}")
MOST_WORKERS = 512  # each is a process: no machine can use more
KERNEL_WORKER_BYTES = 350 << 20
KERAS_WORKER_BYTES = 1200 << 20


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver knows it; `index` is what CUDA_VISIBLE_DEVICES takes."""

    index: int
    name: str
    memory_bytes: int


def allowed_cpus() -> int:
    """CPUs that this process may use: by affinity, and by the quota of its cgroup, rounded up."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cpus = os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, cpus if quota is None else min(cpus, quota))


def _cgroup_quota() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else -(-int(quota) // int(period))
    with contextlib.suppress(OSError, ValueError):
        folder = Path("/sys/fs/cgroup/cpu")
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        return None if quota_us <= 0 else -(-quota_us // int((folder / "cpu.cfs_period_us").read_text()))
    return None


def available_memory() -> int:
    """Bytes that can be used without swapping, the cgroup's limit included."""
    import psutil

    available = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        available = min(available, max(0, limit - used))
    return available


def default_workers(trainings: int, *, uses_keras: bool) -> int:
    """The least of the CPUs allowed, the trainings, and what memory holds; at least one."""
    each = KERAS_WORKER_BYTES if uses_keras else KERNEL_WORKER_BYTES
    return max(1, min(allowed_cpus(), trainings, available_memory() // each))


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves, named there by index or UUID; none where there is no driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    chosen = None if visible is None else [part.strip() for part in visible.split(",") if part.strip()]
    try:
        listed = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid = _text(pynvml.nvmlDeviceGetUUID(handle))
            if chosen is not None and not any(part == str(index) or uuid.startswith(part) for part in chosen):
                continue
            name = pynvml.nvmlDeviceGetName(handle)
            total = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
            listed.append(Gpu(index, _text(name), total))
    finally:
        pynvml.nvmlShutdown()
    return listed


def _text(value: str | bytes) -> str:
    """The libraries of older drivers return bytes."""
    return value if isinstance(value, str) else value.decode()


def parse_devices(text: str) -> list[str]:
    """The devices of a list like `cpu,gpu:0`, each once. Raises UsageError for anything that is not a device's name."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if not _DEVICE.fullmatch(name)), None)
    if unknown is not None or not names:
        message = f"devices: {unknown or text!r} is not accepted; accepted: cpu, gpu:0, gpu:1 and so on, with commas"
        raise UsageError(message)
    return list(dict.fromkeys(names))


def check_devices(devices: Sequence[str]) -> None:
    """Raises UsageError for a device that this machine does not have."""
    accepted = device_names()
    for name in devices:
        if name not in accepted:
            message = (
                f"devices: {shortened(repr(name))} is not accepted on this machine; accepted: {', '.join(accepted)}"
            )
            raise UsageError(message)


def device_names() -> list[str]:
    """The devices that a worker can run on here: `cpu`, and `gpu:<index>` for each GPU."""
    return ["cpu", *(f"gpu:{gpu.index}" for gpu in gpus())]


def cpu_model() -> str:
    """The processor's name, on which the last bits of a score depend."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(*also: str) -> dict[str, str]:
    """Versions of Python and of the packages that scores depend on, and of the packages in `also`."""
    names = ("foldwatch", "keras", "tensorflow", "numba", "numpy", "scipy", "scikit-learn", "scikeras", *also)
    installed = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return installed
