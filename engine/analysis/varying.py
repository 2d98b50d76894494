"""Which hyperparameters tell combinations apart, and how a column names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.spec.catalogue import DEFAULT, head_of, is_argument
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from engine.session.combination import CombinationState

_ABSENT = object()  # of a parameter that a combination does not name
_SHORT = {
    "batch_size": "batch",
    "hidden_layers": "layers",
    "hidden_units": "units",
    "learning_rate": "rate",
    "initial_learning_rate": "initial",
}


def short_name(parameter: str) -> str:
    """A parameter's name for the head of a column."""
    last = parameter.rpartition("__")[2]
    return _SHORT.get(last, last)


def varying(combinations: Sequence[CombinationState]) -> list[str]:
    """The parameters that not all combinations have in common, in order of their names.

    An argument that is the same wherever its optimizer or schedule is chosen tells nothing that its head does not.
    """
    everywhere = [combination.params for combination in combinations]
    return [name for name in sorted({name for params in everywhere for name in params}) if _varies(name, everywhere)]


def _varies(name: str, everywhere: Sequence[Mapping[str, Any]]) -> bool:
    if is_argument(name):
        head = head_of(name)
        chosen = {params.get(head) for params in everywhere if name in params}
        everywhere = [params for params in everywhere if params.get(head) in chosen]
    first = everywhere[0].get(name, _ABSENT)
    return any(params.get(name, _ABSENT) != first for params in everywhere)


def shown_parameter(name: str, params: Mapping[str, Any]) -> str:
    """A value as results show it; nothing for the argument of an optimizer or a schedule that is another one."""
    if name in params:
        return show_value(params[name])
    return "" if is_argument(name) else DEFAULT
