"""Only what a changed rule touches is scored anew; all else is taken over from records of version 0.1."""

from __future__ import annotations

from engine.spec.resolved import resolved_params_of
from engine.spec.revisions import REVISION, changed_rules

PIECES = {"learning_rate": "PiecewiseConstantDecay", "learning_rate__values": [0.1, 0.01]}


def test_a_rule_touches_what_it_changed_alone() -> None:
    assert changed_rules(resolved_params_of({"dropout": 0.3}), "kernel") == ()
    assert changed_rules(resolved_params_of({"dropout": 0.3}), "keras") == ("dropout",)
    assert changed_rules(resolved_params_of({"dropout": 0.3, "hidden_layers": 0}), "keras") == ()
    assert changed_rules(resolved_params_of({**PIECES, "learning_rate__boundaries": [5]}), "kernel") == ()
    in_epochs = resolved_params_of({**PIECES, "learning_rate__boundary_epochs": [1]})
    assert changed_rules(in_epochs, "kernel") == ("boundary_epochs",)
    assert changed_rules(in_epochs, "kernel", since=REVISION) == ()
