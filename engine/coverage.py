"""Which trainer runs a combination, and why: decided by the combination alone, never by the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Settings

# What the kernel computes; the tests hold this against the kernel itself.
KERNEL_ACTIVATIONS = frozenset({"relu"})
KERNEL_OPTIMIZERS = frozenset({"sgd", "rmsprop", "adam", "adamw", "nadam", "adagrad"})


def kernel_refusal(settings: Settings) -> str | None:
    """Why the kernel trainer does not cover a combination, in a few words; None if it does."""
    if settings.optimizer not in KERNEL_OPTIMIZERS:
        return f"optimizer {settings.optimizer}"
    if settings.hidden_units and settings.activation not in KERNEL_ACTIVATIONS:
        return f"activation {settings.activation}"
    return None


def trainer_of(settings: Settings, wanted: str) -> tuple[str, str]:
    """(name of the trainer, why) for a spec's `trainer`: "auto" takes the kernel where it covers the combination."""
    if wanted == "keras":
        return "keras", "asked for"
    refusal = kernel_refusal(settings)
    if refusal is None:
        return "kernel", "asked for" if wanted == "kernel" else "covered"
    return "keras", f"the kernel does not cover {refusal}"
