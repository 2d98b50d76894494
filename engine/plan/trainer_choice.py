"""Which trainer runs a combination, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.training.coverage import kernel_refusal

if TYPE_CHECKING:
    from engine.spec.resolved import Settings


def trainer_of(settings: Settings, wanted: str) -> tuple[str, str]:
    """(name of the trainer, why) for a spec's `trainer`: "auto" takes the kernel where it covers the combination."""
    if wanted == "keras":
        return "keras", "asked for"
    activation = settings.activation if settings.hidden_units else "linear"
    refusal = kernel_refusal(settings.batch_size, activation, settings.optimizer, dict(settings.optimizer_arguments))
    if refusal is None:
        return "kernel", "asked for" if wanted == "kernel" else "covered"
    return "keras", f"the kernel does not cover {refusal}"
