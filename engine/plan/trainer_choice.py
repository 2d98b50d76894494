"""Which trainer runs a combination, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.training.coverage import kernel_refusal

if TYPE_CHECKING:
    from engine.spec.resolved import ResolvedParams


def trainer_of(resolved: ResolvedParams, wanted: str, *, own_model: bool = False) -> tuple[str, str]:
    """(name of the trainer, why) for a spec's `trainer`: "auto" takes the kernel where it covers the combination.

    `own_model`: a function of the user's own builds what is trained.
    """
    if own_model:
        return "keras", "their model is your own function"
    if wanted == "keras":
        return "keras", "named in the spec"
    activation = resolved.activation if resolved.hidden_units else "linear"
    refusal = kernel_refusal(resolved.batch_size, activation, resolved.optimizer, dict(resolved.optimizer_arguments))
    if refusal is None:
        return "kernel", "named in the spec" if wanted == "kernel" else "covered"
    return "keras", f"the kernel does not cover {refusal}"
