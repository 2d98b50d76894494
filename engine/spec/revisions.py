"""Which rules of the training have changed since version 0.1, and which combinations' scores that touches.

A search records the revision of the rules by which its engine trains; records of 0.1 name none, which is revision 0.
Scores of combinations that no changed rule touches are the same under all revisions, and are taken over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.spec.resolved import Settings


@dataclass(frozen=True)
class Rule:
    """What changed with a revision, in words, and whether it touches settings that a trainer trains."""

    name: str
    revision: int
    touches: Callable[[Settings, str], bool]


RULES = (
    # A value of boundary_epochs used to change one step too late.
    Rule("boundary_epochs", 1, lambda settings, _: "boundary_epochs" in dict(settings.schedule_arguments)),
    # The keras trainer used to draw dropout masks of its own; now it draws the kernel's.
    Rule(
        "dropout",
        1,
        lambda settings, trainer: trainer == "keras" and settings.dropout > 0 and bool(settings.hidden_units),
    ),
)
# Partitions of repeats changed as well. These are rows, which are recorded and compared as they are.
REVISION = max(rule.revision for rule in RULES)


def changed_rules(settings: Settings, trainer: str, since: int = 0) -> tuple[str, ...]:
    """The names of rules that have changed since a revision and touch these settings."""
    return tuple(rule.name for rule in RULES if rule.revision > since and rule.touches(settings, trainer))
