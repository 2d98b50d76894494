"""What this machine is doing for a search: memory and processor of its workers, use of its GPUs.

Read in the follow thread, never in the loop that draws. psutil and NVML are imported at the first reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """One worker process: bytes of memory, and share of one core (1.0 is a whole core) since the last reading."""

    memory: int
    processor: float


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU: how busy it is (0 to 1) and its memory in bytes."""

    number: int
    name: str
    busy: float
    memory: int
    memory_total: int


@dataclass(frozen=True, slots=True)
class MachineReading:
    """All of it at one moment; workers by pid. Processes that are gone are left out."""

    workers: dict[int, WorkerReading] = field(default_factory=dict)
    gpus: list[GpuReading] = field(default_factory=list)


class MachineReader:
    """Reads again and again; keeps the process handles, which processor shares are measured between."""

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}
        self._nvml: Any = None
        self._nvml_tried = False

    def read(self, pids: Iterable[int]) -> MachineReading:
        """The given processes of this host, and its GPUs."""
        import psutil

        wanted = set(pids)
        self._processes = {pid: process for pid, process in self._processes.items() if pid in wanted}
        workers: dict[int, WorkerReading] = {}
        for pid in sorted(wanted):
            try:
                process = self._processes.get(pid)
                if process is None:
                    process = self._processes[pid] = psutil.Process(pid)
                workers[pid] = WorkerReading(process.memory_info().rss, process.cpu_percent() / 100)
            except psutil.Error:
                self._processes.pop(pid, None)
        return MachineReading(workers, self._gpus())

    def _gpus(self) -> list[GpuReading]:
        if not self._nvml_tried:
            self._nvml_tried = True
            self._nvml = _start_nvml()
        if self._nvml is None:
            return []
        nvml = self._nvml
        readings: list[GpuReading] = []
        try:
            for number in range(nvml.nvmlDeviceGetCount()):
                device = nvml.nvmlDeviceGetHandleByIndex(number)
                memory = nvml.nvmlDeviceGetMemoryInfo(device)
                busy = nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
                name = nvml.nvmlDeviceGetName(device)
                readings.append(GpuReading(number, str(name), busy, int(memory.used), int(memory.total)))
        except nvml.NVMLError:
            # A driver that went away is not tried again; the search does not need it.
            self._nvml = None
        return readings


def _start_nvml() -> Any:
    """The NVML module, started; None on a machine without NVIDIA's driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
