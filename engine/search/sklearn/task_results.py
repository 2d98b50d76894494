"""What a worker returned of a task, as the script's own values again."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.workers import messages

_OUT_OF_MEMORY = "MemoryError"


@dataclass(frozen=True)
class TaskResult:
    """A returned `value`, or the `error` that the task raised; `warnings` as (text, category, file, line)."""

    value: Any = None
    error: BaseException | None = None
    warnings: list[tuple[str, type, str, int]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """What fitting and scoring took, as far as the result says."""
        if not isinstance(self.value, dict):
            return 0.0
        return float(self.value.get("fit_time", 0.0)) + float(self.value.get("score_time", 0.0))

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the fit could not get the memory it asked for."""
        if isinstance(self.error, MemoryError):
            return True
        text = self.value.get("fit_error") if isinstance(self.value, dict) else None
        last = str(text).strip().rpartition("\n")[2] if text else ""
        return last.partition(":")[0].rpartition(".")[2] in (_OUT_OF_MEMORY, "_ArrayMemoryError")


def result_of(message: messages.TaskDone, parts: bytes) -> TaskResult:
    """The result of a task, with the parts that came before.

    It is unpickled, as the worker is our own child and its pipe is ours alone.
    """
    value = pickle.loads(parts + message.pickled)  # noqa: S301
    warnings = pickle.loads(message.warnings) if message.warnings else []  # noqa: S301
    if message.raised:
        return TaskResult(error=value, warnings=warnings)
    return TaskResult(value, warnings=warnings)
