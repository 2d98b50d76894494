"""How a word that is being typed into a field could go on: names from the catalogue, never more than one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from engine.search.change_words import EXAMPLES, split
from engine.spec.catalogue import ACTIVATIONS, HYPERPARAMETERS, OPTIMIZERS, SCHEDULES, SCORERS, Word
from engine.spec.strategy_options import STRATEGIES

if TYPE_CHECKING:
    from engine.session.state import SearchState


def completed(field: str, text: str) -> str | None:
    """The text with its last word completed; None where nothing fits. `field` is a form's field."""
    match = re.search(r"[A-Za-z_][A-Za-z0-9_]*$", text)
    if match is None:
        return None
    word = match[0]
    completion = next(
        (known for known in _known(field.rpartition(".")[2], text[: match.start()]) if known.startswith(word)), None
    ) or next(
        (
            known
            for known in _known(field.rpartition(".")[2], text[: match.start()])
            if known.lower().startswith(word.lower())
        ),
        None,
    )
    return None if completion is None or completion == word else text[: match.start()] + completion


def _known(field: str, before: str) -> list[str]:
    """What may stand at the end of `before`."""
    if field == "scoring":
        return list(SCORERS)
    if field == "strategy":
        return _strategy_options(before) if "," in before else list(STRATEGIES)
    if field == "early_stopping":
        return ["true", "false"] if before.rstrip(" =").endswith("stop") else ["patience", "min_delta", "stop"]
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


def _strategy_options(before: str) -> list[str]:
    """What may follow `halving 60, ` and `halving 60, over=`."""
    name = re.match(r"[a-z]*", before.lstrip())
    options = STRATEGIES[name[0]].options if name and name[0] in STRATEGIES else {}
    option = re.search(r"([a-z_]+)\s*=\s*$", before)
    if option is None:
        return list(options)
    accepted = options[option[1]][0] if option[1] in options else None
    return list(accepted.words) if isinstance(accepted, Word) else []


def _arguments(field: str, name: str) -> list[str]:
    if field == "optimizer":
        optimizer = next((OPTIMIZERS[known] for known in OPTIMIZERS if known == name.lower()), None)
        return list(optimizer.arguments) if optimizer else []
    schedule = next((SCHEDULES[known] for known in SCHEDULES if known.lower() == name.lower()), None)
    if schedule is None:
        return []
    # Epochs before steps: people get the sum of steps wrong.
    return [*schedule.in_epochs.values(), *schedule.required, *schedule.optional]


def change_completed(text: str, state: SearchState) -> str | None:
    """A change of a running search with its last word completed: its word, a hyperparameter's name, or a value."""
    pieces = split(text)
    if not pieces or text[-1].isspace():
        return None
    word, last = pieces[0], pieces[-1]
    name, equals, value = last.partition("=")
    if len(pieces) == 1:
        known, begun = [f"{one} " if one != "undo" else one for one in EXAMPLES], last
    elif word == "drop":
        params = [combination.params for combination in state.combinations]
        if equals:
            known, begun = [_written(one[name]) for one in params if name in one], value
        else:
            known, begun = sorted({f"{one}=" for each in params for one in each}), last
    elif equals:
        return _with_value(text, name, value)
    else:
        known, begun = sorted(f"{one}=" for one in [*HYPERPARAMETERS, "optimizer", "learning_rate"]), last
    completion = next((one for one in known if one.startswith(begun) and one != begun), None)
    return None if completion is None else text + completion[len(begun) :]


def _with_value(text: str, name: str, value: str) -> str | None:
    more = completed(name, value) if name in ("optimizer", "activation") else None
    return None if more is None else text[: len(text) - len(value)] + more


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
