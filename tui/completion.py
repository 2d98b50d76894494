"""How a word that is being typed into a field could go on: names from the catalogue, never more than one."""

from __future__ import annotations

import re

from engine.catalogue import ACTIVATIONS, OPTIMIZERS, SCHEDULES, SCORERS


def completed(field: str, text: str) -> str | None:
    """The text with its last word completed; None where nothing fits. `field` is a form's field."""
    match = re.search(r"[A-Za-z_][A-Za-z0-9_]*$", text)
    if match is None:
        return None
    word = match[0]
    found = next(
        (known for known in _known(field.rpartition(".")[2], text[: match.start()]) if known.startswith(word)), None
    ) or next(
        (
            known
            for known in _known(field.rpartition(".")[2], text[: match.start()])
            if known.lower().startswith(word.lower())
        ),
        None,
    )
    return None if found is None or found == word else text[: match.start()] + found


def _known(field: str, before: str) -> list[str]:
    """What may stand at the end of `before`."""
    if field == "scoring":
        return list(SCORERS)
    if field == "strategy":
        return ["grid", "random"]
    if field == "activation":
        return list(ACTIVATIONS)
    if field not in ("optimizer", "learning_rate"):
        return []
    inside = re.search(r"([A-Za-z_]\w*)\(([^()]*)$", before)
    if inside is None:
        return list(OPTIMIZERS) if field == "optimizer" else list(SCHEDULES)
    if re.search(r"=[^,]*$", inside[2]):
        return ["true", "false", "all", "none"]
    return _arguments(field, inside[1])


def _arguments(field: str, name: str) -> list[str]:
    if field == "optimizer":
        optimizer = next((OPTIMIZERS[known] for known in OPTIMIZERS if known == name.lower()), None)
        return list(optimizer.arguments) if optimizer else []
    schedule = next((SCHEDULES[known] for known in SCHEDULES if known.lower() == name.lower()), None)
    if schedule is None:
        return []
    # Epochs before steps: people get the sum of steps wrong.
    return [*schedule.in_epochs.values(), *schedule.required, *schedule.optional]
