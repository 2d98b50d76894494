"""Which columns hyperparameters get: one each, but an optimizer or a schedule with its arguments shares one.

Six columns for one schedule would push the scores out of sight. A shared column says what differs: `Exp 0.1 0.96`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.spec.catalogue import DEFAULT
from engine.spec.spelling import show_value
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SHORT = {
    "ExponentialDecay": "Exp",
    "PiecewiseConstantDecay": "Steps",
    "PolynomialDecay": "Poly",
    "InverseTimeDecay": "Inverse",
    "CosineDecay": "Cosine",
    "CosineDecayRestarts": "Restarts",
}
FIRST = "initial_learning_rate"  # what a schedule starts from is said before what it does


def grouped(names: Sequence[str], known: Collection[str]) -> list[list[str]]:
    """Names by column, in order; several names of one head (`optimizer`, `optimizer__momentum`) share a column.

    `known`: all parameters. A head that is none of them, as the step `model` of `model__units` in a script, joins none.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        head = name.partition("__")[0]
        groups.setdefault(head if head in known else name, []).append(name)
    return list(groups.values())


def shared_texts(head: str, combinations: Sequence[dict[str, Any]]) -> list[str]:
    """What a shared column says of each combination: the name, then the arguments that take several values."""
    names = sorted({name for params in combinations for name in params if name.startswith(f"{head}__")})
    differing = []
    for name in names:
        values = {show_value(params[name]) for params in combinations if name in params}
        if len(values) > 1:
            differing.append(name)
    return [in_one(head, differing, params) for params in combinations]


def in_one(head: str, arguments: Sequence[str], params: dict[str, Any]) -> str:
    """An optimizer or a schedule with these of its arguments: `Exp 0.1 0.96`."""
    value = params.get(head)
    if value is None:
        return DEFAULT
    parts = [SHORT.get(value, value) if isinstance(value, str) else show_value(value)]
    first_of_all = sorted(arguments, key=lambda name: not name.endswith(FIRST))
    parts += [show_value(params[name]) for name in first_of_all if name in params]
    return clean(" ".join(parts), longest=200)
