"""Which rules of the training have changed since version 0.1, and which combinations' scores that touches.

A search records the revision of the rules by which its engine trains; records of 0.1 name none, which is revision 0.
Scores of combinations that no changed rule touches are the same under all revisions, and are taken over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.spec.resolved import ResolvedParams


@dataclass(frozen=True)
class Rule:
    """What changed with a revision, in words, and whether it touches parameters that a trainer trains."""

    name: str
    revision: int
    touches: Callable[[ResolvedParams, str], bool]


RULES = (
    # A value of boundary_epochs used to change one step too late.
    Rule("boundary_epochs", 1, lambda resolved, _: "boundary_epochs" in dict(resolved.schedule_arguments)),
    # The keras trainer used to draw dropout masks of its own; now it draws the kernel's.
    Rule(
        "dropout",
        1,
        lambda resolved, trainer: trainer == "keras" and resolved.dropout > 0 and bool(resolved.hidden_units),
    ),
)
# Partitions of repeats changed as well. These are rows, which are recorded and compared as they are.
REVISION = max(rule.revision for rule in RULES)


def changed_rules(resolved: ResolvedParams, trainer: str, since: int = 0) -> tuple[str, ...]:
    """The names of rules that have changed since a revision and touch these parameters."""
    return tuple(rule.name for rule in RULES if rule.revision > since and rule.touches(resolved, trainer))
